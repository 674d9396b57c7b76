"""The numbers that the database gives to new rows: carried, so that one that was given is never given again."""

import sqlalchemy as sa
from sqlalchemy import Connection

from .catalog import Source


def last_given(connection: Connection, source: Source) -> int | None:
    """Return the last number that was given, ``None`` where none is or nobody knows."""
    column = source.table.autoincrement_column
    if column is None:
        return None
    if connection.dialect.name == "postgresql":
        sequence = _sequence(connection, source)
        asked = f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}"  # noqa: S608
        return _whole(connection.scalar(sa.text(asked))) if sequence else None
    if connection.dialect.name == "sqlite":
        if not sa.inspect(connection).has_table("sqlite_sequence"):
            return None
        asked = "SELECT seq FROM sqlite_sequence WHERE name = :name"
        return _whole(connection.scalar(sa.text(asked), {"name": source.name}))
    asked = (
        "SELECT auto_increment - 1 FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = :name"
    )
    return _whole(connection.scalar(sa.text(asked), {"name": source.name}))


def _whole(value: int | None) -> int | None:
    return None if value is None else int(value)


def advance(connection: Connection, source: Source, given: int | None) -> None:
    """Let the next number be higher than this one, and than every one that is there."""
    column = source.table.autoincrement_column
    if column is None:
        return
    highest = max(given or 0, connection.scalar(sa.select(sa.func.max(column))) or 0)
    if connection.dialect.name == "postgresql":
        sequence = _sequence(connection, source)
        if sequence:
            # 0 is below a sequence's first number: then that is the next one.
            connection.execute(
                sa.select(sa.func.setval(sequence, max(highest, 1), highest > 0)),
            )
    elif connection.dialect.name == "sqlite":
        _advance_sqlite(connection, source, highest)
    elif highest:
        quoted = connection.dialect.identifier_preparer.quote(source.name)
        connection.exec_driver_sql(f"ALTER TABLE {quoted} AUTO_INCREMENT = {int(highest) + 1}")


def _advance_sqlite(connection: Connection, source: Source, highest: int) -> None:
    if not sa.inspect(connection).has_table("sqlite_sequence"):
        return
    words = {"name": source.name, "highest": highest}
    changed = connection.execute(sa.text("UPDATE sqlite_sequence SET seq = :highest WHERE name = :name"), words)
    counts = source.table.kwargs.get("sqlite_autoincrement")
    if not changed.rowcount and counts:
        connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :highest)"), words)


def _sequence(connection: Connection, source: Source) -> str | None:
    column = source.table.autoincrement_column
    asked = sa.select(
        sa.func.pg_get_serial_sequence(_quoted(connection, source), column.name if column is not None else "")
    )
    found: str | None = connection.scalar(asked)
    return found


def _quoted(connection: Connection, source: Source) -> str:
    return connection.dialect.identifier_preparer.format_table(source.table)
