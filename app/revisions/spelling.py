"""The spelling of types and defaults in a revision, the same on every engine, and the comparison of types."""

from typing import Any
from typing import Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import elements
from sqlalchemy.sql import functions
from sqlalchemy.types import TypeEngine

from .defaults import NOW
from .defaults import without_cast


def render_item(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Write server defaults as they were declared, not as this engine spells them."""
    value = getattr(item, "arg", None) if kind == "server_default" else None
    if isinstance(value, elements.True_):
        return "sa.true()"
    if isinstance(value, elements.False_):
        return "sa.false()"
    if isinstance(value, functions.now | functions.current_timestamp):
        return "sa.func.now()"
    if isinstance(value, elements.TextClause):
        text = without_cast(value.text)
        return "sa.func.now()" if NOW.fullmatch(text) else f"sa.text({text!r})"
    return False


def compare_type(
    migration: MigrationContext,
    inspected: sa.Column[Any],
    declared: sa.Column[Any],
    inspected_type: TypeEngine[Any],
    declared_type: TypeEngine[Any],
) -> bool | None:
    """Compare where alembic would err: MariaDB makes a FLOAT of over 24 bits a DOUBLE."""
    if isinstance(declared_type, sa.Float) and isinstance(inspected_type, mysql.DOUBLE):
        return None if (declared_type.precision or 0) <= 24 else False
    return None
