"""Figures of each minute of the last two days, for the plots.

The first request of a minute, in whichever process, writes a line for the minute before: what all processes of this
machine have counted since the line before that. So there is no thread, nothing is written while nothing happens, and
no database is asked, which is what one wants to see when that is away. It takes that request some 5 ms.

The lines are in the shared folder, a file for each day; a process that counts for itself remembers its own.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from pathlib import Path
from time import time

import orjson

from . import exposition
from . import sharing
from . import totals
from .totals import Totals

logger = logging.getLogger(__name__)

#: Days whose files are kept, besides today's.
DAYS = 2

_BASE = "minute.json"
_FILES = "minutes-????-??-??.jsonl"

#: A minute since 1970, and what came in it.
Minute = tuple[int, Totals]


class Minutes:
    """The minutes of one application, as this process sees them."""

    def __init__(self, environment: str) -> None:
        self._environment = environment
        self._last = 0
        self._base: tuple[int, Totals] | None = None
        self._kept: deque[Minute] = deque(maxlen=DAYS * 1440)

    def tick(self) -> None:
        """See to it that the minutes before this one are written; called before a request is counted."""
        minute = int(time() // 60)
        if minute == self._last:
            return
        self._last = minute
        try:
            self._write(minute)
        except Exception:
            # Any error: no request is to fail because it is measured.
            logger.exception("a minute could not be kept for the plots")

    def read(self, since: int) -> list[Minute]:
        """Return what is kept, the oldest first, and last what there is of the minute that goes on."""
        shared = sharing.state.folder
        now = totals.of(exposition.gather(self._environment))
        if shared is None:
            kept, base = list(self._kept), self._base
        else:
            with shared.locked():
                base = _base(shared.path)
            kept = list(_lines(shared.path, since))
        if base:
            # Another process may have written this very minute since.
            kept = [one for one in kept if one[0] < base[0]] + [(base[0], totals.between(base[1], now))]
        return [one for one in kept if one[0] >= since]

    def _write(self, minute: int) -> None:
        shared = sharing.state.folder
        now = totals.of(exposition.gather(self._environment))
        if shared is None:
            if self._base:
                self._kept.append((self._base[0], totals.between(self._base[1], now)))
            self._base = (minute, now)
            return
        with shared.locked():
            base = _base(shared.path)
            if base and base[0] >= minute:
                return
            if base:
                _append(shared.path, base[0], totals.between(base[1], now))
            _replace(shared.path / _BASE, orjson.dumps([minute, now]))


def _base(path: Path) -> Minute | None:
    """Return the minute that goes on, and what had been counted when it began."""
    try:
        minute, counted = orjson.loads((path / _BASE).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return minute, counted


def _append(path: Path, minute: int, record: Totals) -> None:
    day = datetime.fromtimestamp(minute * 60, UTC).date()
    file = path / f"minutes-{day}.jsonl"
    if not file.exists():
        for old in sorted(path.glob(_FILES))[:-DAYS]:
            old.unlink(missing_ok=True)
    with open(file, "ab") as lines:
        lines.write(orjson.dumps([minute, record]) + b"\n")


def _replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)


def _lines(path: Path, since: int) -> Iterator[Minute]:
    first = f"minutes-{datetime.fromtimestamp(since * 60, UTC).date()}.jsonl"
    for file in sorted(path.glob(_FILES)):
        if file.name < first:
            continue
        with open(file, "rb") as lines:
            for line in lines:
                try:
                    minute, record = orjson.loads(line)
                except ValueError:
                    # The disk was full, or the machine lost its power.
                    continue
                if minute >= since:
                    yield minute, record
