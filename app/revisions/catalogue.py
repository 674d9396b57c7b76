"""SQLite's catalogue of a table beside its columns: its statement, indexes, triggers, views, sequence."""

from collections.abc import Callable
from collections.abc import Iterator

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy import Connection

from . import statements


def read_statement(connection: Connection, table: str) -> str:
    asked = "SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?)"
    text = connection.exec_driver_sql(asked, (table,)).scalar()
    if text is None:
        raise sa.exc.NoSuchTableError(table)
    if text.upper().startswith("CREATE VIRTUAL"):
        raise CommandError(f"The table {table!r} is virtual: SQLite cannot alter it. Drop it and make another.")
    return str(text)


def generated_expression(connection: Connection, table: str, column: str) -> str:
    """Return the expression of a generated column, which SQLAlchemy does not find behind a type like NUMERIC(8, 2)."""
    statement = statements.Statement.parse(read_statement(connection, table))
    definition = statements.Definition.parse(statement.elements[statement.position(column)])
    return definition.expression or ""


def attached(connection: Connection, table: str) -> list[tuple[str, str, str]]:
    """Return kind, name and statement of a table's indexes and triggers, in the order in which they were made."""
    asked = (
        "SELECT type, name, sql FROM sqlite_master WHERE lower(tbl_name) = lower(?) AND sql IS NOT NULL "
        "AND type IN ('index', 'trigger') ORDER BY type, rowid"
    )
    return [(row[0], row[1], row[2]) for row in connection.exec_driver_sql(asked, (table,))]


def is_over_expression(connection: Connection, index: str) -> bool:
    """Return whether an index has a part that is no column."""
    asked = "SELECT count(*) FROM pragma_index_info(?) WHERE cid = -2"
    return bool(connection.exec_driver_sql(asked, (index,)).scalar())


def sequence(connection: Connection, table: str) -> int | None:
    """Return the highest number that an AUTOINCREMENT ever gave."""
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").scalar() is None:
        return None
    asked = "SELECT seq FROM sqlite_sequence WHERE lower(name) = lower(?)"
    return connection.exec_driver_sql(asked, (table,)).scalar()


def restore_sequence(connection: Connection, table: str, sequence: int | None) -> None:
    numbers = "AUTOINCREMENT" in map(str.upper, statements.words(read_statement(connection, table)))
    if sequence is not None and numbers:
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE lower(name) = lower(?)", (table,))
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, sequence))


def broken(connection: Connection) -> Iterator[str]:
    """Yield the views and triggers that cannot be run, with the reason; nothing is run."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    asked = "SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('view', 'trigger')"
    for kind, name, table in connection.exec_driver_sql(asked).fetchall():
        for statement in _uses(connection, kind, quote(name if kind == "view" else table), quote):
            try:
                connection.exec_driver_sql(f"EXPLAIN {statement}").fetchall()
            except sa.exc.OperationalError as error:
                yield f"the {kind} {name!r} ({error.orig})"


def _uses(connection: Connection, kind: str, name: str, quote: Callable[[str], str]) -> list[str]:
    if kind == "view":
        return [f"SELECT * FROM {name}"]  # noqa: S608 - quoted
    columns = [quote(row[1]) for row in connection.exec_driver_sql(f"PRAGMA table_info({name})")]
    changes = ", ".join(f"{column} = {column}" for column in columns)
    return [
        f"INSERT INTO {name} DEFAULT VALUES",
        f"UPDATE {name} SET {changes}",  # noqa: S608 - quoted
        f"DELETE FROM {name}",  # noqa: S608 - quoted
    ]
