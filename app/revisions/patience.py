"""Locks on tables: a migration waits for one only so long that the traffic does not stop.

A statement that changes a table waits for the reads that are open on it, and every later read waits behind that
statement. So it gives up after a few seconds, lets the others pass, and tries again.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy import Connection

from core.data import drivers

#: Seconds that a statement may wait for a lock on a table, with all that comes after it waiting too.
LOCK_SECONDS = 5

#: Pauses between the attempts at a lock, in seconds.
PAUSES = (1.0, 2.0, 4.0, 8.0)

logger = logging.getLogger(__name__)


def patiently(connection: Connection, action: Callable[[], None]) -> None:
    """Do this again, after a pause, for as long as a lock on a table is not to be had.

    Each attempt must be one that leaves nothing half done, as PostgreSQL's and SQLite's
    transactions do. MariaDB commits with every statement, so there the statement is repeated.

    :raises alembic.util.CommandError: if the last attempt fails too
    """
    _limit_waiting(connection)
    for pause in (*PAUSES, None):
        try:
            return action()
        except sa.exc.DBAPIError as error:
            if not _is_lock_timeout(error.orig):
                raise
            connection.rollback()
            _pause_or_give_up(pause, error)


def _limit_waiting(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        return
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
