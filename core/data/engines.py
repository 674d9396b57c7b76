"""The engines of an application: how each connection is set, tried before use, and left to the process that made it."""

import logging
import os
import time
import weakref
from typing import Any

from flask import Flask
from flask import has_request_context
from flask import request
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import InvalidatePoolError

from services import db

#: A connection that was idle for more seconds is tried before use. Under load none is idle for so long,
#: and the round trip is saved; HikariCP does the same (aliveBypassWindowMs).
PING_AFTER_SECONDS = 1.0

_engines: "weakref.WeakSet[Engine]" = weakref.WeakSet()


def init_app(app: Flask) -> None:
    """Tune the engines of this application, and end each request's session."""
    # Runs before Flask-SQLAlchemy's own, which then finds nothing to do.
    app.teardown_appcontext(_close_session)
    with app.app_context():
        for engine in db.engines.values():
            tune(engine)


def _close_session(error: BaseException | None) -> None:
    """End the request's session. A connection that died meanwhile does not change the answer."""
    try:
        db.session.remove()
    except DBAPIError as lost:
        logging.getLogger(__name__).warning("a session could not be closed: %s", str(lost.orig).splitlines()[0])
        db.session.registry.clear()


def tune(engine: Engine, *, foreign_keys: bool = True) -> None:
    """Set what each new connection of this engine needs to be safe.

    :param foreign_keys: off only while SQLite's tables are rebuilt by a migration
    """
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, foreign_keys)
    else:
        _tune_server(engine)


def close(app: Flask, process: int) -> None:
    """Close the idle connections of an application, in this process only: one that was forked has not made them.

    SQLite then merges its ``-wal`` file into the database.
    """
    if os.getpid() == process:
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()


def _tune_server(engine: Engine) -> None:
    _ping_before_use(engine)
    _engines.add(engine)
    # A lock is waited for as long as a connection; without a pool, 5 seconds.
    seconds = int(engine.pool.timeout()) if hasattr(engine.pool, "timeout") else 5
    if engine.dialect.name == "postgresql":
        statement = f"SET timezone = 'UTC'; SET lock_timeout = '{seconds}s'"
    else:
        statement = f"SET time_zone = '+00:00', innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"

    @event.listens_for(engine, "connect")
    def set_session(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()


def _tune_sqlite(engine: Engine, foreign_keys: bool) -> None:
    """Make SQLite's transactions real ones.

    Python's driver sends no BEGIN before a SELECT, so that a read and the write that follows from
    it are not one transaction: with its defaults four processes lost 105 of 600 updates without
    an error. Transactions begin IMMEDIATE and wait for their turn. In a request that only reads they
    begin DEFERRED and do not wait for a writer; such a request must not write (a write after another
    process's commit would fail at once).
    """
    pragmas = (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("lower_unicode", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        reads = has_request_context() and request.method in ("GET", "HEAD", "OPTIONS")
        connection.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")


def _lower(text: Any) -> Any:
    """Lower a text letter by letter, as servers do; SQLite's own ``lower`` knows those of ASCII only."""
    if not isinstance(text, str):
        return text
    return text.lower() if text.isascii() else "".join(map(str.lower, text))


def _ping_before_use(engine: Engine) -> None:
    @event.listens_for(engine, "checkin")
    def note_idle(connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: Any, proxy: Any) -> None:
        since = record.info.get("idle_since")
        if since is None or time.monotonic() - since < PING_AFTER_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def _forget_connections() -> None:
    """Leave the connections of the parent process to it.

    Two processes on one connection read each other's answers: 594 of 1,842 requests failed under
    ``gunicorn --preload`` without this.
    """
    for engine in list(_engines):
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_connections)
