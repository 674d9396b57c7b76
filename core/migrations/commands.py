"""Migrating from within Python, as the alembic command does it."""

import logging
import sys
from collections.abc import Sequence

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy import Connection

from ..data import revisions
from ..data.revisions import Distance
from .environment import find_url
from .environment import make_engine
from .heads import refuse_several_heads


def make_config(url: URL | str | None = None, installed_apps: Sequence[str] | None = None) -> Config:
    """Return what ``alembic.command`` needs.

    :param url: the database; by default the deployment's
    :param installed_apps: dotted names of modules; by default those of ``settings.py``
    """
    # Alembic's default is the standard output of the moment at which it was imported.
    config = Config(revisions.ROOT / "alembic.ini", stdout=sys.stdout)
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

    :param contract: whether head includes what is held back until no earlier code runs
    :return: the revisions that were held back
    """
    config = make_config(url, installed_apps)
    held: list[str] = []
    if revision in ("head", "heads"):
        with make_engine(find_url(config)).connect() as connection:
            found = distance(connection)
        if found.unknown:
            raise CommandError(f"{found} {found.hint}")
        held = [] if contract else [*found.held]
        if len(found.pending) == len(held):
            return held
        refuse_several_heads(revisions.history())
        revision = found.waiting[-1] if held else revision
    command.upgrade(config, revision)
    return held


def downgrade(url: URL | str | None = None, revision: str = "-1", installed_apps: Sequence[str] | None = None) -> None:
    """Take the database back to this revision, by default by one."""
    command.downgrade(make_config(url, installed_apps), revision)


def distance(connection: Connection) -> Distance:
    """Return how far this database is from the code, as a transaction that may be open sees it."""
    return revisions.distance_from(applied(connection))


def applied(connection: Connection) -> set[str]:
    """Return the revisions that this database is at: one, or none."""
    log = logging.getLogger("alembic.runtime.migration")
    # Each context of a migration logs lines about itself.
    log.disabled = True
    try:
        return set(MigrationContext.configure(connection).get_current_heads())
    finally:
        log.disabled = False
