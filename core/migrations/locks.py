"""The lock around migrations: one at a time on a database."""

import fcntl
import logging
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy import Engine

#: How long to wait for another migration of the same database to end.
TURN_SECONDS = 60.0

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
        yield connection


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except sa.exc.OperationalError as error:
        raise CommandError(
            f"The database does not answer: {error.orig}\nCheck DATABASE_URL, and that the server runs."
        ) from error


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
