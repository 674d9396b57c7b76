"""Foreign keys while rows come in any order: away meanwhile, and proved after."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from .catalog import Source
from .faults import TransferError

_LATE = sa.text("""
    SELECT r.relname, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c
    JOIN pg_class r ON r.oid = c.conrelid
    WHERE c.contype = 'f' AND c.conrelid = to_regclass(:table)
""")


def put_aside(connection: Connection, late: Sequence[sa.ForeignKeyConstraint]) -> list[list[str]]:
    """Drop PostgreSQL's keys that no order satisfies, and return how each is made again."""
    found: list[list[str]] = []
    for key in late:
        table = connection.dialect.identifier_preparer.format_table(key.table)
        columns = {column.name for column in key.columns}
        for _, name, definition in connection.execute(_LATE, {"table": table}):
            if columns == _columns(connection, key.table.name, name):
                quoted = connection.dialect.identifier_preparer.quote(name)
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {quoted}")
                found.append([table, quoted, definition])
    return found


def bring_back(connection: Connection, aside: Sequence[Sequence[str]]) -> None:
    """Make the keys again, which proves them."""
    for table, name, definition in aside:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}".replace("%", "%%"))


def _columns(connection: Connection, table: str, name: str) -> set[str]:
    keys = sa.inspect(connection).get_foreign_keys(table)
    return {column for key in keys if key["name"] == name for column in key["constrained_columns"]}


def prove(connection: Connection, sources: Sequence[Source]) -> None:
    """Look for rows that refer to one that is not there.

    :raises TransferError: naming the keys
    """
    broken = []
    for source in sources:
        for key in source.table.foreign_key_constraints:
            count = connection.scalar(_dangling(key))
            if count:
                broken.append(f"{count:,} of {source.name} to {key.referred_table.name}")
    if broken:
        raise TransferError(
            f"Rows refer to rows that are not there: {'; '.join(broken)}. Load the tables that they refer to as well "
            "(dump them together), with --replace."
        )


def _dangling(key: sa.ForeignKeyConstraint) -> sa.Select[Any]:
    child, parent = key.table, key.referred_table.alias("referred")
    pairs = [(element.parent, parent.c[element.column.name]) for element in key.elements]
    given = [column.is_not(None) for column, _ in pairs]
    there = sa.exists().where(*(target == column for column, target in pairs))
    return sa.select(sa.func.count()).select_from(child).where(*given, ~there)
