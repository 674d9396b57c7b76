"""Corrections of what Alembic proposes: a revision is written in plain SQLAlchemy, and runs on every engine."""

import logging
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations import ops
from sqlalchemy import MetaData

from . import defaults
from . import expressions
from . import statements

logger = logging.getLogger(__name__)

READ_BY_GENERATED = (
    "The type of %s.%s changes, and the generated column %s reads it, which PostgreSQL refuses: write into the "
    "revision batch_op.drop_column(%r) before, and batch_op.add_column(…) after, with the indexes that it is in"
)


def correct(steps: ops.OpContainer, declared: MetaData) -> None:
    """Change the steps of a revision so that each engine can run them.

    :param declared: the tables of the models
    """
    _leave_indexes_to_their_table(steps)
    _leave_generated_columns(steps, declared)
    _describe_as_declared(steps, declared)
    _spell_indexes(steps)
    _make_enum_types(steps)


def _declared(op: ops.AlterColumnOp, metadata: MetaData) -> sa.Column[Any]:
    table = metadata.tables[f"{op.schema}.{op.table_name}" if op.schema else op.table_name]
    (column,) = (column for column in table.columns if column.name == op.column_name)
    return column


def _leave_generated_columns(steps: ops.OpContainer, declared: MetaData) -> None:
    """Alter no generated column, which MariaDB cannot and which loses nothing when it is made again."""
    for table in steps.ops:
        if isinstance(table, ops.ModifyTableOps):
            table.ops = [op for op in table.ops if not _is_generated(op, declared)]
    steps.ops = [op for op in steps.ops if not (isinstance(op, ops.ModifyTableOps) and op.is_empty())]


def _is_generated(op: ops.MigrateOperation, declared: MetaData) -> bool:
    if not isinstance(op, ops.AlterColumnOp) or _declared(op, declared).computed is None:
        return False
    if op.modify_type is not None:
        difference = f"it is {op.existing_type!r} in the database and {op.modify_type!r} in the model"
        defaults.warn_of_generated(f"{op.table_name}.{op.column_name}", difference)
    return True


def warn_of_sources(steps: ops.OpContainer, declared: MetaData) -> None:
    """Name the generated columns that read a column whose type changes: PostgreSQL refuses it."""
    for op in _every(steps):
        if isinstance(op, ops.AlterColumnOp) and op.modify_type is not None:
            for name in _generated_from(_declared(op, declared)):
                logger.warning(READ_BY_GENERATED, op.table_name, op.column_name, name, name)


def _describe_as_declared(steps: ops.OpContainer, declared: MetaData) -> None:
    """Say what stays as it is in an altered column: MariaDB repeats the whole column.

    It would be written as this engine reflects it, which another does not understand.
    """
    for op in _every(steps):
        if isinstance(op, ops.AlterColumnOp):
            column = _declared(op, declared)
            if op.modify_type is None:
                op.existing_type = column.type
            if op.modify_server_default is False:
                default = column.server_default
                if not isinstance(default, sa.FetchedValue) or isinstance(default, sa.DefaultClause):
                    op.existing_server_default = default or False
                elif isinstance(default, sa.Identity):
                    op.existing_server_default = False


class CreateEnumOp(ops.MigrateOperation):
    """Make PostgreSQL's type for a column that is added: alembic does that only for a table (its issue 868)."""

    def __init__(self, enum: sa.Enum) -> None:
        self.enum = enum

    def to_diff_tuple(self) -> tuple[str, str | None]:
        return ("add_enum", self.enum.name)


@renderers.dispatch_for(CreateEnumOp)
def render_create_enum(autogen_context: AutogenContext, op: CreateEnumOp) -> str:
    arguments = ", ".join([*map(repr, op.enum.enums), f"name={op.enum.name!r}"])
    return f"sa.Enum({arguments}).create(op.get_bind(), checkfirst=not op.get_context().as_sql)"


def _generated_from(source: sa.Column[Any]) -> Iterator[str]:
    """Yield the names of the generated columns that read a column."""
    for column in source.table.columns:
        if column.computed is not None:
            words = statements.words(str(column.computed.sqltext))
            if any(statements.is_name(word, source.name) for word in words):
                yield column.name


def _every(steps: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    for op in steps.ops:
        if isinstance(op, ops.OpContainer):
            yield from _every(op)
        else:
            yield op


def warn(steps: ops.OpContainer) -> None:
    """Name what fails while a table has rows, or on another engine."""
    for op in _every(steps):
        if isinstance(op, ops.AddColumnOp):
            _warn_of_rows(op.table_name, op.column)
            _warn_of_length(op.table_name, op.column)
        elif isinstance(op, ops.CreateTableOp):
            for column in op.columns:
                if isinstance(column, sa.Column):
                    _warn_of_length(op.table_name, column)


def _warn_of_rows(table: str, column: sa.Column[Any]) -> None:
    if not column.nullable and column.server_default is None:
        message = "%s.%s may not be NULL and has no server_default: adding it fails while the table has rows"
        logger.warning(message, table, column.name)


def _warn_of_length(table: str, column: sa.Column[Any]) -> None:
    if type(column.type) is sa.String and column.type.length is None:
        logger.warning("%s.%s is a String without a length, which MariaDB needs", table, column.name)


def _spell_indexes(steps: ops.OpContainer) -> None:
    """Drop an index over an expression if it is there, for MariaDB has none; make one as every engine takes it."""
    for op in _every(steps):
        if isinstance(op, ops.DropIndexOp) and expressions.is_over_expression(op.to_index()):
            op.if_exists = True
        elif isinstance(op, ops.CreateIndexOp):
            expressions.without_casts(op)


def _make_enum_types(steps: ops.OpContainer) -> None:
    added = [op.column.type for op in _every(steps) if isinstance(op, ops.AddColumnOp)]
    made = {type_.name: type_ for type_ in added if isinstance(type_, sa.Enum) and type_.native_enum}
    steps.ops[:0] = map(CreateEnumOp, made.values())


def _leave_indexes_to_their_table(steps: ops.OpContainer) -> None:
    """Drop no index of a table that is dropped: MariaDB refuses it where a foreign key needs the index."""
    dropped = {op.table_name for op in steps.ops if isinstance(op, ops.DropTableOp)}
    steps.ops = [
        op
        for op in steps.ops
        if not (isinstance(op, ops.ModifyTableOps) and op.table_name in dropped)
        or not all(isinstance(step, ops.DropIndexOp) for step in op.ops)
    ]
