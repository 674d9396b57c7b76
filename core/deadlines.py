"""A request waits for a statement only so long, also where the database is there and says nothing.

A database that is stopped, swapped out or behind a network that swallows packets refuses nothing: its
machine acknowledges what is sent, so that TCP's own time limits do not strike, and a limit that the
server keeps (``statement_timeout``) does not either. So the limit is kept here, where the driver waits.
It holds for requests; commands may take as long as they need.

After it has passed nobody knows whether the statement still takes effect: the connection is closed, the
request gets 503, and what must not happen twice carries an ``Idempotency-Key``.
"""

import threading
from typing import Any

from flask import Flask
from flask import has_request_context
from sqlalchemy import Engine
from sqlalchemy import event

from services import db

#: Seconds that a connection may take to say that it is still there; see ``PING_AFTER_SECONDS`` in services.py.
PING_SECONDS = 2.0

#: Seconds that a new connection may take, where none are set.
CONNECT_SECONDS = 5

#: PostgreSQL asks so often whether who has sent a statement still waits for it.
_STOP_WORK_FOR_NOBODY = "SET client_connection_check_interval = '2s'"
_KNOWS_NOBODY_SINCE = 140000


def init_app(app: Flask) -> None:
    """Hold the statements of this application's requests to ``DATABASE_STATEMENT_SECONDS``; 0 is for ever."""
    seconds = app.config.get("DATABASE_STATEMENT_SECONDS", 0)
    with app.app_context():
        for engine in db.engines.values():
            if seconds and engine.dialect.name != "sqlite":
                _limit(engine, float(seconds))


def _limit(engine: Engine, seconds: float) -> None:
    if engine.dialect.driver == "psycopg":
        connect, patience = _limit_psycopg(engine.dialect.loaded_dbapi), "patience"
    elif engine.dialect.driver == "pymysql":
        connect, patience = _limit_pymysql(engine.dialect.loaded_dbapi), "_read_timeout"
    else:
        return

    @event.listens_for(engine, "checkout", insert=True)
    def before_ping(connection: Any, record: Any, proxy: Any) -> None:
        setattr(connection, patience, PING_SECONDS)

    @event.listens_for(engine, "checkout")
    def after_ping(connection: Any, record: Any, proxy: Any) -> None:
        setattr(connection, patience, seconds if has_request_context() else None)

    door = _Door(engine, connect)
    event.listen(engine, "do_connect", door.connect)


class _Door:
    """Lets one at a time try to connect, from an attempt that got no answer until one that did.

    Else all threads of all workers would wait for a stopped database, and none be left for what needs none.
    """

    def __init__(self, engine: Engine, connect: Any) -> None:
        self._error = engine.dialect.loaded_dbapi.OperationalError
        self._connect = connect
        self._is_suspect = False
        self._turn = threading.Lock()

    def connect(self, dialect: Any, record: Any, args: Any, options: dict[str, Any]) -> Any:
        """Make a connection for the pool."""
        if not self._is_suspect:
            return self._try(args, options)
        if not self._turn.acquire(blocking=False):
            raise self._error("The database gave no answer to the attempt before, and another one waits for it.")
        try:
            return self._try(args, options)
        finally:
            self._turn.release()

    def _try(self, args: Any, options: dict[str, Any]) -> Any:
        try:
            connection = self._connect(*args, **options)
        except self._error as error:
            # Who is refused hears so at once: only silence takes time.
            self._is_suspect = _is_silence(error)
            raise
        self._is_suspect = False
        return connection


def _is_silence(error: Any) -> bool:
    return type(error).__name__ == "ConnectionTimeout" or "timed out" in str(error)


def _limit_psycopg(driver: Any) -> Any:
    class Connection(driver.Connection):  # type: ignore[misc]
        """Waits for the server as long as it is told."""

        patience: float | None = None

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            if timeout is None:
                timeout = self.patience
            try:
                return super().wait(gen, interval, timeout)
            except driver.errors._WaitTimeout as error:
                # It still awaits the answer, which would be taken for that of the next statement.
                self.close()
                raise driver.OperationalError(f"The database gave no answer within {timeout:g} seconds.") from error

    def connect(*args: Any, **options: Any) -> Any:
        connection = Connection.connect(*args, **options)
        connection.patience = float(options.get("connect_timeout", CONNECT_SECONDS))
        if connection.info.server_version < _KNOWS_NOBODY_SINCE:
            return connection
        try:
            connection.execute(_STOP_WORK_FOR_NOBODY)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def _limit_pymysql(driver: Any) -> Any:
    def connect(*args: Any, **options: Any) -> Any:
        # Its limit for connecting ends before the server's greeting.
        seconds = options.get("connect_timeout", CONNECT_SECONDS)
        limits = {"read_timeout": seconds, "write_timeout": seconds}
        return driver.connect(*args, **{**limits, **options})

    return connect
