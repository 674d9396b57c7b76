"""Encrypted columns: which values need an earlier secret, and encrypting them with today's."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from flask import Flask

from core.crud.transactions import transaction
from core.fields.encryption import EncryptedColumn
from core.modules import offers
from services import db

#: Values between two commits. Deriving a key from a secret may take ten milliseconds for each.
BATCH = 100


def encrypted_columns(app: Flask) -> list[EncryptedColumn]:
    """Return the columns that the modules offer."""
    return [column for _, file in offers(app, "encrypted") for column in file.COLUMNS]


def count_earlier(app: Flask) -> dict[str, int]:
    """Return by column how many values are not encrypted with today's secret, where there are some."""
    counts = {one.name: _count(one) for one in encrypted_columns(app)}
    return {name: count for name, count in counts.items() if count}


def _count(one: EncryptedColumn) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(one.table).where(_earlier(one))) or 0


def reencrypt(one: EncryptedColumn) -> Iterator[int]:
    """Encrypt what needs an earlier secret, some values at a time; yield of each time how many cannot be read.

    What is done is committed: after an interruption it continues where this ended. A value that changes
    meanwhile stays as it was set.
    """
    last = None
    while rows := _batch(one, last):
        # Nothing is held open while keys are derived.
        db.session.rollback()
        found = [(key, value, one.reencrypt(value)) for key, value in rows]
        with transaction():
            for key, value, new in found:
                if new is not None:
                    _replace(one, key, value, new)
        last = rows[-1][0]
        yield sum(new is None for _, _, new in found)


def _earlier(one: EncryptedColumn) -> sa.ColumnElement[bool]:
    return sa.and_(one.column.is_not(None), one.is_earlier())


def _batch(one: EncryptedColumn, last: Any) -> list[tuple[Any, Any]]:
    statement = sa.select(one.key, one.column).where(_earlier(one)).order_by(one.key).limit(BATCH)
    found = db.session.execute(statement if last is None else statement.where(one.key > last))
    return [(key, value) for key, value in found]


def _replace(one: EncryptedColumn, key: Any, value: Any, new: Any) -> None:
    column = one.column.expression
    # Without the ORM: the value is the same to its readers, so that neither version nor history change.
    statement = sa.update(one.table).where(one.key == key, column == value).values({column.name: new})
    db.session.execute(statement)
