"""Connections for moving many rows: one that sees one moment, and one that writes without asking about order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL
from sqlalchemy import Connection
from sqlalchemy import Engine
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from core import migrations
from core.data import engines

from .faults import TransferError

_SNAPSHOTS = {
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    **dict.fromkeys(("mysql", "mariadb"), "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
    # The snapshot begins with the first read.
    "sqlite": "SELECT count(*) FROM sqlite_master",
}


@contextmanager
def reading(url: URL) -> Iterator[Connection]:
    """Yield a connection that sees the database as it is now, and blocks no writer."""
    engine = sa.create_engine(url, poolclass=NullPool)
    if url.get_backend_name() == "sqlite":
        _begin_deferred(engine)
    else:
        engines.tune(engine)
    with _connected(engine) as connection:
        connection.exec_driver_sql(_SNAPSHOTS[connection.dialect.name])
        yield connection


@contextmanager
def writing(url: URL) -> Iterator[Connection]:
    """Yield a connection on which rows may come before those that they refer to, except on PostgreSQL."""
    with _connected(migrations.make_engine(url)) as connection:
        if connection.dialect.name in ("mysql", "mariadb"):
            modes = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE"
            connection.exec_driver_sql(f"SET foreign_key_checks = 0, sql_mode = '{modes}'")
        connection.commit()
        yield connection


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise TransferError(f"The database does not answer: {str(error.orig).strip()}") from error
    with connection:
        yield connection


def _begin_deferred(engine: Engine) -> None:
    # Otherwise its driver begins nothing before a SELECT; see core/data/engines.py.
    @event.listens_for(engine, "connect")
    def leave_to_us(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN DEFERRED")
