"""Strict marshmallow fields, and the one that fits a column.

Both the schemas and the query strings of lists use them: a value that passes can be stored and
compared on every engine, and is never changed on the way.
"""

import datetime as dt
import re
import uuid
from decimal import Context
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from marshmallow import ValidationError
from marshmallow import fields
from marshmallow import validate

#: Integers by the column's type: (lowest, highest).
_RANGES: dict[type, tuple[int, int]] = {
    sa.SmallInteger: (-(2**15), 2**15 - 1),
    sa.BigInteger: (-(2**63), 2**63 - 1),
    sa.Integer: (-(2**31), 2**31 - 1),
}

#: PostgreSQL's largest size of one value is 1 GB; nobody means to send a name of that length.
LONGEST_TEXT = 1_000_000

#: Levels of a JSON value: MariaDB takes no more.
DEEPEST = 31

#: More digits than any column has, so that nothing is rounded.
_EXACTLY = Context(prec=200)


def check_text(value: str) -> None:
    """Refuse what PostgreSQL cannot store or UTF-8 cannot write.

    :raises ValidationError: for NUL and for lone surrogates
    """
    if "\0" in value:
        raise ValidationError("NUL characters are not allowed.")
    if not value.isascii() and re.search("[\ud800-\udfff]", value):
        raise ValidationError("Lone surrogates are not characters.")


def require_visible(value: str) -> None:
    """Refuse a text of white space only.

    :raises ValidationError: if there is nothing to see
    """
    if not value.strip():
        raise ValidationError("This field is required.")


def _check_nested(value: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise ValidationError(f"At most {DEEPEST} levels deep.")
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValidationError("Integers are of 64 bits.")
    elif isinstance(value, dict):
        for name, item in value.items():
            check_text(name)
            _check_nested(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_nested(item, depth + 1)


class Text(fields.String):
    """A string without NUL and lone surrogates."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        check_text(text)
        return text


class Whole(fields.Integer):
    """A whole number, written as one: not ``"12"``, not ``12.0``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _validated(self, value: Any) -> Any:
        if isinstance(value, str | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Flag(fields.Boolean):
    """``true`` or ``false``, and nothing that resembles them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Exact(fields.Decimal):
    """A decimal that fits its column; more places are refused, not rounded. Written as a string.

    :param precision: all its digits
    :param scale: those after the point
    """

    def __init__(self, *, precision: int | None = None, scale: int | None = None, **kwargs: Any) -> None:
        self.precision = precision
        self.scale = scale
        super().__init__(as_string=True, allow_nan=False, **kwargs)

    def _validated(self, value: Any) -> Decimal:
        if isinstance(value, str) and not re.fullmatch(r"[+-]?\d{1,40}(\.\d{0,40})?", value, re.ASCII):
            raise self.make_error("invalid", input=value)
        number = super()._validated(value)
        if self.precision is None or self.scale is None:
            return number
        if -int(number.as_tuple().exponent) > self.scale:
            raise ValidationError(f"At most {self.scale} decimal places.")
        if abs(number) >= 10 ** (self.precision - self.scale):
            raise ValidationError(f"At most {self.precision - self.scale} digits before the point.")
        # As the column will give it back: 2 is 2.00, and there is no -0.
        return (number + 0).quantize(Decimal(1).scaleb(-self.scale), context=_EXACTLY)


class Real(fields.Float):
    """A finite number."""

    def _validated(self, value: Any) -> Any:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        number = super()._validated(value)
        # SQLite and MariaDB know no -0.0.
        return number if number is None else number + 0.0


class Moment(fields.AwareDateTime):
    """A date and time with its zone, in ISO 8601; kept in UTC."""

    default_error_messages = {"invalid_awareness": "A date and time needs a zone: 2026-01-31T12:00:00Z."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dt.datetime:
        moment: dt.datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            moment = moment.astimezone(dt.UTC)
        except OverflowError:
            raise self.make_error("invalid", input=value, obj_type="datetime") from None
        _check_year(moment.year)
        return moment


class Local(fields.NaiveDateTime):
    """A date and time without a zone, in ISO 8601."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dt.datetime:
        moment: dt.datetime = super()._deserialize(value, attr, data, **kwargs)
        _check_year(moment.year)
        return moment


class Day(fields.Date):
    """A date in ISO 8601, ``2026-01-31``."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dt.date:
        day: dt.date = super()._deserialize(value, attr, data, **kwargs)
        _check_year(day.year)
        return day


def _check_year(year: int) -> None:
    # MariaDB's dates begin with the year 1000.
    if not 1000 <= year <= 9999:
        raise ValidationError("The year must be from 1000 to 9999.")


class UniqueId(fields.UUID):
    """A UUID that every engine takes.

    MariaDB refuses, as of 10.11, what has a version from 8 on and not the variant of RFC 9562.
    """

    def _validated(self, value: Any) -> uuid.UUID:
        number: uuid.UUID = super()._validated(value)
        if number.bytes[6] >= 0x80 and number.bytes[8] <= 0x80:
            raise self.make_error("invalid_uuid")
        return number


class Json(fields.Raw):
    """Any JSON value whose texts can be stored."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        _check_nested(value)
        return value


def plain_type(column: sa.Column[Any]) -> Any:
    """Return the type of a column, without the decorator around it."""
    type_ = column.type
    # An interval is decorated as well: on engines that have none, it is a time since 1970.
    decorated = isinstance(type_, sa.types.TypeDecorator) and not isinstance(type_, sa.Interval)
    return type_.impl_instance if decorated else type_  # type: ignore[attr-defined]


def is_number(column: sa.Column[Any]) -> bool:
    """Return whether a column holds numbers."""
    # A Float is no Numeric in SQLAlchemy 2.1.
    return isinstance(plain_type(column), sa.Integer | sa.Numeric | sa.Float)


def field_class(column: sa.Column[Any]) -> tuple[type[fields.Field[Any]], dict[str, Any]] | None:
    """Choose the field for a column, with the arguments that its type sets.

    :return: ``None`` for a type that marshmallow-sqlalchemy's own choice serves
    """
    type_ = plain_type(column)
    match type_:
        case sa.Enum() if type_.enum_class is not None:
            return fields.Enum, {"enum": type_.enum_class}
        case sa.Enum():
            return Text, {"validate": [validate.OneOf(type_.enums)]}
        case sa.String():
            return Text, {"validate": [validate.Length(max=type_.length or LONGEST_TEXT)]}
        case sa.Boolean():
            return Flag, {}
        case sa.Integer():
            low, high = next(_RANGES[kind] for kind in type(type_).__mro__ if kind in _RANGES)
            return Whole, {"validate": [validate.Range(low, high)]}
        case sa.Float():
            return Real, {}
        case sa.Numeric():
            return Exact, {"precision": type_.precision, "scale": type_.scale}
        case sa.DateTime():
            return (Moment if type_.timezone else Local), {}
        case sa.Date():
            return Day, {}
        case sa.JSON():
            return Json, {}
        case sa.Uuid() if type_.as_uuid:
            return UniqueId, {}
    return None


def make_field(column: sa.Column[Any]) -> fields.Field[Any]:
    """Make the field that reads and writes the values of a column outside of any schema."""
    chosen = field_class(column)
    if chosen is not None and chosen[0] is not Json:
        cls, arguments = chosen
        return cls(**arguments, allow_none=False)
    match column.type:
        case sa.Uuid():
            return fields.UUID()
        case sa.Time():
            return fields.Time()
    raise TypeError(f"column {column} of type {column.type!r} can be neither filtered, sorted nor a key")


def from_text(field: fields.Field[Any], text: str) -> Any:
    """Read a value from a query string or a path, where everything is text.

    :raises ValidationError: if the text is no value of this field
    """
    value: Any = text
    if isinstance(field, Flag):
        value = {"true": True, "false": False}.get(text, text)
    elif isinstance(field, Whole):
        value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,30}", text) else text
    elif isinstance(field, Real):
        value = float(text) if re.fullmatch(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?", text) else text
    return field.deserialize(value)


def not_blank(column: sa.Column[Any]) -> bool:
    """Return whether a text must have at least one visible character: NOT NULL without a default."""
    return (
        isinstance(column.type, sa.String)
        and not isinstance(column.type, sa.Enum)
        and not column.nullable
        and column.default is None
        and column.server_default is None
    )
