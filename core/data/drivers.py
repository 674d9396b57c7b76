"""Errors of the database drivers, classified alike on every engine."""

import re

import sqlalchemy.exc
import sqlalchemy.orm.exc

#: Of a statement that would succeed if tried again: it lost a race, was cancelled, killed or timed out (57014, 1317,
#: 1927, 1969).
_TRANSIENT_STATES = {"25P03", "40001", "40P01", "53300", "55P03", "57014", "57P01", "57P02", "57P03", "57P05"}
_TRANSIENT_NUMBERS = {1040, 1205, 1213, 1317, 1927, 1969, 2002, 2003, 2006, 2013}

#: Of a server that cannot write: its disk is full (53100, 1021, 1114), or broken (58030, 3). Nothing was stored.
_UNWRITABLE_STATES = {"53100", "53200", "58030"}
_UNWRITABLE_NUMBERS = {3, 1021, 1026, 1114}
_UNWRITABLE_NAMES = ("SQLITE_FULL", "SQLITE_IOERR")

#: Of one that may not: it is a standby, or read-only (1290 is of other options as well); or a file is not to be
#: written. The connection may stay so when the cause is gone.
_READONLY_STATES = {"25006"}
_READONLY_NUMBERS = {1290, 1792, 1836}
_READONLY_NAMES = ("SQLITE_READONLY", "SQLITE_CANTOPEN")

#: Of a connection to an SQLite file that is not what it was.
_STUCK_NAMES = (*_READONLY_NAMES, "SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")

#: Of a statement that was in another's way, and was chosen to begin again.
_DEADLOCKS = {"40001", "40P01", 1213}

#: Of a row that collides with another one, or points to one that is gone.
_CONFLICT_STATES = {"23001", "23503", "23505", "23P01"}
_CONFLICT_NUMBERS = {1062, 1169, 1451, 1452, 1586}
_CONFLICT_NAMES = {f"SQLITE_CONSTRAINT_{name}" for name in ("UNIQUE", "PRIMARYKEY", "ROWID", "FOREIGNKEY")}

#: SQLAlchemy's number of "Can't reconnect until invalid transaction is rolled back".
_LOST_BEFORE = "8s2b"

#: Of a row that another transaction has changed since it was read (MariaDB's innodb_snapshot_isolation).
_STALE_NUMBER = 1020


def codes(cause: BaseException | None) -> tuple[str | None, int | None]:
    """Return PostgreSQL's SQLSTATE and MariaDB's number of a driver's error; ``None`` for what it does not have."""
    number = cause.args[0] if cause is not None and cause.args else None
    return getattr(cause, "sqlstate", None), number if isinstance(number, int) else None


def is_transient(error: BaseException) -> bool:
    """Return whether the same statement may well succeed a moment later."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return True
    # The transaction's connection was lost before: its error was caught, and the session used again.
    if isinstance(error, sqlalchemy.exc.PendingRollbackError):
        return error.code == _LOST_BEFORE
    if not isinstance(error, sqlalchemy.exc.DBAPIError):
        return False
    if is_lost(error):
        return True
    state, number = codes(error.orig)
    if state in _TRANSIENT_STATES or number in _TRANSIENT_NUMBERS or "database is locked" in str(error.orig):
        return True
    return cannot_write(error) or is_read_only(error.orig)


def is_read_only(cause: BaseException | None) -> bool:
    """Return whether a driver's error says that the database may not be written: it, its file or its server."""
    state, number = codes(cause)
    if number == 1290 and "read" not in str(cause):
        return False
    is_file = getattr(cause, "sqlite_errorname", "").startswith(_READONLY_NAMES)
    return state in _READONLY_STATES or number in _READONLY_NUMBERS or is_file


def is_stuck(cause: BaseException | None) -> bool:
    """Return whether a driver's error is one that its connection may go on to give when the cause is gone."""
    return is_read_only(cause) or getattr(cause, "sqlite_errorname", "").startswith(_STUCK_NAMES)


def cannot_write(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Return whether the database could not write to its disk: it is full."""
    state, number = codes(error.orig)
    if state in _UNWRITABLE_STATES or number in _UNWRITABLE_NUMBERS:
        return True
    return getattr(error.orig, "sqlite_errorname", "").startswith(_UNWRITABLE_NAMES)


def is_conflict(error: BaseException) -> bool:
    """Return whether a write collides with a row that another transaction has written."""
    if not isinstance(error, sqlalchemy.exc.IntegrityError):
        return False
    state, number = codes(error.orig)
    name = getattr(error.orig, "sqlite_errorname", "")
    return state in _CONFLICT_STATES or number in _CONFLICT_NUMBERS or name in _CONFLICT_NAMES


def is_stale(error: BaseException) -> bool:
    """Return whether another transaction has changed or deleted a row since it was read."""
    if isinstance(error, sqlalchemy.orm.exc.StaleDataError | sqlalchemy.orm.exc.ObjectDeletedError):
        return True
    return isinstance(error, sqlalchemy.exc.DBAPIError) and codes(error.orig)[1] == _STALE_NUMBER


def is_retryable(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Return whether the same work may well succeed at once: nothing has been waited for in vain."""
    return is_lost(error) or not _DEADLOCKS.isdisjoint(codes(error.orig))


def is_lost(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Return whether there was no connection, or it went away."""
    no_connection = isinstance(error, sqlalchemy.exc.OperationalError) and error.statement is None
    return error.connection_invalidated or no_connection


def is_behind(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Return whether a statement names a table, a column or a type that the database does not have."""
    return is_missing(error.orig)


def is_missing(cause: BaseException | None) -> bool:
    """Return the same of a driver's error."""
    state, number = codes(cause)
    in_words = re.match(r"no such (table|column)|table \S+ has no column", str(cause))
    return state in ("42P01", "42703", "42704") or number in (1146, 1054) or in_words is not None
