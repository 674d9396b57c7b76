"""The state of a database that takes no writes, and the reason."""

import os
import pwd
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

#: Files that SQLite keeps beside the database.
BESIDE = ("", "-wal", "-shm", "-journal")

_EFFECTIVE = os.access in os.supports_effective_ids


def sqlite_file(engine: Engine) -> Path | None:
    """Return the file of an SQLite database; ``None`` for one in memory, and for other engines."""
    name = engine.url.database or ":memory:"
    return Path(name) if engine.dialect.name == "sqlite" and not name.startswith((":memory:", "file:")) else None


def may_write(path: Path) -> bool:
    """Return whether this process may write a file."""
    return os.access(path, os.W_OK, effective_ids=_EFFECTIVE)


# --- whether ------------------------------------------------------------------------------------


def try_to_write(engine: Engine, column: sa.Column[Any]) -> None:
    """Write nothing, in a transaction that could write: cheap on every engine, and never waits for a lock.

    :param column: that is changed in no row
    :raises sqlalchemy.exc.DBAPIError: if the database takes no writes
    """
    path = sqlite_file(engine)
    if path is None:
        with engine.begin() as connection:
            connection.execute(sa.update(column.table).values({column: column}).where(sa.false()))
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=0, uri=True)) as file:
        try:
            file.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname not in ("SQLITE_BUSY", "SQLITE_LOCKED"):
                raise
        file.rollback()


# --- why ----------------------------------------------------------------------------------------


def unwritable(path: Path) -> list[Path]:
    """Return what this process must write for an SQLite database, and may not."""
    places = [path.with_name(path.name + ending) for ending in BESIDE] + [path.parent]
    return [place for place in places if place.exists() and not may_write(place)]


def explain(engine: Engine) -> str:
    """Return why a database takes no writes, and what to do."""
    path = sqlite_file(engine)
    if path is None:
        return "The server takes no writes: it is a standby, or set to read_only. Point DATABASE_URL to the primary."
    if not path.exists():
        return f"{path} is not there: put the database back."
    places = unwritable(path)
    if not places:
        return f"{path} was replaced or could not be written; it can be now, and is opened again."
    return " ".join([*map(_owned, places), *_cures(path, places)])


def _owned(place: Path) -> str:
    found = place.stat()
    mode = stat.S_IMODE(found.st_mode)
    return f"{place} cannot be written: it belongs to {_user(found.st_uid)} and has the mode {mode:04o}."


def _cures(path: Path, places: list[Path]) -> Iterator[str]:
    user = os.geteuid()
    yield f"This process is {_user(user)}."
    if os.statvfs(places[0]).f_flag & os.ST_RDONLY:
        yield "The disk is mounted to be read only: mount it to be written."
    elif any(place.stat().st_uid != user for place in places):
        yield f"Give it the files: chown {_user(user)} {path.parent} {path}*"
    else:
        yield f"Let it write: chmod u+w {' '.join(map(str, places))}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
