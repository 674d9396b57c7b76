"""The rows that a control offers: a few at a time, found by a search in the database; never all of them.

A control of a form or of a filter names a row by the text of its key. Every read here is limited, and leaves out the
rows that the current identity may not list.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote

import sqlalchemy as sa
from marshmallow import ValidationError
from sqlalchemy.orm import with_parent

import settings
from services import db

from ..access import hidden_attributes
from ..fields.columns import field_class
from ..fields.columns import plain_type
from ..fields.strict import as_json
from . import readers
from . import texts
from .conditions import MAX_SEARCH
from .keys import among
from .keys import attribute_of
from .listing import Query

#: Choices that one control prints at most.
MOST = 50

#: Between the parts of a key of several columns; within a part it is escaped.
_BETWEEN = ":"
#: Characters that a key keeps as they are, so that the keys of most tables read as they are stored.
_PLAIN = " !$&'()*+,/;=?@[]"


@dataclass(frozen=True)
class Found:
    """Some of the rows that were asked for.

    :param more: whether there are others besides these
    """

    rows: Sequence[Any]
    more: bool


class Choices:
    """The rows of one model that the current identity may choose."""

    def __init__(self, model: type[Any]) -> None:
        self.model = model
        self.mapper = sa.inspect(model)

    # --- keys -----------------------------------------------------------------------------------

    @cached_property
    def _keys(self) -> list[tuple[Any, Any]]:
        """Return the attribute of each column of the key, with the field that writes and reads it."""
        found = []
        for column in self.mapper.primary_key:
            cls, arguments = field_class(column)
            attribute = getattr(self.model, attribute_of(self.model, column))
            found.append((attribute, cls(**arguments, allow_none=False)))
        return found

    def key_of(self, row: Any) -> str:
        """Return the key of a stored row as a control writes it; the row itself is not read again."""
        # After a rollback the row is expired, and may be gone: its identity is still known.
        values = sa.inspect(row).identity or self.mapper.primary_key_from_instance(row)
        return _BETWEEN.join(_write(field, value) for (_, field), value in zip(self._keys, values, strict=True))

    def _read(self, text: str) -> tuple[Any, ...] | None:
        """Return the values of a key; ``None`` if no row can have it."""
        parts = text.split(_BETWEEN) if len(self._keys) > 1 else [text]
        if len(parts) != len(self._keys):
            return None
        try:
            return tuple(
                field.deserialize(as_json(field, unquote(part)))
                for (_, field), part in zip(self._keys, parts, strict=True)
            )
        except ValidationError:
            return None

    def _among(self, keys: Iterable[tuple[Any, ...]]) -> Any:
        return among([attribute for attribute, _ in self._keys], keys)

    # --- rows -----------------------------------------------------------------------------------

    def find(self, search: str = "", limit: int = MOST) -> Found:
        """Return the first rows, or the first that a search finds, in the order of their list.

        :param search: what to look for in the columns that the model's verbs search, or in its texts
        """
        select = self._select()
        if search:
            select = select.where(sa.or_(sa.false(), *self._matching(search[:MAX_SEARCH])))
        return self._first(select, limit)

    def by_keys(self, texts: Iterable[str]) -> dict[str, Any]:
        """Return the rows of some keys that may be chosen, by their keys, with one statement."""
        keys = [key for text in texts if (key := self._read(text)) is not None]
        if not keys or not readers.may_list(self.model):
            return {}
        rows = db.session.scalars(self._select().where(self._among(keys))).unique()
        # MariaDB finds "a" for "A"; what counts is the key that the row has.
        return {self.key_of(row): row for row in rows}

    def linked(self, item: Any, relation: Any, limit: int = MOST) -> Found:
        """Return the first rows to which a relationship of a row leads."""
        return self._first(self._select().where(with_parent(item, relation)), limit)

    def linked_among(self, item: Any, relation: Any, rows: Iterable[Any]) -> set[str]:
        """Return the keys of those among some rows to which a relationship of a row leads."""
        keys = [key for row in rows if (key := self._read(self.key_of(row))) is not None]
        if not keys or not readers.may_list(self.model):
            return set()
        columns = [attribute for attribute, _ in self._keys]
        select = self._select().where(with_parent(item, relation), self._among(keys)).with_only_columns(*columns)
        return {
            _BETWEEN.join(_write(field, value) for (_, field), value in zip(self._keys, values, strict=True))
            for values in db.session.execute(select)
        }

    def count_linked(self, item: Any, relation: Any) -> int:
        """Return how many rows a relationship of a row leads to, counted up to ``settings.MAX_COUNT`` and one more."""
        if not readers.may_list(self.model):
            return 0
        select = self._select().where(with_parent(item, relation)).with_only_columns(sa.literal_column("1"))
        few = select.order_by(None).limit(settings.MAX_COUNT + 1).subquery()
        return db.session.scalar(sa.select(sa.func.count()).select_from(few)) or 0

    def _select(self) -> Any:
        return readers.narrow(sa.select(self.model), self.model)

    def _first(self, select: Any, limit: int) -> Found:
        if limit < 1 or not readers.may_list(self.model):
            return Found((), more=limit < 1)
        verbs = readers.verbs_of(self.model)
        has_order = verbs is not None and bool(verbs.order)
        if verbs is not None and verbs.model is self.model:
            select = verbs.listing.paginate(select, Query(verbs.listing.default_order(), limit))
        else:
            select = select.order_by(*self.mapper.primary_key).limit(limit + 1)
        rows = list(db.session.scalars(select).unique())
        shown = rows[:limit]
        if not has_order and len(rows) <= limit:
            # These are all: people find them by their names.
            shown.sort(key=str)
        return Found(shown, more=len(rows) > limit)

    def _matching(self, search: str) -> list[Any]:
        """Return the conditions any of which makes a row one that was looked for."""
        verbs = readers.verbs_of(self.model)
        text = search if verbs is None else verbs.fold(search)
        pattern = sa.literal(texts.part(text))
        found = [texts.contains(column, pattern, db.engine.dialect) for column in self._searched(verbs)]
        key = self._read(search)
        return found if key is None else [*found, self._among([key])]

    def _searched(self, verbs: Any) -> list[Any]:
        hidden = hidden_attributes(self.model)
        columns = {name: column for name, column in self.mapper.columns.items() if name not in hidden}
        # A search in other rows needs the right to read those.
        declared = [name for name in verbs.search if name in columns] if verbs is not None else []
        names = declared or [name for name, column in columns.items() if _is_plain_text(column)]
        return [getattr(self.model, name) for name in names]


def _is_plain_text(column: Any) -> bool:
    type_ = plain_type(column)
    is_text = isinstance(type_, sa.String) and not isinstance(type_, sa.Enum)
    return is_text and not column.info.get("secret")


def _write(field: Any, value: Any) -> str:
    shown = field._serialize(value, None, None)
    text = str(shown).lower() if isinstance(shown, bool) else str(shown)
    return quote(text, safe=_PLAIN)
