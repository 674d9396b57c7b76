"""The environment of Alembic's commands: revisions that are compared, written and run alike on each engine."""

import logging
import warnings
from collections.abc import Callable
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic import op
from alembic.operations import Operations
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo
from alembic.runtime.plugins import Plugin
from sqlalchemy import URL
from sqlalchemy import Connection

import core.migrations
from core.migrations.environment import is_written
from core.modules import Module

from . import corrections
from . import defaults
from . import enums
from . import expressions
from . import strays
from .contracting import name_contracting
from .contracting import note_renames
from .enums import Enums
from .enums import EnumTypes
from .enums import recorded_members
from .generated import make_portable
from .patience import patiently
from .rebuilds import batch_alter_table
from .spelling import compare_type
from .spelling import render_item

logger = logging.getLogger(__name__)

#: Comparisons that Alembic lacks.
PLUGIN = __name__
_plugin = Plugin(PLUGIN)
defaults.add_to(_plugin)
expressions.add_to(_plugin)
enums.add_to(_plugin)

NO_TABLE = (
    "%s is a view or a foreign table in the database, and is left alone. Say so in the model: "
    '__table_args__ = {"info": {"is_view": True}}'
)


class Environment(core.migrations.Environment):
    """Compares by meaning, writes plain SQLAlchemy, and runs it on each engine."""

    def __init__(self, url: URL, installed: Sequence[Module]) -> None:
        super().__init__(url, installed)
        self.enums = Enums()

    # --- comparison -----------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        return {
            **super().options(),
            "render_item": render_item,
            "compare_type": self.compare_type,
            "compare_server_default": True,
            "autogenerate_plugins": ["alembic.autogenerate.*", PLUGIN],
        }

    def include_object(self, item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        """Leave out views, and indexes over expressions that this engine cannot have or show."""
        if not super().include_object(item, name, kind, reflected, compare_to):
            return False
        if reflected:
            return True
        if kind == "index" and expressions.is_over_expression(item):
            return self._is_new(item, compare_to)
        if kind == "table" and compare_to is None and name in self.views:
            logger.warning(NO_TABLE, name)
            return False
        return True

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
            there = recorded_members(self.tables.history, declared_type.name)
        if not there:
            return None
        self.enums.compare(declared.table.name, declared, there)
        return False

    def _is_new(self, index: sa.Index, compare_to: Any) -> bool:
        """Return whether an index over an expression is to be made; SQLite's are compared elsewhere."""
        dialect = context.get_context().dialect
        if expressions.has_none(dialect):
            paths = [Path(one.path) for one in self.tables.history.walk_revisions()]
            return not expressions.is_mentioned(index, paths)
        return dialect.name == "postgresql" or compare_to is None

    @cached_property
    def views(self) -> set[str]:
        """The views of the database, and the tables that lie elsewhere."""
        found = sa.inspect(context.get_bind())
        views = {*found.get_view_names(), *_names(found.get_materialized_view_names)}
        return views | {*_names(getattr(found, "get_foreign_table_names", list))}

    def process_revision_directives(
        self, migration: MigrationContext, revision: Any, directives: list[ops.MigrationScript]
    ) -> None:
        """Correct what alembic proposes, and name what fails, contracts, or looks like a rename."""
        for stray in strays.find_strays(self.tables.installed):
            logger.warning("%s %s", stray.message, stray.hint)
        (script,) = directives
        if script.upgrade_ops is not None:
            corrections.warn(script.upgrade_ops)
        for steps in (script.upgrade_ops, script.downgrade_ops):
            if steps is not None:
                corrections.correct(steps, self.target_metadata)
        if script.upgrade_ops is not None:
            corrections.warn_of_sources(script.upgrade_ops, self.target_metadata)
            self.enums.add_to(script.upgrade_ops, script.downgrade_ops)
            if is_written(script):
                migration.opts["template_args"]["contracts"] = name_contracting(script.upgrade_ops)
                note_renames(script.upgrade_ops)
        super().process_revision_directives(migration, revision, directives)

    # --- running --------------------------------------------------------------------------------

    def configure(self, **options: Any) -> None:
        super().configure(**options)
        make_portable(context.get_context().dialect)
        expressions.leave_out(context.get_context().impl)

    def run(self, connection: Connection) -> None:
        """Run the revisions, again where a table is locked for a moment; what alters a table in a batch is ours."""
        self.enum_types = EnumTypes(connection)
        of_alembic = op.batch_alter_table
        with warnings.catch_warnings(), Operations.context(context.get_context()) as operations:
            # A revision says it for MariaDB, and runs on every engine.
            warnings.filterwarnings("ignore", "autoincrement and existing_autoincrement only make sense for MySQL")
            # SQLite's indexes are compared and carried over by their statements.
            warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")
            warnings.filterwarnings("ignore", "autogenerate skipping metadata-specified expression-based index")
            op.batch_alter_table = batch_alter_table(operations)
            try:
                patiently(connection, lambda: super(Environment, self).run(connection))
            finally:
                op.batch_alter_table = of_alembic

    def finish_revision(self, connection: Connection, step: MigrationInfo) -> None:
        super().finish_revision(connection, step)
        self.enum_types.drop_unused()


def _names(ask: Callable[[], list[str]]) -> list[str]:
    try:
        return ask()
    except NotImplementedError:
        return []
