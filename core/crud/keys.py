"""The primary key of a model: the name of a row in addresses, and the condition that finds it.

Of one column it is that column's value. Of several it is a tuple, and in an address their texts with commas between
them: ``/seats/12,B``.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from flask_babel import gettext
from marshmallow import ValidationError
from marshmallow import fields
from sqlalchemy.engine import Dialect
from sqlalchemy.orm.interfaces import MANYTOONE
from sqlalchemy.sql.elements import ColumnElement

from ..data.models import key_fault
from ..fields.columns import make_field
from ..fields.strict import from_text
from . import texts

#: Words that stand for something else in the addresses of a model's rows. By model: its faces are declared once,
#: whichever applications have them.
_reserved: WeakKeyDictionary[type[Any], set[str]] = WeakKeyDictionary()


def reserve(model: type[Any], word: str) -> None:
    """Keep a word from being the key of a row: it stands for something else in an address."""
    _reserved.setdefault(model, set()).add(word)


class Key:
    """The key of one model.

    :raises TypeError: if a query string cannot hold the values of one of its columns
    """

    def __init__(self, model: type[Any]) -> None:
        mapper = sa.inspect(model)
        self.model = model
        #: The attributes.
        self.names = tuple(attribute_of(model, column) for column in mapper.primary_key)
        self.columns = tuple(getattr(model, name) for name in self.names)
        self._fields = tuple(make_field(mapper.columns[name]) for name in self.names)

    @property
    def is_composite(self) -> bool:
        """Return whether it has several columns."""
        return len(self.names) > 1

    def of(self, item: Any) -> Any:
        """Return the key of a row: a value, or a tuple of several."""
        return self._joined([getattr(item, name) for name in self.names])

    def of_row(self, row: Sequence[Any]) -> Any:
        """Return the key that a row of a SELECT of the key's columns holds."""
        return self._joined([*row])

    def read(self, text: str) -> Any:
        """Read a key from an address.

        :raises ValidationError: if no row can have it
        """
        parts = [unquote(part) for part in text.split(",")] if self.is_composite else [text]
        if len(parts) != len(self.names):
            raise ValidationError(gettext("Give the columns of the key with commas between them."))
        values = [from_text(field, part) for field, part in zip(self._fields, parts, strict=True)]
        # A row has one address: 007 is not 7.
        if self.write(self._joined(values)) != text:
            raise ValidationError(gettext("Not a key as an address has it."))
        return self._joined(values)

    def write(self, value: Any) -> str:
        """Return what names a row in an address."""
        parts = [self._text(field, one) for field, one in zip(self._fields, self.parts(value), strict=True)]
        return ",".join(quote(part, safe="") for part in parts) if self.is_composite else parts[0]

    def parts(self, value: Any) -> tuple[Any, ...]:
        """Return the values of the columns of a key."""
        return tuple(value) if self.is_composite else (value,)

    def equals(self, value: Any, dialect: Dialect) -> ColumnElement[bool]:
        """Return the condition for the row with a key.

        :param value: as :meth:`of` returns it, or parameters in the place of values
        """
        pairs = zip(self.columns, self.parts(value), strict=True)
        return sa.and_(*(texts.equal(column, one, dialect) for column, one in pairs))

    def among(self, values: Iterable[Any]) -> ColumnElement[bool]:
        """Return the condition for the rows with one of several keys."""
        return among(self.columns, map(self.parts, values))

    def fault(self, item: Any) -> tuple[str, str] | None:
        """Return the attribute by which no address could name a row, and why; ``None`` if one can."""
        for name, field in zip(self.names, self._fields, strict=True):
            value = getattr(item, name, None)
            # The database or a default will give it.
            fault = None if value is None else self._fault(self._text(field, value))
            if fault:
                return name, fault
        return None

    def _fault(self, text: str) -> str | None:
        if text in _reserved.get(self.model, ()):
            return gettext("No address can name “%(text)s”: it stands for something else there.", text=text)
        return key_fault(text)

    def changed(self, item: Any, data: Mapping[str, Any]) -> Iterator[str]:
        """Yield the attributes by which new values would change the key of a row: columns, or related rows."""
        yield from (name for name in self.names if data.get(name, own := getattr(item, name)) != own)
        mapper = sa.inspect(self.model)
        for name in (name for name in data if name in mapper.relationships and data[name] is not None):
            relation = mapper.relationships[name]
            for own, remote in relation.local_remote_pairs or () if relation.direction is MANYTOONE else ():
                attribute = mapper.get_property_by_column(own).key
                other = relation.mapper.get_property_by_column(remote).key
                if attribute in self.names and getattr(data[name], other) != getattr(item, attribute):
                    yield name

    def field(self) -> fields.Field[Any]:
        """Make the field of a key in JSON: that of its column, or the text of an address."""
        return KeyText(self) if self.is_composite else make_field(sa.inspect(self.model).columns[self.names[0]])

    def _joined(self, values: list[Any]) -> Any:
        return tuple(values) if self.is_composite else values[0]

    @staticmethod
    def _text(field: fields.Field[Any], value: Any) -> str:
        text = field._serialize(value, None, None)
        return str(text).lower() if isinstance(text, bool) else str(text)


def attribute_of(model: type[Any], column: Any) -> str:
    """Return the name of the attribute that holds a column."""
    return str(sa.inspect(model).get_property_by_column(column).key)


def among(columns: Sequence[Any], keys: Iterable[tuple[Any, ...]]) -> ColumnElement[bool]:
    """Return the condition for the rows with some keys, of one column or of several."""
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])  # type: ignore[no-any-return]  # an attribute of any model
    # A comparison of tuples does not use the key's index on every engine.
    rows = (sa.and_(*(column == part for column, part in zip(columns, key, strict=True))) for key in keys)
    return sa.or_(sa.false(), *rows)


class KeyText(fields.Field[Any]):
    """A key of several columns, as addresses have it."""

    def __init__(self, key: Key, **options: Any) -> None:
        super().__init__(**options)
        self.key = key

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError(gettext("Give the key as an address has it."))
        return self.key.read(value)

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else self.key.write(value)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        return {"type": "string"}
