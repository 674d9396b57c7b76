"""The primary key of a model: the name of a row in addresses, and the condition that finds it.

Of one column it is that column's value. Of several it is a tuple, and in an address their texts with commas between
them: ``/seats/12,B``.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote

import sqlalchemy as sa
from marshmallow import ValidationError
from marshmallow import fields
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ColumnElement

from ..fields.columns import make_field
from ..fields.strict import from_text
from . import texts
from .addresses import address_fault


class Key:
    """The key of one model.

    :raises TypeError: if a query string cannot hold the values of one of its columns
    """

    def __init__(self, model: type[Any]) -> None:
        mapper = sa.inspect(model)
        self.model = model
        #: The attributes.
        self.names = tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key)
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
            raise ValidationError("Give the columns of the key with commas between them.")
        values = [from_text(field, part) for field, part in zip(self._fields, parts, strict=True)]
        # A row has one address: 007 is not 7.
        if self.write(self._joined(values)) != text:
            raise ValidationError("Not a key as an address has it.")
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
        if not self.is_composite:
            return self.columns[0].in_([*values])  # type: ignore[no-any-return]  # an attribute of any model
        # A comparison of tuples does not use the key's index on every engine.
        return sa.or_(sa.false(), *(self._equal(value) for value in values))

    def _equal(self, value: Any) -> ColumnElement[bool]:
        return sa.and_(*(column == part for column, part in zip(self.columns, self.parts(value), strict=True)))

    def fault(self, item: Any) -> tuple[str, str] | None:
        """Return the attribute by which no address could name a row, and why; ``None`` if one can."""
        for name, field in zip(self.names, self._fields, strict=True):
            value = getattr(item, name, None)
            # The database or a default will give it.
            fault = None if value is None else address_fault(self.model, self._text(field, value))
            if fault:
                return name, fault
        return None

    def field(self) -> fields.Field[Any]:
        """Make the field of a key in JSON: that of its column, or the text of an address."""
        return KeyText(self) if self.is_composite else make_field(sa.inspect(self.model).columns[self.names[0]])

    def _joined(self, values: list[Any]) -> Any:
        return tuple(values) if self.is_composite else values[0]

    @staticmethod
    def _text(field: fields.Field[Any], value: Any) -> str:
        text = field._serialize(value, None, None)
        return str(text).lower() if isinstance(text, bool) else str(text)


class KeyText(fields.Field[Any]):
    """A key of several columns, as addresses have it."""

    def __init__(self, key: Key, **options: Any) -> None:
        super().__init__(**options)
        self.key = key

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError("Give the key as an address has it.")
        return self.key.read(value)

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else self.key.write(value)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        return {"type": "string"}
