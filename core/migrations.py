"""Migrations over modules: one history for the project, in ``alembic/versions``.

``alembic/env.py`` runs :func:`run`; the other functions do the same from within Python. What
autogenerate may touch and how it is written down is in :mod:`core.autogenerate`, how two
migrations keep out of each other's way in :mod:`core.locks`.
"""

import functools
import logging
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic import context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo
from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy.pool import NullPool

import config as deployment
import services
import settings

from . import locks
from . import modules
from .autogenerate import Autogenerate
from .signals import migrated

#: The folder with ``alembic.ini`` and ``alembic/``.
ROOT = deployment.ROOT


def make_config(url: URL | str | None = None, installed_apps: Sequence[str] | None = None) -> Config:
    """Give what ``alembic.command`` needs.

    :param url: the database; by default the deployment's
    :param installed_apps: dotted names of modules; by default those of ``settings.py``
    """
    config = Config(ROOT / "alembic.ini")
    # It is for the command. Here everything can be imported already, and sys.path would grow each time.
    config.remove_main_option("prepend_sys_path")
    if url is not None:
        config.attributes["url"] = url
    if installed_apps is not None:
        config.attributes["installed_apps"] = installed_apps
    return config


def upgrade(url: URL | str | None = None, revision: str = "head", installed_apps: Sequence[str] | None = None) -> None:
    """Bring the database to this revision; quick if it is there already."""
    config = make_config(url, installed_apps)
    if revision in ("head", "heads"):
        with _engine(_url(config)).connect() as connection:
            if not pending(connection):
                return
    command.upgrade(config, revision)


def downgrade(url: URL | str | None = None, revision: str = "-1", installed_apps: Sequence[str] | None = None) -> None:
    """Take the database back to this revision, by default by one."""
    command.downgrade(make_config(url, installed_apps), revision)


def pending(connection: Connection) -> list[str]:
    """Give the ids of the revisions that this database still needs, oldest first.

    :raises alembic.util.CommandError: if the database is at a revision that this code does not have
    """
    history = _history(ROOT, (ROOT / "alembic" / "versions").stat().st_mtime_ns)
    applied = _applied(connection)
    if applied == set(history.get_heads()):
        return []
    done = {script.revision for script in _until(history, applied)}
    return [script.revision for script in history.walk_revisions() if script.revision not in done][::-1]


def _until(history: ScriptDirectory, applied: set[str]) -> Iterator[Script]:
    try:
        yield from history.iterate_revisions(tuple(applied), "base")
    except ResolutionError as error:
        raise CommandError(
            f"The database is at revision {', '.join(sorted(applied))}, which alembic/versions does not have: "
            "run the code that brought it there, or take the database back with that code first."
        ) from error


@functools.lru_cache(maxsize=1)
def _history(root: Path, changed_at: int) -> ScriptDirectory:
    return ScriptDirectory.from_config(make_config())


def _applied(connection: Connection) -> set[str]:
    if not sa.inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))


# --- what alembic/env.py runs -------------------------------------------------------------------


def run() -> None:
    """Do what the alembic command asks for; called by ``alembic/env.py``.

    :raises alembic.util.CommandError: what is wrong, which the command shows without a traceback
    """
    config = context.config
    try:
        url = _url(config)
        if config.cmd_opts is not None:
            _start_logging()
        names = config.attributes.get("installed_apps", settings.INSTALLED_APPS)
        autogenerate = Autogenerate(modules.load(names), context.script)
    except (deployment.ConfigError, modules.ModuleError) as error:
        raise CommandError(str(error)) from error
    options = {
        **autogenerate.options(),
        "transaction_per_migration": True,
        # Alembic knows that SQLite's driver begins no transaction for DDL; services.tune makes it begin one.
        "transactional_ddl": True if url.get_backend_name() == "sqlite" else None,
    }
    if context.is_offline_mode():
        _run_offline(url, options)
    else:
        _run_online(_engine(url), options)


def _run_offline(url: URL, options: dict[str, Any]) -> None:
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **options)
    with context.begin_transaction():
        context.run_migrations()


def _run_online(engine: Engine, options: dict[str, Any]) -> None:
    ran: list[str] = []

    def note(ctx: MigrationContext, step: MigrationInfo, heads: Any, run_args: Any) -> None:
        _check_foreign_keys(ctx, step)
        enum_types.drop_unused()
        if not step.is_stamp:
            ran.extend(step.up_revision_ids)

    with locks.exclusive(engine) as connection:
        enum_types = _EnumTypes(connection)
        context.configure(connection=connection, on_version_apply=note, **options)
        locks.patiently(connection, context.run_migrations)
    if ran:
        migrated.send(None, revisions=ran)


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


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, poolclass=NullPool)
    else:
        engine = sa.create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10})
    services.tune(engine, foreign_keys=False)
    return engine


def _url(config: Config) -> URL:
    url = config.attributes.get("url")
    return sa.make_url(deployment.load()["SQLALCHEMY_DATABASE_URI"] if url is None else url)


def _start_logging() -> None:
    loaded = deployment.load()
    services.configure_logging(loaded["LOG_LEVEL"], loaded["LOG_FORMAT"])
    # Six lines each time, that say nothing about this database.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
