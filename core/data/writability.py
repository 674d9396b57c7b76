"""Connections that cannot write any more are given up, and say why.

SQLite opens a file that it may not write for reading, without a word, and keeps a file that was replaced under it. A
server that takes no writes for a moment, while another takes over, may keep a connection read-only for good. So a
connection that answers so is closed with all others of its pool, and the next statement gets a new one.
"""

import os
import pwd
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

from services import db

from . import drivers

#: What SQLite keeps beside its file.
BESIDE = ("", "-wal", "-shm", "-journal")

_EFFECTIVE = os.access in os.supports_effective_ids


def init_app(app: Flask) -> None:
    """Give up the connections of this application's engines that cannot write."""
    with app.app_context():
        for engine in db.engines.values():
            _give_up(engine)
            path = sqlite_file(engine)
            if path is not None:
                _follow(engine, path)


def sqlite_file(engine: Engine) -> Path | None:
    """Return the file of an SQLite database; ``None`` for one in memory, and for other engines."""
    name = engine.url.database or ":memory:"
    return Path(name) if engine.dialect.name == "sqlite" and not name.startswith((":memory:", "file:")) else None


def _give_up(engine: Engine) -> None:
    dialect: Any = engine.dialect
    is_disconnect = dialect.is_disconnect

    def is_over(error: Any, connection: Any, cursor: Any) -> bool:
        return drivers.is_stuck(error) or bool(is_disconnect(error, connection, cursor))

    dialect.is_disconnect = is_over


def _follow(engine: Engine, path: Path) -> None:
    """Use no connection to a file that is not there any more, nor one to read only that could write by now."""
    was_opened = Event()

    @event.listens_for(engine, "do_connect")
    def keep(dialect: Any, record: Any, args: Any, options: Any) -> None:
        # SQLite would make an empty file while another is being put in its place.
        if was_opened.is_set() and not path.exists():
            missing = sqlite3.OperationalError(f"unable to open database file: {path} is not there")
            missing.sqlite_errorname = "SQLITE_CANTOPEN"
            raise missing
        _mend(path)

    @event.listens_for(engine, "connect")
    def note(connection: Any, record: Any) -> None:
        was_opened.set()
        record.info["file"] = _file_id(path)
        record.info["reads_only"] = not _may_write(path)

    @event.listens_for(engine, "checkout")
    def follow(connection: Any, record: Any, proxy: Any) -> None:
        is_other = record.info["file"] != _file_id(path)
        if is_other or (record.info["reads_only"] and _may_write(path)):
            raise InvalidatePoolError

    @event.listens_for(engine, "invalidate")
    def close_others(connection: Any, record: Any, error: Any) -> None:
        # What is beside the file is opened once in a process: one connection that only reads keeps others from writing.
        engine.pool.dispose()


def _mend(path: Path) -> None:
    """Make the files beside the database writable again that this process made while it was read-only.

    SQLite gives it the mode of the file.
    """
    if path.exists() and _may_write(path):
        for place in unwritable(path):
            if place != path.parent and place.stat().st_uid == os.geteuid():
                with suppress(OSError):
                    place.chmod(stat.S_IMODE(path.stat().st_mode))


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _may_write(path: Path) -> bool:
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
    return [place for place in places if place.exists() and not _may_write(place)]


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
