"""What the database drivers' errors say, on every engine."""

import re

import sqlalchemy.exc
import sqlalchemy.orm.exc

#: Of a statement that would succeed if tried again: it lost a race, was cancelled or timed out (57014, 1317,
#: 1969), or met a server that is read-only while another takes over (25006).
_TRANSIENT_STATES = {"25006", "25P03", "40001", "40P01", "53300", "55P03", "57014", "57P01", "57P02", "57P03", "57P05"}
_TRANSIENT_NUMBERS = {1040, 1205, 1213, 1317, 1969, 2002, 2003, 2006, 2013}

#: Of a server that cannot write: its disk is full (53100, 1021, 1114), or broken (58030, 3). Nothing was stored.
_UNWRITABLE_STATES = {"53100", "53200", "58030"}
_UNWRITABLE_NUMBERS = {3, 1021, 1026, 1114}
_UNWRITABLE_NAMES = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")

#: Of a statement that was in another's way, and was chosen to begin again.
_DEADLOCKS = {"40001", "40P01", 1213}

#: Of a row that collides with another one, or points to one that is gone.
_CONFLICT_STATES = {"23001", "23503", "23505", "23P01"}
_CONFLICT_NUMBERS = {1062, 1169, 1451, 1452, 1586}
_CONFLICT_NAMES = {f"SQLITE_CONSTRAINT_{name}" for name in ("UNIQUE", "PRIMARYKEY", "ROWID", "FOREIGNKEY")}

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
    if not isinstance(error, sqlalchemy.exc.DBAPIError):
        return False
    if is_lost(error):
        return True
    state, number = codes(error.orig)
    if state in _TRANSIENT_STATES or number in _TRANSIENT_NUMBERS or "database is locked" in str(error.orig):
        return True
    return cannot_write(error)


def cannot_write(error: sqlalchemy.exc.DBAPIError) -> bool:
    """Return whether the database could not write to its disk: somebody has to make room."""
    state, number = codes(error.orig)
    if state in _UNWRITABLE_STATES or number in _UNWRITABLE_NUMBERS:
        return True
    return getattr(error.orig, "sqlite_errorname", "").startswith(_UNWRITABLE_NAMES)


def is_conflict(error: BaseException) -> bool:
    """Return whether what was to be written collides with what is stored: somebody else was faster."""
    if not isinstance(error, sqlalchemy.exc.IntegrityError):
        return False
    state, number = codes(error.orig)
    name = getattr(error.orig, "sqlite_errorname", "")
    return state in _CONFLICT_STATES or number in _CONFLICT_NUMBERS or name in _CONFLICT_NAMES


def is_stale(error: BaseException) -> bool:
    """Return whether a row that was read has been changed, or deleted, by somebody else."""
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
    state, number = codes(error.orig)
    in_words = re.match(r"no such (table|column)|table \S+ has no column", str(error.orig))
    return state in ("42P01", "42703", "42704") or number in (1146, 1054) or in_words is not None
