"""Indexes over expressions: SQLAlchemy does not reflect SQLite's, and MariaDB has none."""

import logging
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.impl import DefaultImpl
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import PriorityDispatchResult
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.elements import UnaryExpression

from . import catalogue
from . import statements

logger = logging.getLogger(__name__)

#: ``name``, ``name DESC``, ``name(10)``: a column, though it may be written as a text.
_COLUMN = re.compile(r"(?i)[`\"\[]?[\w$]+[`\"\]]?\s*(\(\d+\))?(\s+(asc|desc))?")

_TEXT_CAST = re.compile(r"(?i)::(text|character varying|bpchar)\b(\[\])?")


def is_over_expression(index: sa.Index) -> bool:
    """Return whether an index is over more than columns and their order."""
    return any(map(_is_expression, index.expressions))


def _is_expression(expression: Any) -> bool:
    while isinstance(expression, UnaryExpression):
        expression = expression.element
    if isinstance(expression, ColumnClause) and not expression.is_literal:
        return False
    return _COLUMN.fullmatch(str(expression)) is None


# --- MariaDB ------------------------------------------------------------------------------------


def leave_out(impl: DefaultImpl) -> None:
    """Leave an index over an expression out of a revision on MariaDB, and log a warning that names it."""
    make = impl.create_index

    def create_index(index: sa.Index, **keywords: Any) -> None:
        if is_over_expression(index):
            logger.warning(
                _LEFT_OUT, index.name, "what it keeps unique is not" if index.unique else "all works as well"
            )
        else:
            make(index, **keywords)

    if has_none(impl.dialect):
        impl.create_index = create_index  # type: ignore[method-assign]  # of this instance only


_LEFT_OUT = (
    "MariaDB has no index over an expression: %s is left out, %s. "
    "An index of a generated column (sa.Computed) is the same on every engine"
)


def has_none(dialect: Dialect) -> bool:
    return dialect.name in ("mysql", "mariadb") and getattr(dialect, "is_mariadb", True) is not False


def is_mentioned(index: sa.Index, revisions: list[Path]) -> bool:
    """Return whether a revision names an index: the database cannot show whether it would have it."""
    name = re.compile(f"(['\"]){re.escape(str(index.name))}\\1")
    return any(name.search(path.read_text(encoding="utf-8")) for path in revisions)


# --- SQLite -------------------------------------------------------------------------------------


def compare_indexes(
    autogen_context: AutogenContext,
    modify_ops: ops.ModifyTableOps,
    schema: str | None,
    table: str,
    inspected: sa.Table | None,
    declared: sa.Table | None,
) -> PriorityDispatchResult:
    """Compare SQLite's indexes over expressions by their statements."""
    connection = autogen_context.connection
    if connection is None or schema is not None:
        return PriorityDispatchResult.CONTINUE
    wanted = {
        str(one.name): one for one in (declared.indexes if declared is not None else ()) if is_over_expression(one)
    }
    there = _statements(autogen_context, table) if inspected is not None and declared is not None else {}
    for name, text in sorted(there.items()):
        if name not in wanted or _normal(text) != _normal(_compiled(wanted[name], connection.dialect)):
            modify_ops.ops.append(ops.DropIndexOp.from_index(_reflected(name, text, inspected)))
        else:
            del wanted[name]
    modify_ops.ops += [ops.CreateIndexOp.from_index(_grouped(wanted[name])) for name in sorted(wanted)]
    return PriorityDispatchResult.CONTINUE


def _statements(autogen_context: AutogenContext, table: str) -> dict[str, str]:
    connection: Any = autogen_context.connection
    found = {name: text for kind, name, text in catalogue.attached(connection, table) if kind == "index"}
    return {name: text for name, text in found.items() if catalogue.is_over_expression(connection, name)}


def _compiled(index: sa.Index, dialect: Dialect) -> str:
    return str(CreateIndex(index).compile(dialect=dialect))


def _reflected(name: str, text: str, table: Any) -> sa.Index:
    """Return an index that makes the same statement."""
    elements, where = statements.split_arguments(text)
    options: dict[str, Any] = {"sqlite_where": sa.text(where)} if where else {}
    is_unique = list(statements.words(text))[1].upper() == "UNIQUE"
    return sa.Index(name, *map(sa.text, elements), _table=table, unique=is_unique, **options)


def _grouped(index: sa.Index) -> sa.Index:
    """Return an index whose expressions PostgreSQL takes as well: it wants all but calls in parentheses."""
    expressions: list[Any] = list(index.expressions)
    expressions = [one if isinstance(one, ColumnClause) else one.self_group() for one in expressions]
    options: dict[str, Any] = dict(index.kwargs)
    return sa.Index(index.name, *expressions, _table=index.table, unique=index.unique, **options)


def _normal(text: str) -> object:
    """Return what an index is made of, without quotes, blanks, and parentheses around an expression."""
    elements, where = statements.split_arguments(text)
    is_unique = list(statements.words(text))[1].upper() == "UNIQUE"
    return is_unique, [_words(statements.without_parentheses(element)) for element in elements], _words(where)


def _words(text: str) -> list[str]:
    found = statements.words(text)
    return [statements.plain_name(word).lower() if word[0] in '"`[' else word.lower() for word in found]


def without_casts(op: ops.CreateIndexOp) -> None:
    """Leave out of a reflected index the casts that PostgreSQL adds to it: others do not understand them."""
    op.columns = [
        sa.text(_TEXT_CAST.sub("", text.text)) if (text := _text(one)) is not None else one for one in op.columns
    ]


def _text(expression: Any) -> sa.TextClause | None:
    """Return the text that alembic has wrapped to put it into an index."""
    inner = getattr(expression, "text", expression)
    return inner if isinstance(inner, sa.TextClause) else expression if isinstance(expression, sa.TextClause) else None


def add_to(plugin: Plugin) -> None:
    """Add the comparison of these indexes to a plug-in."""
    plugin.add_autogenerate_comparator(compare_indexes, "table", "expression_indexes", qualifier="sqlite")
