"""Strategies that read the rows of the verbs ``list`` and ``get``: as entities, or in a way of a face's own.

The verb decides which rows there are, who may read them, and where a page begins and ends; a strategy only reads them.
"""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.sql.base import ExecutableOption

from services import db

from .keys import Key
from .listing import Listing
from .listing import Query


class Rows(Protocol):
    """The part of the verbs that says which rows there are."""

    listing: Listing
    key: Key

    def statement(self, query: Query) -> sa.Select[Any]:
        """Return the SELECT of one page."""

    def visible(self, verb: str) -> sa.Select[Any]:
        """Choose the rows that the current identity may read."""


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of one page as they were read.

    :param rows: at most one more than the page holds
    :param sort_values: gives the values of a row by which the list is sorted
    :param items: makes the items of the page from its rows
    """

    rows: Sequence[Any]
    sort_values: Callable[[Any], Sequence[Any]]
    items: Callable[[list[Any]], list[Any]]


class Strategy(Protocol):
    """Reads what :meth:`Crud.list_by` and :meth:`Crud.get_by` ask for."""

    def many(self, verbs: Rows, query: Query) -> Found:
        """Read the rows of ``verbs.statement(query)``."""

    def one(self, verbs: Rows, key: Any) -> Any:
        """Read the row of ``verbs.visible("get")`` that has a key; ``None`` if there is none."""


@dataclass(frozen=True, slots=True)
class Entities:
    """Reads entities, by the session.

    :param options: what else to read at once, ``joinedload(Product.category)``
    """

    options: Sequence[ExecutableOption] = ()

    def many(self, verbs: Rows, query: Query) -> Found:
        """Read the rows of a page, each with the values by which it is sorted."""
        names = [name.removeprefix("-") for name in query.sort]
        select = verbs.statement(query).options(*self.options)
        # The sort value comes with the row: of a related row, only where that exists for the caller.
        select = select.add_columns(*(verbs.listing.paths[name].column for name in names))
        rows = [*db.session.execute(select, verbs.listing.values(query)).unique()]
        return Found(rows, lambda row: row[1:], lambda rows: [row[0] for row in rows])

    def one(self, verbs: Rows, key: Any) -> Any:
        """Read the row that has a key."""
        return db.session.scalars(select_one(verbs, key).options(*self.options)).unique().one_or_none()


def select_one(verbs: Rows, key: Any) -> sa.Select[Any]:
    """Return the SELECT of the row that has a key.

    :param key: its value, or a parameter for it
    """
    return verbs.visible("get").where(verbs.key.equals(key, db.engine.dialect))
