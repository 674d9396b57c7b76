"""The comparison of server defaults, generated columns and identities: by meaning, not by an engine's spelling.

Alembic hands every reflected default to a callable ``compare_server_default`` as if it were a text, and fails at
``Computed`` and ``Identity``. So these are comparators of a plug-in, which run before alembic's own.
"""

import logging
import re
from decimal import Decimal
from decimal import InvalidOperation
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority
from alembic.util import PriorityDispatchResult
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import functions
from sqlalchemy.types import TypeEngine

from .catalogue import generated_expression
from .generated import has_virtual

logger = logging.getLogger(__name__)

NOW = re.compile(r"\(?(now|current_timestamp)(\(\d?\))?\)?", re.IGNORECASE)

#: PostgreSQL's ``::numeric(10, 2)`` and ``::character varying[]``, which it adds to what was written.
_CAST = re.compile(
    r"""(?ix) :: (character\ varying | double\ precision | bit\ varying | time(stamp)?\ with(out)?\ time\ zone
    | [\w".]+)
    (\( \d+ (,\s*\d+)? \))? (\[\])*"""
)

_SEQUENCE = re.compile(r"(?is)\(?next(?:val\(|\s+value\s+for\s+).*?([\w$]+)\W*(?:::regclass)?\W*")


def compare_server_default(
    autogen_context: AutogenContext,
    op: ops.AlterColumnOp,
    schema: str | None,
    table: str,
    name: str,
    inspected: sa.Column[Any],
    declared: sa.Column[Any],
) -> PriorityDispatchResult:
    """Compare where alembic would err or fail; leave the rest to it."""
    there, wanted = (_as_engine_has_it(column, autogen_context) for column in (inspected, declared))
    op.existing_server_default = there
    place = f"{table}.{name}"
    if isinstance(there, sa.Computed) or isinstance(wanted, sa.Computed):
        if isinstance(there, sa.Computed):
            there = _as_written(there, place, autogen_context)
        _compare_computed(place, there, wanted, autogen_context)
        return PriorityDispatchResult.STOP
    becomes = isinstance(wanted, sa.Identity) and not isinstance(there, sa.Identity)
    if becomes or (isinstance(there, sa.Identity) and isinstance(wanted, sa.DefaultClause)):
        _warn_of_identity(place, wanted)
        return PriorityDispatchResult.STOP
    if isinstance(there, sa.DefaultClause) and isinstance(wanted, sa.DefaultClause):
        return _compare_clauses(op, there, wanted, declared.type, autogen_context)
    if wanted is None and isinstance(declared.server_default, sa.Identity):
        op.kw["autoincrement"] = declared is declared.table.autoincrement_column
        return PriorityDispatchResult.STOP
    is_numbered = isinstance(there, sa.Identity) and declared is declared.table.autoincrement_column
    return PriorityDispatchResult.STOP if is_numbered and wanted is None else PriorityDispatchResult.CONTINUE


def _as_engine_has_it(column: sa.Column[Any], autogen_context: AutogenContext) -> Any:
    """Return a column's server default; without an Identity on an engine that has none."""
    default = column.server_default
    has_identity = getattr(autogen_context.dialect, "supports_identity_columns", False)
    return None if isinstance(default, sa.Identity) and not has_identity else default


def _compare_computed(place: str, there: Any, wanted: Any, autogen_context: AutogenContext) -> None:
    """Name a generated column that differs: no engine can alter one in all ways."""
    if not isinstance(there, sa.Computed):
        difference = "the model computes it, the database does not"
    elif not isinstance(wanted, sa.Computed):
        difference = "the database computes it, the model does not"
    elif {there.persisted, wanted.persisted} == {True, False} and has_virtual(autogen_context.dialect):
        names = ("VIRTUAL", "STORED")
        difference = f"it is {names[there.persisted is True]} in the database, {names[wanted.persisted is True]} here"
    elif _expression(there, autogen_context) != _expression(wanted, autogen_context):
        difference = f"the database has {there.sqltext}, the model {wanted.sqltext}"
    else:
        return
    warn_of_generated(place, difference)


def warn_of_generated(place: str, difference: str) -> None:
    logger.warning(
        "The generated column %s differs: %s. Autogenerate does not alter it: write into a revision "
        "batch_op.drop_column(%r) and batch_op.add_column(…), with the indexes that it is in",
        place,
        difference,
        place.rpartition(".")[2],
    )


def _as_written(computed: sa.Computed, place: str, autogen_context: AutogenContext) -> sa.Computed:
    connection = autogen_context.connection
    if connection is None or connection.dialect.name != "sqlite":
        return computed
    expression = generated_expression(connection, *place.rsplit(".", 1))
    return sa.Computed(sa.text(expression.replace(":", r"\:")), persisted=computed.persisted)


def _expression(computed: sa.Computed, autogen_context: AutogenContext) -> str:
    """Return what is computed, without what an engine adds to it or leaves out of it."""
    text = str(computed.sqltext.compile(dialect=autogen_context.dialect, compile_kwargs={"literal_binds": True}))
    text = re.sub(r"[\s()'\"`\[\]]|_utf8mb4", "", _CAST.sub("", text)).lower().replace("!=", "<>")
    # MariaDB's own names of functions.
    return text.replace("lcase", "lower").replace("ucase", "upper").replace("substring", "substr")


def _warn_of_identity(place: str, wanted: Any) -> None:
    logger.warning(
        "The column %s %s. Autogenerate does not alter that, for it does not know the number to go on with: write "
        "into a revision op.execute('ALTER TABLE … ALTER COLUMN …')",
        place,
        "is an IDENTITY in the model only"
        if isinstance(wanted, sa.Identity)
        else "is an IDENTITY in the database and has a DEFAULT in the model",
    )


def _compare_clauses(
    op: ops.AlterColumnOp,
    there: sa.DefaultClause,
    wanted: sa.DefaultClause,
    type_: TypeEngine[Any],
    autogen_context: AutogenContext,
) -> PriorityDispatchResult:
    """Compare two texts by what they mean.

    Alembic takes MariaDB's ``0.00`` for another number than ``0``, its ``1`` for another truth than ``true``, does
    not double quotes, and asks PostgreSQL for a ``=`` that ``json`` does not have, or for the next of a sequence.
    """
    inspected, is_literal = str(getattr(there.arg, "text", there.arg)), isinstance(wanted.arg, str)
    try:
        rendered = _rendered(wanted, autogen_context)
    except CompileError as error:
        logger.warning("The default of %s.%s is not compared: %s", op.table_name, op.column_name, error)
        return PriorityDispatchResult.STOP
    is_same = _meaning(_unquoted(inspected), type_) == _meaning(rendered if is_literal else _unquoted(rendered), type_)
    sequences = [_SEQUENCE.fullmatch(text) for text in (inspected, "" if is_literal else rendered)]
    if all(sequences):
        is_same = len({found[1].lower() for found in sequences if found}) == 1
    elif not is_same and not isinstance(type_, sa.String | sa.JSON):
        return PriorityDispatchResult.CONTINUE
    if not is_same:
        op.modify_server_default = wanted
    return PriorityDispatchResult.STOP


def _rendered(default: sa.DefaultClause, autogen_context: AutogenContext) -> str:
    if isinstance(default.arg, str):
        return default.arg
    return str(default.arg.compile(dialect=autogen_context.dialect, compile_kwargs={"literal_binds": True}))


def _unquoted(default: str) -> str:
    """Return the text of ``'it''s'``, of ``(CURRENT_TIMESTAMP)`` or of PostgreSQL's ``'red'::color``."""
    text = without_cast(re.sub(r"^\((.*)\)$", r"\1", default, flags=re.DOTALL))
    return text[1:-1].replace("''", "'") if re.fullmatch(r"'.*'", text, re.DOTALL) else text


def without_cast(default: str) -> str:
    return re.sub(r"^('.*')::[\w \".\[\]]+$", r"\1", default, flags=re.DOTALL)


def _meaning(default: str, type_: TypeEngine[Any]) -> object:
    if isinstance(type_, sa.Boolean):
        return {"true": True, "1": True, "false": False, "0": False}.get(default.lower(), default)
    if isinstance(type_, sa.Integer | sa.Numeric | sa.Float):
        try:
            return Decimal(default)
        except InvalidOperation:
            return default
    if isinstance(type_, sa.DateTime) and NOW.fullmatch(default):
        return functions.now
    return default


def add_to(plugin: Plugin) -> None:
    """Add the comparison of server defaults to a plug-in."""
    first = DispatchPriority.FIRST
    plugin.add_autogenerate_comparator(compare_server_default, "column", "server_default", priority=first)
