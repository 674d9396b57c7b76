"""Connections that cannot write any more are given up.

SQLite opens a file that it may not write for reading, without a word, and keeps a file that was replaced under it. A
server that takes no writes for a moment, while another takes over, may keep a connection read-only for good. So a
connection that answers so is closed with all others of its pool, and the next statement gets a new one.
"""

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any
from typing import cast

from flask import Flask
from flask.blueprints import BlueprintSetupState
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

from core.data import drivers
from core.data.writability import may_write
from core.data.writability import sqlite_file
from core.data.writability import unwritable
from services import db


def install(state: BlueprintSetupState) -> None:
    """Give up the connections of this application's engines that cannot write."""
    with cast(Flask, state.app).app_context():
        for engine in db.engines.values():
            _give_up(engine)
            path = sqlite_file(engine)
            if path is not None:
                _follow(engine, path)


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
        record.info["reads_only"] = not may_write(path)

    @event.listens_for(engine, "checkout")
    def follow(connection: Any, record: Any, proxy: Any) -> None:
        is_other = record.info["file"] != _file_id(path)
        if is_other or (record.info["reads_only"] and may_write(path)):
            raise InvalidatePoolError

    @event.listens_for(engine, "invalidate")
    def close_others(connection: Any, record: Any, error: Any) -> None:
        # The files beside it are opened once in a process: one connection that only reads keeps others from writing.
        engine.pool.dispose()


def _mend(path: Path) -> None:
    """Make the files beside the database writable again that this process made while it was read-only.

    SQLite gives it the mode of the file.
    """
    if path.exists() and may_write(path):
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
