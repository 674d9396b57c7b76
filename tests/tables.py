"""Take a test's rows away again. No pytest here."""

from collections.abc import Sequence

import sqlalchemy as sa

#: A test that left a transaction open shall fail here, not hang. MariaDB checks a row that refers to its own table one
#: by one.
_BEFORE = {
    "postgresql": "SET lock_timeout = '5s'",
    "mysql": "SET innodb_lock_wait_timeout = 5, foreign_key_checks = 0",
    "mariadb": "SET innodb_lock_wait_timeout = 5, foreign_key_checks = 0",
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
