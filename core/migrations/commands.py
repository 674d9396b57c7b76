"""Migrating from within Python: what the alembic command does, and what it cannot tell."""

import functools
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy import Connection

import config as deployment

from .environment import find_url
from .environment import make_engine

#: The folder with ``alembic.ini`` and ``alembic/``.
ROOT = deployment.ROOT


def make_config(url: URL | str | None = None, installed_apps: Sequence[str] | None = None) -> Config:
    """Return what ``alembic.command`` needs.

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
        with make_engine(find_url(config)).connect() as connection:
            if not pending(connection):
                return
    command.upgrade(config, revision)


def downgrade(url: URL | str | None = None, revision: str = "-1", installed_apps: Sequence[str] | None = None) -> None:
    """Take the database back to this revision, by default by one."""
    command.downgrade(make_config(url, installed_apps), revision)


def pending(connection: Connection) -> list[str]:
    """Return the ids of the revisions that this database still needs, oldest first.

    :raises alembic.util.CommandError: if the database is at a revision that this code does not have
    """
    return waiting_after(applied(connection))


def waiting_after(applied: set[str]) -> list[str]:
    """Return the ids of the revisions that a database at these ones needs, oldest first.

    :raises alembic.util.CommandError: if this code does not have one of them
    """
    history = _history(ROOT, (ROOT / "alembic" / "versions").stat().st_mtime_ns)
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
    # Both are only the key of the cache: other files, another history.
    return ScriptDirectory.from_config(make_config())


def applied(connection: Connection) -> set[str]:
    """Return the revisions that this database is at: one, or none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))
