"""Positions of the code and the database in the history of migrations, without alembic.

It is read each second by monitors, and when a statement has failed: alembic alone would be a fifth
of a process. What ``alembic/versions`` says is read once; of the database it takes one question.
"""

import ast
import functools
import itertools
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

import config as deployment

from . import cursors
from . import drivers

#: The folder with ``alembic/``.
ROOT = deployment.ROOT

#: What brings the database to where the code is.
UPGRADE = "alembic upgrade head"

#: The same, without what earlier code would miss.
PREPARE = "flask prepare"

#: What runs what was held back, once no earlier code is left.
CONTRACT = "flask prepare --contract"

#: What joins two revisions that follow the same one, as after two branches of the code were merged.
MERGE = "alembic merge heads"


@dataclass(frozen=True)
class Revision:
    """The file of a revision.

    :param needs: the revisions that come before it
    :param contracts: whether it takes away what earlier code uses
    """

    needs: frozenset[str]
    contracts: bool


History = Mapping[str, Revision]


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
    """Measure the distance between the database and the code; no running transaction is touched.

    :raises sqlalchemy.exc.DBAPIError: if it does not answer
    """
    history = _history(ROOT / "alembic" / "versions")
    heads = tuple(sorted(history.keys() - frozenset().union(*(one.needs for one in history.values()))))
    applied = tuple(sorted(_applied()))
    unknown = tuple(one for one in applied if one not in history)
    if unknown or applied == heads:
        return Distance(heads, applied, unknown=unknown)
    done = set(_with_all_before(history, applied))
    waiting = [one for one in _with_all_before(history, heads) if one not in done]
    held = _held_back(history, waiting) if applied else []
    return Distance(heads, applied, tuple(waiting[: len(waiting) - len(held)]), held=tuple(held))


def _held_back(history: History, waiting: Sequence[str]) -> list[str]:
    """Return what `flask prepare` leaves for later; see :func:`core.migrations.held_back`."""
    return list(itertools.takewhile(lambda one: history[one].contracts, reversed(waiting)))[::-1]


def _applied() -> list[str]:
    try:
        return [str(row[0]) for row in cursors.read_tuples("SELECT version_num FROM alembic_version")]
    except DBAPIError as error:
        if drivers.is_behind(error):
            return []
        raise


def _with_all_before(history: History, revisions: Iterable[str]) -> Iterator[str]:
    """Yield revisions and all that they need, each after what it needs."""
    seen: set[str] = set()
    stack = [(one, False) for one in sorted(revisions, reverse=True)]
    while stack:
        one, is_ready = stack.pop()
        if is_ready:
            yield one
        elif one not in seen and one in history:
            seen.add(one)
            stack += [(one, True), *((needed, False) for needed in sorted(history[one].needs, reverse=True))]


# --- what the files say -------------------------------------------------------------------------

_NAMES = {"revision", "down_revision", "depends_on", "contracts"}


def _history(folder: Path) -> History:
    return _read_history(folder, folder.stat().st_mtime_ns if folder.is_dir() else 0)


@functools.lru_cache(maxsize=1)
def _read_history(folder: Path, changed_at: int) -> History:
    # When the folder was changed is only a part of the key: other files, another history.
    found: dict[str, Revision] = {}
    for path in sorted(folder.glob("*.py")):
        names = _constants(path.read_text(encoding="utf-8"))
        if "revision" in names:
            needed = {*_words(names.get("down_revision")), *_words(names.get("depends_on"))}
            found[str(names["revision"])] = Revision(frozenset(needed), names.get("contracts") is True)
    return found


def _constants(text: str) -> dict[str, Any]:
    """Return what a revision says of its place in the history."""
    found = {}
    for node in ast.parse(text).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) and target.id in _NAMES:
            found[target.id] = ast.literal_eval(node.value) if node.value else None
    return found


def _words(value: Any) -> Iterable[str]:
    return () if value is None else (value,) if isinstance(value, str) else value
