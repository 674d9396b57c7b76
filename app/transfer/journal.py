"""Progress of a load, noted in the database itself, in the same transaction as the rows."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from core.data.models import exact

#: No module's prefix: alembic leaves it alone.
journal = sa.Table(
    "_data_load",
    sa.MetaData(),
    sa.Column("name", exact(100), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    info={"migrated": False},
)


def is_there(connection: Connection) -> bool:
    """Return whether a load was begun and has not ended."""
    return sa.inspect(connection).has_table(journal.name)


def begin(connection: Connection, dump: str) -> None:
    """Note that a load of this dump begins."""
    journal.create(connection)
    note(connection, "dump", dump)
    connection.commit()


def noted(connection: Connection, name: str) -> Any:
    """Return what was noted, ``None`` if nothing."""
    found = connection.scalar(sa.select(journal.c.value).where(journal.c.name == name))
    return None if found is None else json.loads(found)


def note(connection: Connection, name: str, value: Any) -> None:
    """Note something, in the transaction that is open."""
    text = json.dumps(value)
    changed = connection.execute(journal.update().where(journal.c.name == name).values(value=text))
    if not changed.rowcount and noted(connection, name) is None:
        connection.execute(journal.insert().values(name=name, value=text))


def end(connection: Connection) -> None:
    """Forget it all: the load is done."""
    journal.drop(connection)
    connection.commit()
