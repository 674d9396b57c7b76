"""One command of alembic on one database, safely."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic import context
from alembic import op
from alembic.config import Config
from alembic.operations import Operations
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
from ..signals import migrated
from . import heads
from . import locks
from .autogenerate import Autogenerate
from .expressions import leave_out
from .generated import make_portable
from .rebuilds import batch_alter_table


class Environment:
    """One command of alembic on one database: what ``alembic/env.py`` is written with.

    :raises alembic.util.CommandError: if the deployment cannot be read, or a module cannot be loaded
    """

    def __init__(self) -> None:
        self.config = context.config
        try:
            self.url = find_url(self.config)
            if self.config.cmd_opts is not None and "url" not in self.config.attributes:
                _start_logging()
            names = self.config.attributes.get("installed_apps", settings.INSTALLED_APPS)
            self._autogenerate = Autogenerate(modules.load(names), context.script)
        except (ConfigError, modules.ModuleError) as error:
            raise CommandError(str(error)) from error
        #: The tables of all installed modules.
        self.target_metadata = self._autogenerate.metadata

    def needs_migrations(self) -> bool:
        """Return whether the command runs or compares revisions; the others are answered here, without a database."""
        if heads.is_history(self.config):
            heads.list_history(self.url)
            return False
        return not heads.is_ready(self.url, context.script)

    def configure(self, **options: Any) -> None:
        """Call ``context.configure`` with these options and those of every command."""
        context.configure(
            **self._autogenerate.options(),
            transaction_per_migration=True,
            # Alembic takes SQLite for one without transactions around DDL; engines.tune makes it begin them.
            transactional_ddl=True if self.url.get_backend_name() == "sqlite" else None,
            **options,
        )
        make_portable(context.get_context().dialect)
        leave_out(context.get_context().impl)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection while no other migration runs on this database."""
        _guard(self.config, self.url)
        with locks.exclusive(make_engine(self.url)) as connection:
            yield connection

    def run_migrations(self, connection: Connection) -> None:
        """Run the revisions, again where a table is locked for a moment, and send the signal ``migrated``."""
        ran: list[str] = []
        enum_types = _EnumTypes(connection)

        def on_version_apply(ctx: MigrationContext, step: MigrationInfo, heads: Any, run_args: Any) -> None:
            _check_foreign_keys(ctx, step)
            enum_types.drop_unused()
            if not step.is_stamp:
                ran.extend(step.up_revision_ids)

        self.configure(connection=connection, on_version_apply=on_version_apply)
        locks.patiently(connection, _migrate)
        if ran:
            migrated.send(None, revisions=ran)


def _guard(config: Config, url: URL) -> None:
    """Let the command take a production database back only if it is named: tables go with their rows."""
    if config.cmd_opts is None or config.cmd_opts.cmd[0] is not command.downgrade:
        return
    named = context.get_x_argument(as_dictionary=True).get("database")
    environment = config.attributes.get("environment") or deployment.load()["APP_ENV"]
    refusal = guards.refuse(url, str(named) if named else None, "-x database=NAME", environment)
    if refusal:
        raise CommandError(refusal)


def _migrate() -> None:
    """Run the revisions; what alters a table in a batch is ours."""
    with warnings.catch_warnings(), Operations.context(context.get_context()) as operations:
        # A revision says it for MariaDB, and runs on every engine.
        warnings.filterwarnings("ignore", "autoincrement and existing_autoincrement only make sense for MySQL")
        # SQLite's indexes are compared and carried over by their statements.
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")
        warnings.filterwarnings("ignore", "autogenerate skipping metadata-specified expression-based index")
        op.batch_alter_table = batch_alter_table(operations)
        context.get_context().run_migrations()


def _check_foreign_keys(ctx: MigrationContext, step: MigrationInfo) -> None:
    """Undo the revision if it leaves rows that point nowhere: SQLite's keys are off meanwhile."""
    if ctx.dialect.name != "sqlite" or ctx.connection is None:
        return
    broken = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        places = ", ".join(sorted({f"{row[0]!r} to {row[2]!r}" for row in broken}))
        raise CommandError(
            f"Revision {step.up_revision_id} leaves {len(broken)} rows whose foreign key points to no row, "
            f"from {places}: it was undone. Repair or delete these rows first (PRAGMA foreign_key_check lists them)."
        )


_USED_ENUM_TYPES = sa.text("""
    SELECT DISTINCT type.oid::regtype::text
    FROM pg_type type JOIN pg_depend depend ON depend.refobjid IN (type.oid, type.typarray)
    WHERE type.typtype = 'e' AND type.typnamespace = current_schema()::regnamespace
    AND depend.refclassid = 'pg_type'::regclass AND depend.deptype = 'n'
""")


class _EnumTypes:
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
