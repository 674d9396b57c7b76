"""Migrating from within Python, with checks that the alembic command does not have."""

import functools
import itertools
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
from .heads import refuse_several_heads

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


def upgrade(
    url: URL | str | None = None,
    revision: str = "head",
    installed_apps: Sequence[str] | None = None,
    *,
    contract: bool = True,
) -> list[str]:
    """Bring the database to this revision; quick if it is there already.

    :param contract: whether head includes what :func:`held_back` names
    :return: the revisions that were held back
    """
    config = make_config(url, installed_apps)
    held: list[str] = []
    if revision in ("head", "heads"):
        with make_engine(find_url(config)).connect() as connection:
            waiting = pending(connection)
            held = [] if contract else held_back(connection)
        if len(waiting) == len(held):
            return held
        refuse_several_heads(_history(ROOT, (ROOT / "alembic" / "versions").stat().st_mtime_ns))
        revision = waiting[-len(held) - 1] if held else revision
    command.upgrade(config, revision)
    return held


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


def held_back(connection: Connection) -> list[str]:
    """Return the pending revisions that have to wait until no earlier code runs, oldest first.

    They take away what that code still uses, say ``contracts = True``, and end the history: one that others
    follow was due with the release before. An empty database has served no code, so nothing waits there.
    """
    history = _history(ROOT, (ROOT / "alembic" / "versions").stat().st_mtime_ns)
    waiting = pending(connection)
    if len(waiting) == len(list(history.walk_revisions())):
        return []

    def contracts(revision: str) -> bool:
        script = history.get_revision(revision)
        return script is not None and getattr(script.module, "contracts", False) is True

    return list(itertools.takewhile(contracts, reversed(waiting)))[::-1]


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
