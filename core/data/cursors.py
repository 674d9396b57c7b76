"""SQL by hand, on the driver's own cursors: pooled, bound, in one spelling, and patient for a moment.

.. code-block:: python

    rows = cursors.read("SELECT id, name FROM shop_order WHERE total >= :least", {"least": 10})
    paid = cursors.write("UPDATE shop_order SET paid = 1 WHERE id = :id", {"id": 7})

    with cursors.transaction() as cursor:
        for sql in ("DELETE FROM shop_line WHERE order_id = :id", "DELETE FROM shop_order WHERE id = :id"):
            cursor.execute(sql, {"id": 7})

Parameters are ``:name`` on every engine, and always bound by the driver. Errors are SQLAlchemy's, as they
are from the ORM, so that a database that is away becomes 503. Connections are the engine's: what
``core/data/engines.py`` sees to (a ping after a rest, none taken over by a fork) holds here as well.

Where a listener is attached to the engine (echo, tracing, a test that counts queries), the same SQL goes
through SQLAlchemy, so that nothing is hidden from them.
"""

import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from functools import partial
from typing import Any
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from services import db

from . import drivers
from . import execution
from .models import UtcDateTime
from .placeholders import translate

Result = TypeVar("Result")

#: Before each further attempt, so many seconds. The first follows at once: most lost connections were lost long
#: ago, by a restart of the database, and a fresh one is there.
PAUSES_SECONDS = (0.0, 0.1, 0.4)

#: No attempt begins later than this: a database that does not even refuse costs its time limit only once. It is
#: longer than PostgreSQL takes to see a deadlock (1 second).
RETRY_SECONDS = 2.0


def read(sql: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Run a statement that only reads, and give its rows by the names of their columns.

    It runs outside of any transaction, and again if the connection was lost.

    :raises sqlalchemy.exc.DBAPIError: as SQLAlchemy would
    """
    engine = db.engine
    return _read_again(engine, *_bound(engine, sql, values), _mappings)


def read_tuples(sql: str, values: Mapping[str, Any] | None = None) -> list[Any]:
    """Run a statement as :func:`read` does, and give its rows as tuples: names cost half as much as the question."""
    engine = db.engine
    return _read_again(engine, *_bound(engine, sql, values), _tuples)


def read_rows(engine: Engine, sql: str, parameters: Any) -> list[Any]:
    """Run the driver's own SQL as :func:`read` does, and give the driver's rows."""
    return _read_again(engine, sql, parameters, _tuples)


def write(sql: str, values: Mapping[str, Any] | None = None) -> int:
    """Run one statement that changes rows, a transaction of its own: cheaper than :func:`transaction`.

    :return: how many rows it changed
    :raises sqlalchemy.exc.DBAPIError: as SQLAlchemy would
    """
    engine = db.engine
    bound = _bound(engine, sql, values)
    if _has_listeners(engine):
        with transaction() as cursor:
            return cursor.execute(sql, values).rowcount
    return _run(engine, *bound, _count, commit=True)


def engine_name() -> str:
    """Return ``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``, for what has no common spelling."""
    return db.engine.dialect.name


def moments(**values: datetime) -> dict[str, Any]:
    """Return moments as the driver takes them for a column of :class:`core.data.models.UtcDateTime`."""
    write = _moment_writer(db.engine.dialect)
    return {name: write(value) for name, value in values.items()}


def retried(work: Callable[[], Result]) -> Result:
    """Do what may be done twice; again, for a moment, if the connection was lost or a deadlock broken.

    Whether a commit went through is not known when the connection is lost in it: only work that does
    not matter the second time belongs here.
    """
    started = time.monotonic()
    for pause in PAUSES_SECONDS:
        try:
            return work()
        except DBAPIError as error:
            if not drivers.is_retryable(error) or time.monotonic() + pause - started > RETRY_SECONDS:
                raise
        time.sleep(pause)
    return work()


# --- a cursor ------------------------------------------------------------------------------------


class Cursor:
    """A driver's cursor that takes ``:name`` on every engine."""

    def __init__(self, engine: Engine, raw: Any) -> None:
        self._engine = engine
        self._raw = raw
        #: The last statement, for the error's message.
        self.last: tuple[Any, Any] = (None, None)

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> "Cursor":
        """Run a statement."""
        self.last = _bound(self._engine, sql, values)
        if isinstance(self._raw, _Observed):
            self._raw.execute(*self.last)
        else:
            execution.execute(self._engine, self._raw, *self.last)
        return self

    def executemany(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> "Cursor":
        """Run a statement once for each mapping of values; :attr:`rowcount` is of all."""
        if rows:
            self.last = (_bound(self._engine, sql, rows[0])[0], rows)
            if isinstance(self._raw, _Observed):
                self._raw.executemany(*self.last)
            else:
                execution.execute_many(self._raw, *self.last)
        return self

    @property
    def rowcount(self) -> int:
        """Number of rows that the last statement has changed."""
        count: int = self._raw.rowcount
        return count

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the last statement, by the names of their columns."""
        return _mappings(self._raw)

    def scalar(self) -> Any:
        """Return the first value of the first row; ``None`` if there is no row."""
        row = self._raw.fetchone()
        return None if row is None else row[0]


@contextmanager
def transaction() -> Iterator[Cursor]:
    """Give a cursor; what it ran is committed at the end, or rolled back on an error.

    It is not the session's transaction. On SQLite it waits its turn to write.

    :raises sqlalchemy.exc.DBAPIError: as SQLAlchemy would
    """
    engine = db.engine
    if _has_listeners(engine):
        with engine.begin() as connection:
            yield Cursor(engine, _Observed(connection))
        return
    pooled = _connect(engine)
    cursor = Cursor(engine, None)
    try:
        cursor._raw = pooled.cursor()
        if engine.dialect.name == "sqlite":
            # Its driver begins nothing by itself; see core/data/engines.py.
            cursor.execute("BEGIN IMMEDIATE")
        yield cursor
        pooled.commit()
    except engine.dialect.loaded_dbapi.Error as error:
        gone = _discard_if_lost(engine, pooled, error)
        raise _wrap(engine, *cursor.last, error, gone) from error
    finally:
        # Back in the pool, what was not committed is rolled back.
        pooled.close()


class _Observed:
    """A cursor whose statements go through SQLAlchemy."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection.execution_options(preserve_rowcount=True)
        self._result: Any = None

    def execute(self, sql: str, parameters: Any) -> None:
        self._result = self._connection.exec_driver_sql(sql, parameters)

    executemany = execute

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result if name == "rowcount" else self._result.cursor, name)


# --- reading -------------------------------------------------------------------------------------


def _read_again(engine: Engine, sql: str, parameters: Any, take: Callable[[Any], list[Any]]) -> list[Any]:
    if _has_listeners(engine):
        with engine.connect() as connection:
            return take(connection.exec_driver_sql(sql, parameters).cursor)
    return retried(partial(_run, engine, sql, parameters, take))


def _tuples(cursor: Any) -> list[Any]:
    return list(cursor.fetchall())  # PyMySQL gives a tuple


def _mappings(cursor: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _count(cursor: Any) -> int:
    count: int = cursor.rowcount
    return count


# --- one statement -------------------------------------------------------------------------------


def _run(engine: Engine, sql: str, parameters: Any, take: Callable[[Any], Result], *, commit: bool = False) -> Result:
    connection = _connect(engine)
    driver: Any = connection.driver_connection
    # psycopg sends a BEGIN of its own, which a single statement does not need.
    autocommit = engine.dialect.name == "postgresql"
    try:
        if autocommit:
            driver.autocommit = True
        cursor = driver.cursor()
        execution.execute(engine, cursor, sql, parameters)
        found = take(cursor)
        cursor.close()
        if autocommit:
            driver.autocommit = False
        elif commit:
            connection.commit()
        return found
    except engine.dialect.loaded_dbapi.Error as error:
        gone = _discard_if_lost(engine, connection, error)
        if autocommit and not gone:
            driver.autocommit = False
        raise _wrap(engine, sql, parameters, error, gone) from error
    finally:
        connection.close()


# --- connections ---------------------------------------------------------------------------------


def _has_listeners(engine: Engine) -> bool:
    return bool(engine.echo or engine.dispatch.before_cursor_execute)


def _connect(engine: Engine) -> sa.PoolProxiedConnection:
    # A raw connection's errors are the driver's own, while the pool makes it, too.
    try:
        return engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:
        raise _wrap(engine, None, None, error, False) from error


def _discard_if_lost(engine: Engine, connection: sa.PoolProxiedConnection, error: Any) -> bool:
    """Return whether the connection was lost; then no one gets it any more, nor the pool's others, lost as well."""
    driver: Any = connection.driver_connection
    gone = engine.dialect.is_disconnect(error, driver, None) or not _can_roll_back(engine, connection)
    if gone:
        connection.invalidate(error)
        engine.dispose()
    return gone


def _can_roll_back(engine: Engine, connection: sa.PoolProxiedConnection) -> bool:
    # psycopg does not notice at once that it lost its server within `executemany`, and complains of its own state.
    try:
        connection.rollback()
    except engine.dialect.loaded_dbapi.Error:
        return False
    return True


def _wrap(engine: Engine, sql: str | None, parameters: Any, error: Exception, gone: bool) -> BaseException:
    return DBAPIError.instance(
        sql,
        parameters,
        error,
        engine.dialect.loaded_dbapi.Error,
        hide_parameters=engine.hide_parameters,
        connection_invalidated=gone,
        dialect=engine.dialect,
    )


# --- parameters ----------------------------------------------------------------------------------


@lru_cache(maxsize=20)
def _moment_writer(dialect: Dialect) -> Callable[[datetime], Any]:
    write: Callable[[datetime], Any] | None = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
    return write or (lambda value: value)


def _bound(engine: Engine, sql: str, values: Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    translated, names = translate(sql, named=engine.dialect.name == "sqlite")
    given = values or {}
    missing = names - given.keys()
    if missing:
        raise TypeError(f"The statement needs a value for {', '.join(sorted(missing))}: {sql.strip()}")
    # An empty mapping is passed as well: without one, the drivers take %% as it is.
    return translated, given
