"""Locks around migrations: one migration at a time, and none that stops the traffic.

A statement that changes a table waits for the reads that are open on it, and every later read
waits behind that statement. So it gives up after a few seconds, lets the others pass, and tries
again.
"""

import fcntl
import logging
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy import Engine

from ..data import drivers

#: How long to wait for another migration of the same database to end.
TURN_SECONDS = 60.0

#: How long a statement may wait for a lock on a table, with all that comes after it waiting too.
LOCK_SECONDS = 5

#: Pauses between the attempts at a lock, in seconds.
PAUSES = (1.0, 2.0, 4.0, 8.0)

#: Distinguishes this lock from the application's own advisory locks: the first bytes of "andamio migrations".
_KEY = 0x616E64616D696F

_TAKE_TURN = {
    "postgresql": f"SELECT pg_try_advisory_lock({_KEY})",
    **dict.fromkeys(("mysql", "mariadb"), "SELECT GET_LOCK(CONCAT('migrations.', SHA1(DATABASE())), 0)"),
}

logger = logging.getLogger(__name__)


@contextmanager
def exclusive(engine: Engine) -> Iterator[Connection]:
    """Yield a connection while no other migration runs on this database.

    It is not in a transaction: in one, alembic would leave the commit to the code that began it.

    :raises alembic.util.CommandError: if the turn does not come within :data:`TURN_SECONDS`
    """
    with ExitStack() as stack:
        if engine.dialect.name == "sqlite":
            stack.enter_context(_file_lock(f"{engine.url.database}.lock"))
        connection = stack.enter_context(_connect(engine))
        if engine.dialect.name != "sqlite":
            # The lock is the session's: it ends with the connection, also when this process is killed.
            _wait_for_turn(lambda: _ask(connection, _TAKE_TURN[engine.dialect.name]))
            _limit_waiting(connection)
        yield connection


def patiently(connection: Connection, action: Callable[[], None]) -> None:
    """Do this again, after a pause, for as long as a lock on a table is not to be had.

    Each attempt must be one that leaves nothing half done, as PostgreSQL's and SQLite's
    transactions do. MariaDB commits with every statement, so there the statement is repeated.

    :raises alembic.util.CommandError: if the last attempt fails too
    """
    for pause in (*PAUSES, None):
        try:
            return action()
        except sa.exc.DBAPIError as error:
            if not _is_lock_timeout(error.orig):
                raise
            connection.rollback()
            _pause_or_give_up(pause, error)


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except sa.exc.OperationalError as error:
        raise CommandError(
            f"The database does not answer: {error.orig}\nCheck DATABASE_URL, and that the server runs."
        ) from error


def _limit_waiting(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    else:
        connection.exec_driver_sql(f"SET lock_wait_timeout = {LOCK_SECONDS}, innodb_lock_wait_timeout = {LOCK_SECONDS}")
        _repeat_statements(connection)
    connection.commit()


def _repeat_statements(connection: Connection) -> None:
    @sa.event.listens_for(connection.engine, "do_execute")
    def execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        for pause in (*PAUSES, None):
            try:
                cursor.execute(statement, parameters)
                break
            except connection.dialect.loaded_dbapi.Error as error:
                if not _is_lock_timeout(error):
                    raise
                _pause_or_give_up(pause, error)
        return True


def _pause_or_give_up(pause: float | None, error: Exception) -> None:
    if pause is None:
        raise CommandError(
            f"A lock on a table was not to be had in {len(PAUSES) + 1} attempts: a long query or an open "
            "transaction holds it. End that, then run the command again; it goes on after the last "
            "revision that is done."
        ) from error
    logger.warning("A table is locked by others; trying again in %g s", pause)
    time.sleep(pause)


def _is_lock_timeout(cause: Any) -> bool:
    """Return whether PostgreSQL (55P03), MariaDB (1205) or SQLite (BUSY) waited for a lock in vain."""
    state, number = drivers.codes(cause)
    return state == "55P03" or number == 1205 or getattr(cause, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def _ask(connection: Connection, statement: str) -> bool:
    # Asked again and again instead of waited for: who waits inside a statement holds a snapshot,
    # and CREATE INDEX CONCURRENTLY in the other migration would wait for that in turn.
    granted = bool(connection.scalar(sa.text(statement)))
    connection.commit()
    return granted


@contextmanager
def _file_lock(path: str) -> Iterator[None]:
    def take() -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    # The file stays: who removed it would take the lock from one who has just opened it.
    with Path(path).open("a") as file:
        _wait_for_turn(take)
        yield


def _wait_for_turn(take: Callable[[], bool]) -> None:
    ends = time.monotonic() + TURN_SECONDS
    announced = False
    while not take():
        if time.monotonic() > ends:
            raise CommandError(
                f"Another process has been migrating this database for over {TURN_SECONDS:g} seconds: "
                "wait until it has ended, or end it, then run the command again."
            )
        if not announced:
            logger.info("Another process migrates this database; waiting for it to end")
            announced = True
        time.sleep(0.1)
