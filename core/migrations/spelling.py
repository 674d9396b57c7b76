"""How a revision spells types and defaults, and how they compare: the same on every engine."""

import re
from decimal import Decimal
from decimal import InvalidOperation
from typing import Any
from typing import Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import elements
from sqlalchemy.sql import functions
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine

DIALECTS = [sa.make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql", "mysql", "mariadb")]

_NOW = re.compile(r"\(?(now|current_timestamp)(\(\d?\))?\)?", re.IGNORECASE)


def make_plain(table: sa.Table) -> None:
    """Give each column of a copied table the plain type that makes the same column."""
    for column in table.columns:
        column.type = plain(column.type)


def plain(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the SQLAlchemy type that makes the same column on every engine as this decorator of ours."""
    if not isinstance(type_, TypeDecorator) or type(type_).__module__.startswith("sqlalchemy."):
        return type_
    found = plain(type_.impl_instance)
    for dialect in DIALECTS:
        if type_.compile(dialect) != found.compile(dialect):
            found = found.with_variant(plain(type_.load_dialect_impl(dialect)), dialect.name)
    return found


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Take an index over an expression for unchanged: only PostgreSQL tells what it is made of."""
    if kind != "index" or reflected or compare_to is None:
        return True
    plain_columns = all(isinstance(expression, sa.Column) for expression in item.expressions)
    return plain_columns or context.get_context().dialect.name == "postgresql"


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
        text = _without_cast(value.text)
        return "sa.func.now()" if _NOW.fullmatch(text) else f"sa.text({text!r})"
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


def compare_server_default(
    migration: MigrationContext,
    inspected: sa.Column[Any],
    declared: sa.Column[Any],
    inspected_default: str | None,
    default: Any,
    rendered_default: str | None,
) -> bool | None:
    """Compare where alembic would err: by what the default means, not by how the engine spells it.

    Alembic takes MariaDB's ``0.00`` for another number than ``0``, its ``1`` for another truth
    than ``true``, does not double quotes, and asks PostgreSQL for a ``=`` that ``json`` does not have.
    """
    if inspected_default is None or rendered_default is None:
        return None
    is_literal = isinstance(declared.server_default, sa.DefaultClause) and isinstance(declared.server_default.arg, str)
    wanted = rendered_default if is_literal else _unquoted(rendered_default)
    if _meaning(_unquoted(inspected_default), declared.type) == _meaning(wanted, declared.type):
        return False
    return True if isinstance(declared.type, sa.String | sa.JSON) else None


def _unquoted(default: str) -> str:
    """Return the text of ``'it''s'``, of ``(CURRENT_TIMESTAMP)`` or of PostgreSQL's ``'red'::color``."""
    text = _without_cast(re.sub(r"^\((.*)\)$", r"\1", default, flags=re.DOTALL))
    return text[1:-1].replace("''", "'") if re.fullmatch(r"'.*'", text, re.DOTALL) else text


def _without_cast(default: str) -> str:
    return re.sub(r"^('.*')::[\w \".\[\]]+$", r"\1", default, flags=re.DOTALL)


def _meaning(default: str, type_: TypeEngine[Any]) -> object:
    if isinstance(type_, sa.Boolean):
        return {"true": True, "1": True, "false": False, "0": False}.get(default.lower(), default)
    if isinstance(type_, sa.Integer | sa.Numeric | sa.Float):
        try:
            return Decimal(default)
        except InvalidOperation:
            return default
    if isinstance(type_, sa.DateTime) and _NOW.fullmatch(default):
        return functions.now
    return default
