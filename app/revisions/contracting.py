"""Changes that earlier code does not stand: such a revision is marked, and what looks like a rename is named."""

import logging
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op_text
from alembic.autogenerate.render import renderers
from alembic.operations import ops
from sqlalchemy.types import TypeEngine

logger = logging.getLogger(__name__)


def name_contracting(steps: ops.OpContainer) -> bool:
    """Return whether a revision takes away what earlier code uses; say what, and that it is best split."""
    found = list(_contracting(steps))
    if not found:
        return False
    logger.warning("Earlier code does not stand this, so the revision has contracts = True: %s", "; ".join(found))
    added = list(_expanding(steps))
    if added:
        logger.warning(
            "The revision also adds what the new code needs, which `flask prepare` then holds back as well: write two, "
            "first one with %s, and the rest in one that follows it",
            ", ".join(added),
        )
    return True


def note_renames(steps: ops.OpContainer) -> None:
    """Name each column and table that seems to have another name, and write the rename into the revision as a comment.

    Alembic sees one that goes and one that is new, and the values are lost.
    """
    for table in steps.ops:
        if isinstance(table, ops.ModifyTableOps):
            for old, new in _renamed_columns(table):
                logger.warning(_RENAMED, "column", f"{table.table_name}.{old}", new.name)
                table.ops.insert(0, RemarkOp(table.table_name, old, new))
    for old_table, new_table in _renamed_tables(steps):
        logger.warning(_RENAMED, "table", old_table, new_table)
        steps.ops.insert(0, RemarkOp(old_table, old_table, new_table))


_RENAMED = (
    "The %s %s is dropped, and %s is added: what is in it is lost. If it only gets another name, use the line that is "
    "a comment in the revision; docs/upgrading.md has the way without downtime"
)


# --- what contracts -----------------------------------------------------------------------------


def _contracting(steps: ops.OpContainer) -> Iterator[str]:
    made = {step.table_name for step in steps.ops if isinstance(step, ops.CreateTableOp)}
    for step in steps.ops:
        if isinstance(step, ops.DropTableOp):
            yield f"the table {step.table_name} goes"
        elif isinstance(step, ops.ModifyTableOps) and step.table_name not in made:
            added = {op.column.name for op in step.ops if isinstance(op, ops.AddColumnOp)}
            dropped = {op.constraint_name for op in step.ops if isinstance(op, ops.DropConstraintOp)}
            for op in step.ops:
                # The CHECK of an enum that gets members is made again.
                if not (isinstance(op, ops.CreateCheckConstraintOp) and op.constraint_name in dropped):
                    yield from _contracting_step(step.table_name, op, added)


def _contracting_step(table: str, op: ops.MigrateOperation, added: set[str]) -> Iterator[str]:
    """Yield why a change of a table that is there is not for earlier code.

    :param added: the columns that are new: earlier code writes nothing into them
    """
    if isinstance(op, ops.DropColumnOp):
        yield f"{table}.{op.column_name} goes"
    elif isinstance(op, ops.AlterColumnOp):
        yield from _contracting_column(f"{table}.{op.column_name}", op)
    elif isinstance(op, ops.CreateCheckConstraintOp):
        yield f"{table} gets a CHECK"
    elif isinstance(op, ops.CreateUniqueConstraintOp) or (isinstance(op, ops.CreateIndexOp) and op.unique):
        names = [str(getattr(column, "name", column)) for column in op.columns]
        if added.isdisjoint(names):
            yield f"{', '.join(names)} of {table} becomes unique"


def _contracting_column(place: str, op: ops.AlterColumnOp) -> Iterator[str]:
    if op.modify_nullable is False:
        yield f"{place} may not be NULL any more"
    if op.modify_type is not None and op.existing_type is not None and not is_wider(op.existing_type, op.modify_type):
        yield f"{place} gets another or a narrower type"
    if op.modify_server_default is None and not op.existing_nullable and op.modify_nullable is not True:
        yield f"{place} has no server default any more"


def is_wider(old: TypeEngine[Any], new: TypeEngine[Any]) -> bool:
    """Return whether every value of a type is one of another type of its kind."""
    if isinstance(old, sa.Enum) and isinstance(new, sa.Enum):
        return set(old.enums) <= set(new.enums)
    if isinstance(old, sa.String) and isinstance(new, sa.String):
        return new.length is None or (old.length is not None and old.length <= new.length)
    if isinstance(old, sa.Integer) and isinstance(new, sa.Integer):
        return _width(old) <= _width(new)
    if isinstance(old, sa.Float) and isinstance(new, sa.Float):
        return (old.precision or 0) <= (new.precision or 53)
    if isinstance(old, sa.Numeric) and isinstance(new, sa.Numeric):
        return _holds(new, old)
    return False


def _width(type_: TypeEngine[Any]) -> int:
    return 3 if isinstance(type_, sa.BigInteger) else 1 if isinstance(type_, sa.SmallInteger) else 2


def _holds(new: Any, old: Any) -> bool:
    if new.precision is None or old.precision is None:
        return new.precision is None
    places, wanted = new.scale or 0, old.scale or 0
    return places >= wanted and new.precision - places >= old.precision - wanted


def _expanding(steps: ops.OpContainer) -> Iterator[str]:
    for step in steps.ops:
        if isinstance(step, ops.CreateTableOp):
            yield step.table_name
        elif isinstance(step, ops.ModifyTableOps):
            yield from (f"{step.table_name}.{op.column.name}" for op in step.ops if isinstance(op, ops.AddColumnOp))


# --- what looks like a rename -------------------------------------------------------------------


class RemarkOp(ops.MigrateOperation):
    """A rename, as a comment beside what alembic proposes.

    :param old: the name of the column that goes, or of the table that does
    :param new: the new column, or the name of the new table
    """

    def __init__(self, table: str, old: str, new: "sa.Column[Any] | str") -> None:
        self.table = table
        self.old = old
        self.new = new

    def to_diff_tuple(self) -> tuple[str, ...]:
        return ("seems_renamed", self.table, self.old, str(getattr(self.new, "name", self.new)))


@renderers.dispatch_for(RemarkOp)
def render_remark(autogen_context: AutogenContext, op: RemarkOp) -> list[str]:
    if isinstance(op.new, str):
        return [
            f"# Does {op.old} get the name {op.new}? Then write, instead of the lines of both tables:",
            f"# op.rename_table({op.old!r}, {op.new!r})",
        ]
    change = ops.AlterColumnOp(op.table, op.old, existing_type=op.new.type, modify_nullable=op.new.nullable)
    text = " ".join(render_op_text(autogen_context, change).split())
    renamed = text.replace(f"alter_column({op.old!r},", f"alter_column({op.old!r}, new_column_name={op.new.name!r},")
    return [f"# Does {op.old} get the name {op.new.name}? Then write, instead of the lines of both:", f"# {renamed}"]


def _renamed_columns(table: ops.ModifyTableOps) -> Iterator[tuple[str, "sa.Column[Any]"]]:
    """Yield the name of each column that goes, with a new one of the same kind."""
    added = [op.column for op in table.ops if isinstance(op, ops.AddColumnOp)]
    for op in [op for op in table.ops if isinstance(op, ops.DropColumnOp)]:
        kind = op.to_column().type._type_affinity
        same = [column for column in added if column.type._type_affinity is kind]
        if same:
            added.remove(same[0])
            yield op.column_name, same[0]


def _renamed_tables(steps: ops.OpContainer) -> Iterator[tuple[str, str]]:
    """Yield the names of each table that goes, and of a new one with mostly the same columns."""
    made = [op for op in steps.ops if isinstance(op, ops.CreateTableOp)]
    for op in [op for op in steps.ops if isinstance(op, ops.DropTableOp)]:
        names = {column.name for column in op.to_table().columns}
        for other in made:
            others = {column.name for column in other.columns if isinstance(column, sa.Column)}
            if len(names & others) * 2 > max(len(names), len(others)):
                made.remove(other)
                yield op.table_name, other.table_name
                break
