"""Members that an enum gets: alembic compares none of them.

PostgreSQL adds one to the type, MariaDB to each column, and a CHECK is made again. A member that goes is named only:
rows may have it, and PostgreSQL drops none.
"""

import ast
import logging
import re
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op
from alembic.autogenerate.render import renderers
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.script import ScriptDirectory
from alembic.util import PriorityDispatchResult
from sqlalchemy import Connection

from . import statements

logger = logging.getLogger(__name__)


@dataclass
class Grown:
    """An enum with new members.

    :param name: that of PostgreSQL's type
    :param places: table, column, and the members that it has in the database
    """

    name: str
    members: list[str]
    places: list[tuple[str, sa.Column[Any], list[str]]] = field(default_factory=list)

    @property
    def added(self) -> list[str]:
        known = {member for _, _, there in self.places for member in there}
        return [member for member in self.members if member not in known]


class Enums:
    """The enums that are compared, column by column."""

    def __init__(self) -> None:
        self.grown: dict[str, Grown] = {}

    def compare(self, table: str, column: sa.Column[Any], there: Sequence[str]) -> None:
        """Note the new members of a native enum, and name those that go."""
        type_: Any = column.type
        warn_of_lost(f"{table}.{column.name}", there, type_.enums)
        if set(type_.enums) - set(there):
            # MariaDB's enums need no name: such a one is of one column.
            name = type_.name or f"{table}.{column.name}"
            grown = self.grown.setdefault(name, Grown(name, list(type_.enums)))
            grown.places.append((table, column, list(there)))

    def add_to(self, upgrade: ops.OpContainer, downgrade: ops.OpContainer | None) -> None:
        """Put the new members before all else: a default may be one of them."""
        found = [AddEnumMembersOp(grown) for grown in self.grown.values()]
        upgrade.ops[:0] = found
        if downgrade is not None:
            downgrade.ops += [op.reverse() for op in found]


def warn_of_lost(place: str, there: Sequence[str], wanted: Sequence[str]) -> None:
    lost = [member for member in there if member not in wanted]
    if lost:
        logger.warning(
            "%s: %s of the enum is in the database only. Autogenerate drops no member, for rows may have it: change "
            "these rows first; a member with another name is a new one and one that goes",
            place,
            ", ".join(map(repr, lost)),
        )


class AddEnumMembersOp(ops.MigrateOperation):
    """Add members to a native enum, on each engine in its way."""

    def __init__(self, grown: Grown) -> None:
        self.grown = grown

    def reverse(self) -> ops.MigrateOperation:
        return KeepEnumMembersOp(self.grown)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("add_enum_members", self.grown.name, self.grown.added)


class KeepEnumMembersOp(AddEnumMembersOp):
    """Leave the members where they are."""


@renderers.dispatch_for(AddEnumMembersOp)
def render_add(autogen_context: AutogenContext, op: AddEnumMembersOp) -> list[str]:
    grown = op.grown
    lines = ["if op.get_context().dialect.name == 'postgresql':", "with op.get_context().autocommit_block():"]
    for member in grown.added:
        lines.append(f"op.execute({_add_value(grown, member)!r})")
    # An empty line ends a block, here that of `with`.
    lines += ["", "else:"]
    for table, column, there in grown.places:
        lines += render_op(autogen_context, ops.ModifyTableOps(table, [_alter(table, column, there)]))
    return [*lines, ""]


@renderers.dispatch_for(KeepEnumMembersOp)
def render_keep(autogen_context: AutogenContext, op: KeepEnumMembersOp) -> str:
    return f"# The members {', '.join(op.grown.added)} of {op.grown.name} stay: PostgreSQL drops none."


def _add_value(grown: Grown, member: str) -> str:
    """Return the statement that adds a member where the model has it; those before it are there by then."""
    position = grown.members.index(member)
    near = ("AFTER", grown.members[position - 1]) if position else ("BEFORE", grown.places[0][2][0])
    name = '"' + grown.name.replace('"', '""') + '"'
    return f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {_literal(member)} {near[0]} {_literal(near[1])}"


def _literal(member: str) -> str:
    return "'" + member.replace("'", "''") + "'"


def _alter(table: str, column: sa.Column[Any], there: list[str]) -> ops.AlterColumnOp:
    type_: Any = column.type
    kept = [member for member in there if member not in type_.enums]
    default = column.server_default
    return ops.AlterColumnOp(
        table,
        column.name,
        existing_type=sa.Enum(*there, name=type_.name),
        modify_type=sa.Enum(*type_.enums, *kept, name=type_.name),
        existing_nullable=column.nullable,
        existing_server_default=default if isinstance(default, sa.DefaultClause) else False,
    )


def recorded_members(history: ScriptDirectory, name: str | None) -> list[str]:
    """Return the members of an enum by the newest revision that names it: SQLite has a text, without members."""
    for script in history.walk_revisions():
        found = [one for one in _enums_in(Path(script.path).read_text(encoding="utf-8")) if name and one[0] == name]
        if found:
            return max((members for _, members in found), key=len)
    return []


def _enums_in(text: str) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "").lower() == "enum":
            names = [
                one.value.value for one in node.keywords if one.arg == "name" and isinstance(one.value, ast.Constant)
            ]
            if names:
                yield str(names[0]), [str(one.value) for one in node.args if isinstance(one, ast.Constant)]


# --- enums that are a text with a CHECK ---------------------------------------------------------


def compare_checks(
    autogen_context: AutogenContext,
    modify_ops: ops.ModifyTableOps,
    schema: str | None,
    table: str,
    inspected: sa.Table | None,
    declared: sa.Table | None,
) -> PriorityDispatchResult:
    """Make the CHECK of an enum again where members are new."""
    if inspected is not None and declared is not None:
        checks = autogen_context.inspector.get_check_constraints(table, schema=schema)
        texts = {str(one["name"]): _as_standard(one["sqltext"], autogen_context) for one in checks}
        for constraint in declared.constraints:
            column = _column_of(declared, constraint)
            preparer = autogen_context.migration_context.dialect.identifier_preparer
            name = statements.plain_name(preparer.format_constraint(constraint) or " ") if column is not None else ""
            if column is not None and name in texts:
                modify_ops.ops += _changed(table, name, column, texts[name])
    return PriorityDispatchResult.CONTINUE


def _as_standard(text: str, autogen_context: AutogenContext) -> str:
    """Return an expression with doubled quotes, where MariaDB shows them behind a backslash."""
    if autogen_context.migration_context.dialect.name not in ("mysql", "mariadb"):
        return text
    return re.sub(r"\\(.)", lambda found: "''" if found[1] == "'" else found[1], text)


def _changed(table: str, name: str, column: sa.Column[Any], text: str) -> list[ops.MigrateOperation]:
    wanted = column.type.enums  # type: ignore[attr-defined]  # of an Enum
    there = [member.replace("''", "'") for member in re.findall(r"'((?:[^']|'')*)'", text)]
    warn_of_lost(f"{table}.{column.name}", there, wanted)
    if not set(wanted) - set(there):
        return []
    all_members = [*wanted, *(member for member in there if member not in wanted)]
    old, new = (_check(name, table, column, members) for members in (there, all_members))
    return [ops.DropConstraintOp.from_constraint(old), ops.CreateCheckConstraintOp.from_constraint(new)]


def _column_of(table: sa.Table, constraint: Any) -> "sa.Column[Any] | None":
    """Return the column of an enum that is a text, if this is its CHECK."""
    if not getattr(constraint, "_type_bound", False):
        return None
    names = {column.name for column in constraint.columns}
    found = [column for column in table.columns if column.name in names and isinstance(column.type, sa.Enum)]
    return found[0] if found and not found[0].type.native_enum else None  # type: ignore[attr-defined]  # of an Enum


def add_to(plugin: Plugin) -> None:
    """Add the comparison of these checks to a plug-in."""
    plugin.add_autogenerate_comparator(compare_checks, "table", "enum_checks")


def _check(name: str, table: str, column: sa.Column[Any], members: Sequence[str]) -> sa.CheckConstraint:
    text = f"{column.name} IN ({', '.join(map(_literal, members))})"
    constraint = sa.CheckConstraint(text, name=sa.schema.conv(name))
    sa.Table(table, sa.MetaData(), sa.Column(column.name, sa.Text), constraint)
    return constraint


# --- types that are left over -------------------------------------------------------------------

_USED_ENUM_TYPES = sa.text("""
    SELECT DISTINCT type.oid::regtype::text
    FROM pg_type type JOIN pg_depend depend ON depend.refobjid IN (type.oid, type.typarray)
    WHERE type.typtype = 'e' AND type.typnamespace = current_schema()::regnamespace
    AND depend.refclassid = 'pg_type'::regclass AND depend.deptype = 'n'
""")


class EnumTypes:
    """PostgreSQL's enum types that are in use, to drop those that a revision has left without a column.

    Without this the next revision that makes such a column fails: the type exists already.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.used = self._used()
        connection.rollback()

    def drop_unused(self) -> None:
        """Drop the types that lost their last use since the last call."""
        used = self._used()
        for name in sorted(self.used - used):
            self.connection.exec_driver_sql(f"DROP TYPE IF EXISTS {name}")
        self.used = used

    def _used(self) -> set[str]:
        if self.connection.dialect.name != "postgresql":
            return set()
        return set(self.connection.scalars(_USED_ENUM_TYPES))
