"""The spelling of types and defaults in a revision, the same on every engine, and the comparison of types."""

from typing import Any
from typing import Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import elements
from sqlalchemy.sql import functions
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine

from .defaults import NOW
from .defaults import without_cast

DIALECTS = [sa.make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql", "mysql", "mariadb")]


def make_plain(table: sa.Table) -> None:
    """Give each column of a copied table the plain type that makes the same column."""
    for column in table.columns:
        column.type = plain(column.type)


def plain(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the SQLAlchemy type that makes the same column on every engine as this project's decorator."""
    if not isinstance(type_, TypeDecorator) or type(type_).__module__.startswith("sqlalchemy."):
        return type_
    found = plain(type_.impl_instance)
    for dialect in DIALECTS:
        if type_.compile(dialect) != found.compile(dialect):
            found = found.with_variant(plain(type_.load_dialect_impl(dialect)), dialect.name)
    return found


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
