"""The numbers that the database gives to new rows: carried, so that one that was given is never given again."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Connection

from core import modules
from core.data import inventory
from core.data.models import numbered
from core.data.models import sequence_of


@dataclass(frozen=True)
class Behind:
    """A sequence whose next number a row may have already.

    :param given: the last number that it gave
    :param highest: the highest that a row has
    """

    column: sa.Column[Any]
    sequence: str
    given: int
    highest: int

    def __str__(self) -> str:
        return (
            f"{self.sequence} is at {self.given:,}, {self.column.table.name}.{self.column.name} goes up to "
            f"{self.highest:,}"
        )


def find_behind(connection: Connection, app: Flask) -> list[Behind]:
    """Return the sequences that are behind the rows of the migrated tables of this application.

    SQLite and MariaDB raise theirs themselves where a row comes with a number.
    """
    found = []
    there = inventory.tables(modules.installed(app))
    tables = [table for _, table in there if inventory.is_migrated(table)]
    for column in (column for table in tables for column in numbered(table)):
        sequence = sequence_of(connection, column)
        highest = _highest(connection, column)
        given = None if sequence is None else _given(connection, sequence)
        if sequence is not None and given is not None and given < highest:
            found.append(Behind(column, sequence, given, highest))
    return found


def catch_up(connection: Connection, app: Flask) -> list[Behind]:
    """Set the sequences that are behind after the highest number that is there, and return them as they were."""
    found = find_behind(connection, app)
    for one in found:
        _set_sequence(connection, one.sequence, one.highest)
    return found


def last_given(connection: Connection, table: sa.Table) -> int | None:
    """Return the last number that was given to a row's key, ``None`` where none is or the engine does not say."""
    column = table.autoincrement_column
    if column is None:
        return None
    if connection.dialect.name == "postgresql":
        sequence = sequence_of(connection, column)
        return _given(connection, sequence) if sequence else None
    if connection.dialect.name == "sqlite":
        if not sa.inspect(connection).has_table("sqlite_sequence"):
            return None
        asked = "SELECT seq FROM sqlite_sequence WHERE name = :name"
        return _whole(connection.scalar(sa.text(asked), {"name": table.name}))
    asked = (
        "SELECT auto_increment - 1 FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = :name"
    )
    return _whole(connection.scalar(sa.text(asked), {"name": table.name}))


def advance(connection: Connection, table: sa.Table, given: int | None) -> None:
    """Set the next number above this one, and above every number that is there."""
    for column in numbered(table):
        is_key = column is table.autoincrement_column
        highest = max((given or 0) if is_key else 0, _highest(connection, column))
        sequence = sequence_of(connection, column)
        if sequence:
            _set_sequence(connection, sequence, highest)
        elif is_key and connection.dialect.name == "sqlite":
            _advance_sqlite(connection, table, highest)
        elif is_key and highest and connection.dialect.name != "postgresql":
            quoted = connection.dialect.identifier_preparer.quote(table.name)
            connection.exec_driver_sql(f"ALTER TABLE {quoted} AUTO_INCREMENT = {int(highest) + 1}")


def _whole(value: int | None) -> int | None:
    return None if value is None else int(value)


def _highest(connection: Connection, column: sa.Column[Any]) -> int:
    return connection.scalar(sa.select(sa.func.max(column))) or 0


def _given(connection: Connection, sequence: str) -> int | None:
    asked = f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}"  # noqa: S608
    return _whole(connection.scalar(sa.text(asked)))


def _set_sequence(connection: Connection, sequence: str, highest: int) -> None:
    # 0 is below a sequence's first number: then that is the next one.
    connection.execute(sa.select(sa.func.setval(sequence, max(highest, 1), highest > 0)))


def _advance_sqlite(connection: Connection, table: sa.Table, highest: int) -> None:
    if not sa.inspect(connection).has_table("sqlite_sequence"):
        return
    values = {"name": table.name, "highest": highest}
    changed = connection.execute(sa.text("UPDATE sqlite_sequence SET seq = :highest WHERE name = :name"), values)
    counts = table.kwargs.get("sqlite_autoincrement")
    if not changed.rowcount and counts:
        connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :highest)"), values)
