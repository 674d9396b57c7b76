"""Take a test's rows away again. No pytest here."""

from collections.abc import Callable
from collections.abc import Sequence

import sqlalchemy as sa

#: A test that left a transaction open shall fail here, not hang. MariaDB checks a row that refers to its own table one
#: by one.
_BEFORE = {
    "postgresql": "SET lock_timeout = '5s'",
    "mysql": "SET innodb_lock_wait_timeout = 5, lock_wait_timeout = 5, foreign_key_checks = 0",
    "mariadb": "SET innodb_lock_wait_timeout = 5, lock_wait_timeout = 5, foreign_key_checks = 0",
}


def empty(connection: sa.Connection, names: Sequence[str]) -> None:
    """Delete all rows of these tables; few have any, so that one question spares a statement for each.

    The caller commits.

    :param names: children before their parents
    """
    dialect = connection.dialect
    quoted = [dialect.identifier_preparer.quote(name) for name in names]
    asked = ", ".join(f"EXISTS (SELECT 1 FROM {name})" for name in quoted)
    found = connection.exec_driver_sql(f"SELECT {asked}").one()
    # MariaDB refuses to delete what has changed since this transaction first read.
    connection.rollback()
    if dialect.name in _BEFORE:
        connection.exec_driver_sql(_BEFORE[dialect.name])
    for name, has_rows in zip(quoted, found, strict=True):
        if has_rows:
            connection.exec_driver_sql(f"DELETE FROM {name}")


_SET = "setval(pg_get_serial_sequence('{table}', '{column}'), 1, false)"
_STARTED = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND auto_increment > 1"


def restart_keys(connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Count the keys of these empty tables from one again, as in a new database."""
    quote = connection.dialect.identifier_preparer.quote
    if connection.dialect.name == "postgresql":
        counted = [table for table in tables if table.autoincrement_column is not None]
        asked = [_SET.format(table=quote(table.name), column=table.autoincrement_column.name) for table in counted]
        if asked:
            connection.exec_driver_sql(f"SELECT {', '.join(asked)}")
    elif connection.dialect.name in ("mysql", "mariadb"):
        for name in connection.exec_driver_sql(_STARTED).scalars().all():
            connection.exec_driver_sql(f"ALTER TABLE {quote(name)} AUTO_INCREMENT = 1")
    elif connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").first():
        connection.exec_driver_sql("DELETE FROM sqlite_sequence")


class TableDatabases:
    """Databases that have the tables of a metadata, one for each engine: made once, and emptied after each test.

    :param make: makes an empty database on an engine
    """

    def __init__(self, make: Callable[[str], sa.URL]) -> None:
        self._make = make
        self.engines: dict[tuple[str, sa.MetaData], sa.Engine] = {}

    def open(self, engine_name: str, metadata: sa.MetaData) -> sa.URL:
        """Return the URL of the database with these tables, which is empty."""
        key = engine_name, metadata
        if key not in self.engines:
            engine = sa.create_engine(self._make(engine_name), poolclass=sa.NullPool)
            metadata.create_all(engine)
            self.engines[key] = engine
        return self.engines[key].url

    def empty(self, engine_name: str, metadata: sa.MetaData) -> None:
        """Bring the database back to what it was when it was new."""
        found = list(reversed(metadata.sorted_tables))
        with self.engines[engine_name, metadata].connect() as connection:
            empty(connection, [table.name for table in found])
            restart_keys(connection, found)
            connection.commit()
