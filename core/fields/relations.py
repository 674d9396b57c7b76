"""Relationships in JSON: the keys of the related rows, of rows that exist."""

from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask.sansio.app import App
from flask_babel import gettext
from marshmallow import ValidationError
from marshmallow import fields
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.interfaces import MANYTOONE

from services import db

from ..platform import platform_of
from .columns import make_field
from .json_schema import json_schema
from .words import noun

#: Rows that a body may name in one relationship: they are looked up in one query.
MOST_RELATED = 1000


def choose_by(app: App, rows: Callable[[type[Any]], sa.Select[Any]]) -> None:
    """Accept in a body only those rows of a model that ``rows`` selects; others are refused like missing ones."""
    platform_of(app).selectable = rows


class Related(fields.Field[Any]):
    """The rows that a relationship leads to, by their keys.

    JSON shows the key of each, or an object of its parts where the key has several columns. What
    is loaded are rows that exist; marshmallow-sqlalchemy's field of this name makes a new one of an
    unknown key.
    """

    def __init__(self, relation: RelationshipProperty[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        mapper = relation.mapper
        self.model = mapper.class_
        names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        self.keys = {name: make_field(mapper.columns[name]) for name in names}
        self.many = bool(relation.uselist)
        self.optional = relation.direction is not MANYTOONE or any(c.nullable for c in relation.local_columns)
        # A body's items come in its own order: they are shown in the order of the keys, now and later.
        self.ordered = bool(relation.order_by) and self.dump_only
        self.collection: Callable[..., Any] = set if relation.collection_class is set else list

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if value is None or not self.many:
            return None if value is None else self._shown(value)
        rows = value.values() if isinstance(value, Mapping) else value
        return [self._shown(row) for row in (rows if self.ordered else sorted(rows, key=self._key))]

    def _shown(self, row: Any) -> Any:
        parts = {name: field.serialize(name, row) for name, field in self.keys.items()}
        return parts if len(parts) > 1 else next(iter(parts.values()))

    def _key(self, row: Any) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in self.keys)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if self.many and not isinstance(value, list):
            raise ValidationError(gettext("Not a valid list."))
        given = value if self.many else [value]
        if len(given) > MOST_RELATED:
            raise ValidationError(gettext("At most %(most_related)s rows.", most_related=MOST_RELATED))
        keys = [self._read(key) for key in given]
        if len(set(keys)) < len(keys):
            raise ValidationError(gettext("Name each row once."))
        found = self._find(keys)
        unknown = [", ".join(map(str, key)) for key in keys if key not in found]
        if unknown:
            name = noun(self.model)
            raise ValidationError([gettext("There is no %(noun)s %(key)s.", noun=name, key=text) for text in unknown])
        rows = [found[key] for key in keys]
        return self.collection(rows) if self.many else rows[0]

    def _read(self, value: Any) -> tuple[Hashable, ...]:
        parts = value if len(self.keys) > 1 else {next(iter(self.keys)): value}
        if not isinstance(parts, dict) or set(parts) != set(self.keys):
            raise ValidationError(gettext("Give the key of a row: its %(names)s.", names=" and ".join(self.keys)))
        return tuple(field.deserialize(parts[name]) for name, field in self.keys.items())

    def _find(self, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        if not keys:
            return {}
        columns = [getattr(self.model, name) for name in self.keys]
        among = sa.tuple_(*columns).in_(keys) if len(columns) > 1 else columns[0].in_([key for (key,) in keys])
        rows: Callable[[type[Any]], sa.Select[Any]] = platform_of(current_app).selectable or sa.select
        # MariaDB finds "a" for "A"; what counts is the key that the row has.
        return {self._key(row): row for row in db.session.scalars(rows(self.model).where(among)).unique()}

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows; which rows there are, it does not say."""
        parts = {name: json_schema(field, shown=shown) for name, field in self.keys.items()}
        found = next(iter(parts.values()))
        if len(parts) > 1:
            found = {"type": "object", "properties": parts, "required": [*parts], "additionalProperties": False}
        if self.many:
            limits = {} if shown else {"uniqueItems": True, "maxItems": MOST_RELATED}
            return {"type": "array", "items": found, **limits}
        return {"anyOf": [found, {"type": "null"}]} if shown and self.optional and not self.allow_none else found
