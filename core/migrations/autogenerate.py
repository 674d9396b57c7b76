"""Scope of ``alembic revision --autogenerate``, and how a revision is written down.

It may touch the tables of installed modules, and the core's, and no others. A revision is written in plain
SQLAlchemy: it imports nothing from this project, and runs on every engine whichever it was made on.
"""

import logging
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

from services import NAMING_CONVENTION
from services import db

from .. import modules
from ..api.idempotency import idempotency_keys
from ..data import inventory
from ..data import strays
from ..modules import Module
from . import defaults
from . import enums
from . import expressions
from . import statements
from .contracting import name_contracting
from .contracting import note_renames
from .enums import recorded_members
from .spelling import compare_type
from .spelling import make_plain
from .spelling import render_item

logger = logging.getLogger("core.migrations")

#: The tables of the core itself, which are there whatever is installed.
CORE_TABLES = {idempotency_keys.name: "core"}

#: What compares where alembic cannot.
PLUGIN = "core.migrations"
_plugin = Plugin(PLUGIN)
defaults.add_to(_plugin)
expressions.add_to(_plugin)
enums.add_to(_plugin)

NO_TABLE = (
    "%s is a view or a foreign table in the database, and is left alone. Say so in the model: "
    '__table_args__ = {"info": {"migrated": False}}'
)

READ_BY_GENERATED = (
    "The type of %s.%s changes, and the generated column %s reads it, which PostgreSQL refuses: write into the "
    "revision batch_op.drop_column(%r) before, and batch_op.add_column(…) after, with the indexes that it is in"
)


class Autogenerate:
    """The tables of the installed modules, as alembic wants to hear about them.

    :param history: the earlier revisions; each notes the module of the tables that it makes
    """

    def __init__(self, installed: Sequence[Module], history: ScriptDirectory) -> None:
        self.installed = installed
        self.history = history
        self.labels = {module.label for module in installed} | {*CORE_TABLES.values()}
        self.left_alone: set[str] = set()
        self.enums = enums.Enums()
        self.metadata = self._merge()

    def options(self) -> dict[str, Any]:
        """Return the arguments for ``context.configure``."""
        return {
            "target_metadata": self.metadata,
            "include_name": self.include_name,
            "include_object": self.include_object,
            "render_item": render_item,
            "compare_type": self.compare_type,
            "compare_server_default": True,
            "autogenerate_plugins": ["alembic.autogenerate.*", PLUGIN],
            "render_as_batch": True,
            "process_revision_directives": self.finish,
        }

    def include_name(self, name: str | None, kind: str, parents: Any) -> bool:
        """Return whether this table of the database is ours to compare; note it if not."""
        if kind != "table" or name is None or name in self.metadata.tables:
            return True
        ours = self._former_owner(name) in self.labels
        if not ours:
            self.left_alone.add(name)
        return ours

    def include_object(self, item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        """Return whether this table, column or index is to be compared."""
        if kind == "index" and not reflected and expressions.is_over_expression(item):
            return self._is_new(item, compare_to)
        if kind != "table" or reflected:
            return True
        if inventory.is_migrated(item) and compare_to is None and name in self.views:
            logger.warning(NO_TABLE, name)
            return False
        return inventory.is_migrated(item)

    def compare_type(
        self,
        migration: MigrationContext,
        inspected: sa.Column[Any],
        declared: sa.Column[Any],
        inspected_type: Any,
        declared_type: Any,
    ) -> bool | None:
        """Note the new members of an enum; compare other types."""
        if not isinstance(declared_type, sa.Enum) or not declared_type.native_enum:
            return compare_type(migration, inspected, declared, inspected_type, declared_type)
        there = getattr(inspected_type, "enums", None)
        if there is None and migration.dialect.name == "sqlite":
            there = recorded_members(self.history, declared_type.name)
        if not there:
            return None
        self.enums.compare(declared.table.name, declared, there)
        return False

    def _is_new(self, index: sa.Index, compare_to: Any) -> bool:
        """Return whether an index over an expression is to be made; SQLite's are compared elsewhere."""
        dialect = context.get_context().dialect
        if expressions.has_none(dialect):
            return not expressions.is_mentioned(index, [Path(one.path) for one in self.history.walk_revisions()])
        return dialect.name == "postgresql" or compare_to is None

    @cached_property
    def views(self) -> set[str]:
        """The views of the database, and the tables that lie elsewhere."""
        found = sa.inspect(context.get_bind())
        views = {*found.get_view_names(), *_names(found.get_materialized_view_names)}
        return views | {*_names(getattr(found, "get_foreign_table_names", list))}

    def finish(self, migration: MigrationContext, revision: Any, directives: list[ops.MigrationScript]) -> None:
        """Name what was left alone, and write no revision if there is nothing to do."""
        if self.left_alone:
            logger.warning("Left alone, because no installed module has them: %s", ", ".join(sorted(self.left_alone)))
        for stray in strays.find_strays(self.installed):
            logger.warning("%s %s", stray.message, stray.hint)
        script = directives[0]
        if script.upgrade_ops is not None:
            _warn(script.upgrade_ops)
        for steps in (script.upgrade_ops, script.downgrade_ops):
            if steps is not None:
                _leave_indexes_to_their_table(steps)
                self._leave_generated_columns(steps)
                self._describe_as_declared(steps)
                _spell_indexes(steps)
                _make_enum_types(steps)
        if script.upgrade_ops is not None:
            self._warn_of_sources(script.upgrade_ops)
            self.enums.add_to(script.upgrade_ops, script.downgrade_ops)
        arguments = migration.opts["template_args"]
        arguments["tables"] = self._made_by(script)
        if script.upgrade_ops is not None and not _is_check(script):
            arguments["contracts"] = name_contracting(script.upgrade_ops)
            note_renames(script.upgrade_ops)
        if script.upgrade_ops is not None and script.upgrade_ops.is_empty() and not _is_check(script):
            context.config.print_stdout("No changes in the models: no revision is written.")
            directives.clear()

    # --- the tables -----------------------------------------------------------------------------

    def _merge(self) -> MetaData:
        """Copy the tables of all modules into one MetaData.

        There a foreign key to another base's table is found by its name, and tables are sorted
        by what they need.
        """
        merged = MetaData(naming_convention=NAMING_CONVENTION)
        found = {id(db.metadata): db.metadata}
        for module in self.installed:
            found |= {id(metadata): metadata for metadata in modules.metadatas(module)}
        for metadata in found.values():
            if metadata.info.get("bind_key") is not None:
                continue  # lies in another database
            for table in metadata.tables.values():
                if table.name in self.owners:
                    copied = table.to_metadata(merged)
                    # A revision would write out the `info` of a table, whatever objects it has.
                    copied.info = {} if inventory.is_migrated(table) else {"migrated": False}
                    make_plain(copied)
                else:
                    self.left_alone.add(table.name)
        return merged

    @cached_property
    def owners(self) -> dict[str, str]:
        """The label of the installed module, or ``core``, that declares each table."""
        return inventory.owners(self.installed, CORE_TABLES)

    @cached_property
    def recorded(self) -> dict[str, str]:
        """The label of the module of each table that a revision ever made."""
        found: dict[str, str] = {}
        for script in reversed(list(self.history.walk_revisions())):
            found |= getattr(script.module, "tables", {})
        return found

    def _former_owner(self, table: str) -> str | None:
        """Find whose table this was, which no installed module declares.

        Modules that are not installed are known from the revisions: without them ``api`` would
        seem to be the owner of ``api_keys_token``.
        """
        if table in self.recorded:
            return self.recorded[table]
        return inventory.longest_prefix(table, self.labels | set(self.recorded.values()))

    def _made_by(self, script: ops.MigrationScript) -> dict[str, str]:
        made = script.upgrade_ops.ops if script.upgrade_ops is not None else []
        names = [op.table_name for op in made if isinstance(op, ops.CreateTableOp)]
        return {name: self.owners[name] for name in names}

    # --- how a revision is written --------------------------------------------------------------

    def _declared(self, op: ops.AlterColumnOp) -> sa.Column[Any]:
        table = self.metadata.tables[f"{op.schema}.{op.table_name}" if op.schema else op.table_name]
        (column,) = (column for column in table.columns if column.name == op.column_name)
        return column

    def _leave_generated_columns(self, steps: ops.OpContainer) -> None:
        """Alter no generated column, which MariaDB cannot and which loses nothing when it is made again."""
        for table in steps.ops:
            if isinstance(table, ops.ModifyTableOps):
                table.ops = [op for op in table.ops if not self._is_generated(op)]
        steps.ops = [op for op in steps.ops if not (isinstance(op, ops.ModifyTableOps) and op.is_empty())]

    def _is_generated(self, op: ops.MigrateOperation) -> bool:
        if not isinstance(op, ops.AlterColumnOp) or self._declared(op).computed is None:
            return False
        if op.modify_type is not None:
            difference = f"it is {op.existing_type!r} in the database and {op.modify_type!r} in the model"
            defaults.warn_of_generated(f"{op.table_name}.{op.column_name}", difference)
        return True

    def _warn_of_sources(self, steps: ops.OpContainer) -> None:
        """Name the generated columns that read a column whose type changes: PostgreSQL refuses it."""
        for op in _every(steps):
            if isinstance(op, ops.AlterColumnOp) and op.modify_type is not None:
                for name in _generated_from(self._declared(op)):
                    logger.warning(READ_BY_GENERATED, op.table_name, op.column_name, name, name)

    def _describe_as_declared(self, steps: ops.OpContainer) -> None:
        """Say what stays as it is in an altered column: MariaDB repeats the whole column.

        It would be written as this engine reflects it, which another does not understand.
        """
        for op in _every(steps):
            if isinstance(op, ops.AlterColumnOp):
                column = self._declared(op)
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


def _names(ask: Callable[[], list[str]]) -> list[str]:
    try:
        return ask()
    except NotImplementedError:
        return []


def _every(steps: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    for op in steps.ops:
        if isinstance(op, ops.OpContainer):
            yield from _every(op)
        else:
            yield op


def _warn(steps: ops.OpContainer) -> None:
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


def _is_check(script: ops.MigrationScript) -> bool:
    """Distinguish ``alembic check``, which reads the empty revision, from one that would be written."""
    return script.message is None and not getattr(context.config.cmd_opts, "autogenerate", False)
