"""The distance of the database from the code: the revisions that are applied, pending and held back.

This is the one answer, of the health check, ``flask prepare``, the doctor, and of what a failed statement means. The
history is Alembic's own reading of ``alembic/versions``, kept until a file of it changes. Alembic is imported when
that is first asked for: it is 8 MB of each process, and 85 ms of its start.
"""

import functools
import importlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

import config as deployment

from . import cursors
from . import drivers

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

#: The folder with ``alembic/``.
ROOT = deployment.ROOT

#: The command that brings the database to the code's revision.
UPGRADE = "alembic upgrade head"

#: The same, without what earlier code would miss.
PREPARE = "flask prepare"

#: The command that runs held-back revisions, once no earlier code is left.
CONTRACT = "flask prepare --contract"

#: The command that joins two revisions with the same parent, as after two branches of the code were merged.
MERGE = "alembic merge heads"


@dataclass(frozen=True)
class Distance:
    """Distance between the database and the code.

    :param heads: where the code is
    :param applied: where the database is; empty if no revision was ever run
    :param waiting: the revisions that the database needs, as far as they are known, oldest first
    :param unknown: where the database is that this code knows nothing of: newer code has brought it there
    :param held: revisions that this code can do without until no earlier code runs any more, oldest first
    """

    heads: tuple[str, ...]
    applied: tuple[str, ...]
    waiting: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[str, ...]:
        """Return all revisions that are not applied, oldest first."""
        return self.waiting + self.held

    @property
    def is_none(self) -> bool:
        """Return whether code and database go together."""
        return not self.waiting and not self.unknown

    @property
    def is_behind(self) -> bool:
        """Return whether the database needs revisions that this code has."""
        return bool(self.waiting) and not self.unknown and not self.is_forked

    @property
    def is_forked(self) -> bool:
        """Return whether the history has several heads: alembic upgrades to none of them."""
        return len(self.heads) > 1

    def __str__(self) -> str:
        """Return the distance in a sentence."""
        if self.unknown:
            return f"The database is at revision {', '.join(self.unknown)}, which alembic/versions does not have."
        if self.is_forked:
            return describe_heads(self.heads)
        if not self.waiting and self.held:
            return f"Held back until no earlier code runs any more: {', '.join(self.held)}."
        if not self.waiting:
            return "The database is at the newest revision."
        count = len(self.waiting)
        return f"{count} revision{' is' if count == 1 else 's are'} not run: {', '.join(self.waiting)}."

    @property
    def hint(self) -> str:
        """Return the exact command, for operators; empty if there is nothing to do."""
        if self.unknown:
            back = " ".join(self.heads) or "base"
            return f"Deploy the code that brought it there, or take it back with that code: alembic downgrade {back}"
        if self.is_forked:
            return f"{MERGE}; then {UPGRADE}"
        if self.waiting:
            return PREPARE if self.held else UPGRADE
        return CONTRACT if self.held else ""


def describe_heads(heads: Iterable[str]) -> str:
    """Return in a sentence that the history has several heads."""
    return f"The history has several heads, {' and '.join(sorted(heads))}: more than one revision follows the same one."


def measure() -> Distance:
    """Return how far the database is from the code, by one question outside of any transaction.

    :raises sqlalchemy.exc.DBAPIError: if it does not answer
    """
    return distance_from(_applied())


def distance_from(applied: Iterable[str]) -> Distance:
    """Return how far a database at these revisions is from the code."""
    found = history()
    heads, places = tuple(sorted(found.get_heads())), tuple(sorted(applied))
    if places == heads:
        return Distance(heads, places)
    revisions = [*found.walk_revisions()][::-1]
    known = {one.revision for one in revisions}
    unknown = tuple(one for one in places if one not in known)
    if unknown:
        return Distance(heads, places, unknown=unknown)
    done = {one.revision for one in found.iterate_revisions(places, "base")} if places else set()
    pending = [one for one in revisions if one.revision not in done]
    # Revisions that remove what earlier code uses wait at the end of the history. An empty database has served no code.
    last = itertools.takewhile(lambda one: getattr(one.module, "contracts", False) is True, reversed(pending))
    count = len(pending) - (len([*last]) if places else 0)
    ids = tuple(one.revision for one in pending)
    return Distance(heads, places, ids[:count], held=ids[count:])


def history() -> "ScriptDirectory":
    """Return the history of ``alembic/versions``, read again where a file was added or removed."""
    folder = ROOT / "alembic" / "versions"
    return _read_history(ROOT, folder.stat().st_mtime_ns if folder.is_dir() else 0)


@functools.lru_cache(maxsize=1)
def _read_history(root: Path, changed_at: int) -> "ScriptDirectory":
    # When the folder was changed is only a part of the key: other files, another history.
    script = importlib.import_module("alembic.script")
    found: ScriptDirectory = script.ScriptDirectory(str(root / "alembic"))
    return found


def _applied() -> list[str]:
    try:
        return [str(row[0]) for row in cursors.read_tuples("SELECT version_num FROM alembic_version")]
    except DBAPIError as error:
        if drivers.is_behind(error):
            return []
        raise
