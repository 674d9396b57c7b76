"""A request waits for a statement only so long, also where the database is there and says nothing.

A database that is stopped, swapped out or behind a network that swallows packets refuses nothing: its
machine acknowledges what is sent, so that TCP's own time limits do not strike, and a limit that the
server keeps (``statement_timeout``) does not either. So the limit is kept here, where the driver waits.
It holds for requests; commands may take as long as they need.

After it has passed it is unknown whether the statement still takes effect: the connection is closed, the
request gets 503, and what must not happen twice carries an ``Idempotency-Key``.
"""

from contextlib import closing
from functools import partial
from typing import Any
from typing import cast

from flask import Flask
from flask import has_request_context
from flask.blueprints import BlueprintSetupState
from sqlalchemy import Engine
from sqlalchemy import event

from core.data.circuit_breaker import CircuitBreaker
from core.data.circuit_breaker import CircuitOpenError
from core.data.threads import begin
from services import db

#: Seconds that a connection may take to say that it is still there; see ``PING_AFTER_SECONDS`` in core/data/engines.py.
PING_SECONDS = 2.0

#: Seconds that a new connection may take, where none are set.
CONNECT_SECONDS = 5

#: PostgreSQL asks so often whether who has sent a statement still waits for it.
_CHECK_CLIENT = "SET client_connection_check_interval = '2s'"
_CHECKS_CLIENT_SINCE = 140000


def install(state: BlueprintSetupState) -> None:
    """Hold the statements of this application's requests to ``DATABASE_STATEMENT_SECONDS``; 0 is for ever."""
    app = cast(Flask, state.app)
    seconds = app.config["DATABASE_STATEMENT_SECONDS"]
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

    event.listen(engine, "do_connect", _one_at_a_time(engine, connect))


def _one_at_a_time(engine: Engine, connect: Any) -> Any:
    error = engine.dialect.loaded_dbapi.OperationalError
    breaker = CircuitBreaker(_is_silence)

    def make_connection(dialect: Any, record: Any, args: Any, options: dict[str, Any]) -> Any:
        try:
            return breaker.call(lambda: connect(*args, **options))
        except CircuitOpenError as closed:
            raise error(f"The database: {closed}") from None

    return make_connection


def _is_silence(error: Any) -> bool:
    return type(error).__name__ == "ConnectionTimeout" or "timed out" in str(error)


def _limit_psycopg(driver: Any) -> Any:
    class Connection(driver.Connection):  # type: ignore[misc]  # the driver is chosen at run time
        """Waits for the server up to its time limit."""

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
        if connection.info.server_version < _CHECKS_CLIENT_SINCE:
            return connection
        try:
            connection.execute(_CHECK_CLIENT)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    return connect


def _limit_pymysql(driver: Any) -> Any:
    class Connection(driver.connections.Connection):  # type: ignore[misc]  # the driver is chosen at run time
        """Ends abandoned statements on the server."""

        def query(self, sql: Any, unbuffered: bool = False) -> Any:
            try:
                return super().query(sql, unbuffered)
            except driver.OperationalError as error:
                if "timed out" in str(error):
                    begin(partial(end, self.thread_id()), "end a statement")
                raise

    used: dict[str, Any] = {}

    def connect(*args: Any, **options: Any) -> Any:
        used.update(options)
        # Its limit for connecting ends before the server's greeting.
        seconds = options.get("connect_timeout", CONNECT_SECONDS)
        limits = {"read_timeout": seconds, "write_timeout": seconds}
        return Connection(*args, **{**limits, **options})

    def end(number: int) -> None:
        # PostgreSQL finds out by itself. MariaDB would go on: a page that is slow, asked for again and again, fills it.
        limits = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), PING_SECONDS)
        with closing(driver.connect(**{**used, **limits})) as connection, connection.cursor() as cursor:
            cursor.execute("KILL CONNECTION %s", (number,))

    return connect
