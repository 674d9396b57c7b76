"""Recording plans: a model's recorded columns, and how their values are written and read back exactly."""

import json
import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from marshmallow import ValidationError
from marshmallow import fields
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.interfaces import MANYTOMANY
from sqlalchemy.orm.interfaces import MANYTOONE

from core.fields import Related
from core.fields.columns import field_class
from core.fields.columns import make_field
from core.fields.columns import plain_type
from core.fields.strict import Flag
from core.fields.strict import Text
from core.fields.strict import Whole
from core.fields.strict import from_text

Field = fields.Field[Any]

_PLAIN = {bool, int, str, type(None)}


class Unreadable(Exception):
    """A value that was recorded is none of its column any more, or was none of its field."""


@dataclass(frozen=True)
class Plan:
    """Recorded parts of one model.

    :param columns: attribute to the field that writes its values; ``None`` where only that they changed is recorded
    :param links: relationships by a table between, each with a field of the keys
    :param pointers: foreign keys, each with the relationship that people know it by
    :param counted: attributes that are set at each update: no change of their own
    :param plain: attributes whose values JSON has as they are
    :param made: attributes that the database sets where the application has not
    """

    mapper: Mapper[Any]
    columns: Mapping[str, Field | None]
    links: Mapping[str, Related]
    pointers: Mapping[str, str]
    counted: frozenset[str]
    plain: frozenset[str]
    made: frozenset[str]

    @property
    def table(self) -> str:
        """The name of the model in the history."""
        return str(self.mapper.class_.__table__.name)

    def key_text(self, key: Sequence[Any]) -> str:
        """Return the key of a row as text; of several columns, as JSON."""
        names = [self.mapper.get_property_by_column(column).key for column in self.mapper.primary_key]
        parts = [_shown(self.columns[name], value) for name, value in zip(names, key, strict=True)]
        return str(parts[0]) if len(parts) == 1 else json.dumps(parts)

    def key_of(self, text: str) -> Any:
        """Read the text of a key: a value, or of several columns, a tuple; ``None`` if no row can have it."""
        # Not the plan's own fields, which take what no column of this type holds.
        try:
            names = [self.mapper.get_property_by_column(column).key for column in self.mapper.primary_key]
            known = [make_field(self.mapper.columns[name]) for name in names]
            if len(known) == 1:
                return from_text(known[0], text)
            parts = json.loads(text)
            return tuple(field.deserialize(part) for field, part in zip(known, parts, strict=True))
        except (TypeError, ValueError, ValidationError):
            return None

    def write(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
        """Return values as JSON has them, and the names of those that are not kept."""
        kept, hidden = {}, set()
        for name, value in values.items():
            # Most values are JSON as they are: a row of ten columns costs 5 µs so, 50 by their fields.
            if type(value) in _PLAIN and (name in self.plain or self.is_beside(name)):
                kept[name] = value
                continue
            field = self.columns.get(name) or self.links.get(name)
            try:
                if field is None:
                    raise Unreadable
                kept[name] = _shown(field, value)
            except (Unreadable, ArithmeticError, AttributeError, TypeError, ValueError):
                # A custom type: a thin history is better than a row that cannot be saved.
                hidden.add(name)
        return kept, hidden

    def is_secret(self, name: str) -> bool:
        """Return whether of a column it is only recorded that it changed."""
        return name in self.columns and self.columns[name] is None

    def is_beside(self, name: str) -> bool:
        """Return whether a value is none of the model's own: what other rows say of it, by `row_written`."""
        return name not in self.columns and name not in self.links

    def read(self, name: str, value: Any) -> Any:
        """Return a value that was recorded as Python has it; of a link, those rows that still are.

        :raises Unreadable: if it is none of this column
        """
        if name in self.links:
            return _rows(self.links[name], value)
        field = self.columns.get(name)
        if field is None:
            raise Unreadable(name)
        try:
            return None if value is None else field.deserialize(value)
        except ValidationError as error:
            raise Unreadable(name) from error

    def holds(self, item: Any, name: str, value: Any) -> bool:
        """Return whether a row has the value that was recorded."""
        field = self.columns.get(name) or self.links.get(name)
        if field is None:
            return False
        current = getattr(item, name)
        if _shown(field, current) == value:
            return True
        try:
            # 9.5 was entered where the column gives 9.50.
            return name in self.columns and bool(self.read(name, value) == current)
        except Unreadable:
            return False


def make_plan(mapper: Mapper[Any]) -> Plan:
    """Make the plan of a model from its columns' types and ``info``."""
    columns, counted = {}, set()
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        if not isinstance(column, sa.Column) or not _is_recorded(column):
            continue
        columns[attribute.key] = _field(column)
        if column is mapper.version_id_col or column.onupdate is not None:
            counted.add(attribute.key)
    links = {
        relation.key: Related(relation)
        for relation in mapper.relationships
        if relation.direction is MANYTOMANY and not relation.viewonly and relation.lazy not in ("dynamic", "write_only")
    }
    pointers = {
        mapper.get_property_by_column(column).key: relation.key
        for relation in mapper.relationships
        if relation.direction is MANYTOONE
        for column in relation.local_columns
    }
    plain = frozenset(name for name, field in columns.items() if type(field) in (Flag, Text, Whole))
    made = frozenset(name for name in columns if mapper.columns[name].server_default is not None)
    return Plan(mapper, columns, links, pointers, frozenset(counted), plain, made)


def _is_recorded(column: sa.Column[Any]) -> bool:
    # Columns that the database computes from others say nothing new.
    if column.computed is not None or isinstance(plain_type(column), TSVECTOR):
        return False
    return bool(column.info.get("recorded", True))


def _field(column: sa.Column[Any]) -> Field | None:
    if column.info.get("secret"):
        return None
    try:
        cls, arguments = field_class(column)
    except TypeError:
        return None
    # A stored value is read back as it is, also where the rules for input have become stricter.
    return cls(**{name: value for name, value in arguments.items() if name != "validate"})


def _shown(field: Field | None, value: Any) -> Any:
    if field is None:
        raise Unreadable
    shown = None if value is None else field._serialize(value, None, None)
    if isinstance(shown, float | list) and not _is_finite(shown):
        # JSON has no NaN.
        raise Unreadable
    return shown


def _is_finite(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _rows(link: Related, keys: Iterable[Any]) -> Any:
    """Return the rows of these keys that there are."""
    found: list[Any] = []
    for key in keys:
        try:
            found += link.deserialize([key])
        except ValidationError:
            continue
    return link.collection(found)
