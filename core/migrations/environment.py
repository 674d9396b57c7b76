"""One command of alembic on one database: what ``alembic/env.py`` is written with."""

import logging
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic import context
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy.pool import NullPool

import config as deployment
import services
import settings

from .. import modules
from ..configuration import ConfigError
from ..data import engines
from ..data import guards
from ..data import inventory
from ..modules import Module
from ..signals import migrated
from . import locks
from .tables import Tables

logger = logging.getLogger("core.migrations")


class Environment:
    """One command of alembic on one database.

    A module changes it by a class ``Environment`` in its ``migrations.py``, which inherits from this one.
    """

    def __init__(self, url: URL, installed: Sequence[Module]) -> None:
        self.url = url
        self.tables = Tables(installed, context.script)
        #: The tables of all installed modules.
        self.target_metadata = self.tables.metadata

    # --- comparison -----------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        """Return the arguments for ``context.configure`` that every command has."""
        return {
            "target_metadata": self.target_metadata,
            "include_name": self.include_name,
            "include_object": self.include_object,
            "render_as_batch": True,
            "process_revision_directives": self.process_revision_directives,
            "transaction_per_migration": True,
            # Alembic takes SQLite for one without transactions around DDL; engines.tune makes it begin them.
            "transactional_ddl": True if self.url.get_backend_name() == "sqlite" else None,
        }

    def include_name(self, name: str | None, kind: str, parents: Any) -> bool:
        """Return whether this table of the database is ours to compare."""
        return kind != "table" or name is None or self.tables.is_ours(name)

    def include_object(self, item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
        """Return whether this table, column or index is to be compared."""
        return kind != "table" or reflected or inventory.is_migrated(item)

    def process_revision_directives(
        self, migration: MigrationContext, revision: Any, directives: list[ops.MigrationScript]
    ) -> None:
        """Name what was left alone, note the modules of new tables, and write no revision if there is nothing to do."""
        if self.tables.left_alone:
            names = ", ".join(sorted(self.tables.left_alone))
            logger.warning("Left alone, because no installed module has them: %s", names)
        (script,) = directives
        steps = script.upgrade_ops.ops if script.upgrade_ops is not None else []
        made = [step.table_name for step in steps if isinstance(step, ops.CreateTableOp)]
        migration.opts["template_args"]["tables"] = {name: self.tables.owners[name] for name in made}
        if is_written(script) and script.upgrade_ops is not None and script.upgrade_ops.is_empty():
            context.config.print_stdout("No changes in the models: no revision is written.")
            directives.clear()

    # --- running --------------------------------------------------------------------------------

    def configure(self, **options: Any) -> None:
        """Call ``context.configure`` with these options and those of every command."""
        context.configure(**self.options(), **options)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection while no other migration runs on this database."""
        _guard(context.config, self.url)
        with locks.exclusive(make_engine(self.url)) as connection:
            yield connection

    def run_migrations(self, connection: Connection) -> None:
        """Run the revisions, and send the signal ``migrated``."""
        ran: list[str] = []

        def on_version_apply(ctx: MigrationContext, step: MigrationInfo, heads: Any, run_args: Any) -> None:
            self.finish_revision(connection, step)
            if not step.is_stamp:
                ran.extend(step.up_revision_ids)

        self.configure(connection=connection, on_version_apply=on_version_apply)
        self.run(connection)
        if ran:
            migrated.send(None, revisions=ran)

    def run(self, connection: Connection) -> None:
        """Run the revisions of this command, or compare the database with the models."""
        context.run_migrations()

    def finish_revision(self, connection: Connection, step: MigrationInfo) -> None:
        """Undo the revision if it leaves rows that point nowhere: SQLite's keys are off meanwhile."""
        if connection.dialect.name != "sqlite":
            return
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            places = ", ".join(sorted({f"{row[0]!r} to {row[2]!r}" for row in broken}))
            raise CommandError(
                f"Revision {step.up_revision_id} leaves {len(broken)} rows whose foreign key points to no row, "
                f"from {places}: it was undone. Repair or delete these rows first (PRAGMA foreign_key_check lists "
                "them)."
            )


def make_environment() -> Environment:
    """Return the environment of this command: the core's, with what the installed modules add to it.

    :raises alembic.util.CommandError: if the deployment cannot be read, or a module cannot be loaded
    """
    config = context.config
    try:
        url = find_url(config)
        if config.cmd_opts is not None and "url" not in config.attributes:
            _start_logging()
        installed = modules.load(config.attributes.get("installed_apps", settings.INSTALLED_APPS))
    except (ConfigError, modules.ModuleError) as error:
        raise CommandError(str(error)) from error
    added = [file.Environment for module in installed if (file := module.file("migrations")) is not None]
    cls = type("Environment", (*reversed(added), Environment), {})
    found: Environment = cls(url, installed)
    return found


def is_written(script: ops.MigrationScript) -> bool:
    """Return whether a revision is to be written; ``alembic check`` only compares."""
    return script.message is not None or bool(getattr(context.config.cmd_opts, "autogenerate", False))


def _guard(config: Config, url: URL) -> None:
    """Let the command take a production database back only if it is named: tables go with their rows."""
    if config.cmd_opts is None or config.cmd_opts.cmd[0] is not command.downgrade:
        return
    named = context.get_x_argument(as_dictionary=True).get("database")
    environment = config.attributes.get("environment") or deployment.load()["APP_ENV"]
    refusal = guards.refuse(url, str(named) if named else None, "-x database=NAME", environment)
    if refusal:
        raise CommandError(refusal)


def make_engine(url: URL) -> Engine:
    """Make the engine for one run: no pool, and SQLite's foreign keys off."""
    if url.get_backend_name() == "sqlite":
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, poolclass=NullPool)
    else:
        engine = sa.create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10})
    engines.tune(engine, foreign_keys=False)
    return engine


def find_url(config: Config) -> URL:
    """Return the database that a configuration of this project is for."""
    url = config.attributes.get("url")
    return sa.make_url(deployment.load()["SQLALCHEMY_DATABASE_URI"] if url is None else url)


def _start_logging() -> None:
    loaded = deployment.load()
    services.configure_logging(loaded["LOG_LEVEL"], loaded["LOG_FORMAT"])
