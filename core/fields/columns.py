"""The field that fits a column: chosen from its type, once for schemas, forms, filters and cursors.

Every type has one, or is refused at start with what to do instead. A module adds fields for the types of one engine.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from marshmallow import fields
from marshmallow import validate
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql

from .strict import LONGEST_BLOB
from .strict import LONGEST_TEXT
from .strict import UNPADDED
from .strict import Blob
from .strict import Exact
from .strict import Flag
from .strict import Json
from .strict import Real
from .strict import Structured
from .strict import Text
from .strict import UniqueId
from .strict import UniqueIdText
from .strict import Whole
from .temporal import Clock
from .temporal import Day
from .temporal import Duration
from .temporal import Local
from .temporal import Moment
from .temporal import ZonedClock

#: A field class and the arguments that a column's type sets.
Chosen = tuple[type[fields.Field[Any]], dict[str, Any]]

_ADDED: list[Callable[[Any], Chosen | None]] = []

#: Bits of a whole number by the column's type. The first that fits counts.
_BITS: tuple[tuple[type, int], ...] = (
    (mysql.TINYINT, 8),
    (mysql.MEDIUMINT, 24),
    (sa.SmallInteger, 16),
    (sa.BigInteger, 64),
    (sa.Integer, 32),
)

#: The largest value of 32 bits: a larger one would be infinite.
_SINGLE = 3.4028234663852886e38

#: MariaDB counts the seconds since 1970 in 32 bits, in the zone of its session.
_TIMESTAMPS = validate.Range(datetime(1970, 1, 2), datetime(2038, 1, 18))

#: Bytes of MariaDB's types that have no length of their own.
_SIZES: dict[type, int] = {mysql.TINYTEXT: 255, mysql.TINYBLOB: 255}

#: Types of bytes.
BINARY = (sa.LargeBinary, sa.BINARY, sa.VARBINARY, mysql.TINYBLOB, mysql.MEDIUMBLOB, mysql.LONGBLOB)

#: Characters of a text that are read with each row of a list.
LONGEST_READ = 1000

#: Why a type has no field.
_REFUSED: tuple[tuple[type, str], ...] = (
    (sa.PickleType, "a pickle from outside could run any code"),
    (postgresql.MONEY, "its text depends on the server's language: make it core.data.models.Money"),
    (sa.types.NullType, "it has no type: give it one"),
)


def add_fields(choose: Callable[[Any], Chosen | None]) -> None:
    """Ask a function of a module for the field of a type, before the core chooses one.

    :param choose: takes a type and returns the field class with its arguments, or ``None``
    """
    _ADDED.append(choose)


def plain_type(column: sa.Column[Any]) -> Any:
    """Return the type of a column, without the decorators and the domain around it."""
    type_: Any = column.type
    while True:
        # An interval is decorated as well: on engines that have none, it is a time since 1970.
        if isinstance(type_, sa.types.TypeDecorator) and not isinstance(type_, sa.Interval | sa.PickleType):
            type_ = type_.impl_instance
        elif isinstance(type_, postgresql.DOMAIN):
            type_ = type_.data_type
        else:
            return type_


def is_number(column: sa.Column[Any]) -> bool:
    """Return whether a column holds numbers."""
    # A Float is no Numeric in SQLAlchemy 2.1.
    return isinstance(plain_type(column), sa.Integer | sa.Numeric | sa.Float | mysql.YEAR | postgresql.OID)


def is_long(column: Any) -> bool:
    """Return whether a column may hold more than people read in a table: a text without a length, JSON, bytes."""
    type_ = plain_type(column)
    if isinstance(type_, (sa.JSON, sa.ARRAY, *BINARY)):
        return True
    return (
        isinstance(type_, sa.String)
        and not isinstance(type_, sa.Enum)
        and (type_.length or LONGEST_TEXT) > LONGEST_READ
    )


def is_hidden(column: Any) -> bool:
    """Return whether a column is internal: searched by full text, or the key of an owner."""
    return isinstance(plain_type(column), postgresql.TSVECTOR) or bool(getattr(column, "info", {}).get("hidden"))


def field_class(column: sa.Column[Any]) -> Chosen:
    """Choose the field for a column, with the arguments that its type sets.

    :raises TypeError: if no value of this type can come from outside
    """
    type_ = plain_type(column)
    if not isinstance(column, sa.Column) and isinstance(type_, sa.types.NullType):
        # An expression of SQL, which is only shown.
        return fields.Raw, {}
    chosen = next(filter(None, (choose(type_) for choose in (*_ADDED, _common, _of_texts))), None)
    if chosen is None:
        reason = next((why for kind, why in _REFUSED if isinstance(type_, kind)), "it has no form in JSON")
        raise TypeError(
            f"The column {column} of type {column.type!r} has no field, {reason}. "
            "Exclude it, or declare a field of your own for it."
        )
    return chosen


def make_field(column: sa.Column[Any]) -> fields.Field[Any]:
    """Make the field that reads and writes the values of a column outside of any schema.

    :raises TypeError: if a query string cannot hold its values
    """
    cls, arguments = field_class(column)
    if issubclass(cls, Structured | Json | Blob):
        raise TypeError(f"column {column} of type {column.type!r} can be neither filtered, sorted nor a key")
    return cls(**arguments, allow_none=False)


def not_blank(column: sa.Column[Any]) -> bool:
    """Return whether a text must have at least one visible character: NOT NULL without a default."""
    return (
        isinstance(column.type, sa.String)
        and not isinstance(column.type, sa.Enum | mysql.SET)
        and not column.nullable
        and column.default is None
        and column.server_default is None
    )


def _common(type_: Any) -> Chosen | None:
    match type_:
        case sa.Enum() if type_.enum_class is not None:
            return fields.Enum, {"enum": type_.enum_class}
        case sa.Enum():
            return Text, {"validate": [validate.OneOf(type_.enums)]}
        case sa.Boolean():
            return Flag, {}
        case sa.Integer():
            return Whole, {"validate": [_whole_range(type_)]}
        case sa.Float():
            return Real, _real_range(type_)
        case sa.Numeric():
            low = [validate.Range(min=0)] if getattr(type_, "unsigned", False) else []
            return Exact, {"precision": type_.precision, "scale": type_.scale, "validate": low}
        case sa.JSON():
            return Json, {}
        case sa.Uuid():
            return UniqueId if type_.as_uuid else UniqueIdText, {}
    if isinstance(type_, BINARY):
        return Blob, _bytes_of(type_)
    return _of_times(type_)


def _of_times(type_: Any) -> Chosen | None:
    match type_:
        case sa.DateTime():
            limits = {"validate": [_TIMESTAMPS]} if isinstance(type_, mysql.TIMESTAMP) else {}
            return (Moment if type_.timezone else Local), {**_places(type_), **limits}
        case sa.Date():
            return Day, {}
        case sa.Time():
            return (ZonedClock if type_.timezone else Clock), _places(type_)
        case sa.Interval() | postgresql.INTERVAL():
            return Duration, {}
    return None


def _of_texts(type_: Any) -> Chosen | None:
    if not isinstance(type_, sa.String) or isinstance(type_, mysql.SET):
        return None
    if isinstance(type_, sa.CHAR | sa.NCHAR):
        # PostgreSQL fills a shorter one with spaces, MariaDB drops those at the end.
        full = validate.Length(equal=type_.length or 1)
        return Text, {"validate": [full, validate.Regexp(UNPADDED, error=gettext("Must not end with a space."))]}
    return Text, {"validate": [validate.Length(max=type_.length or _SIZES.get(type(type_), LONGEST_TEXT))]}


def _whole_range(type_: Any) -> validate.Range:
    bits = next(bits for kind, bits in _BITS if isinstance(type_, kind))
    if getattr(type_, "unsigned", False):
        return validate.Range(0, 2**bits - 1)
    return validate.Range(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _real_range(type_: Any) -> dict[str, Any]:
    low = 0 if getattr(type_, "unsigned", False) else None
    single = not isinstance(type_, sa.Double) and (type_.precision or 0) <= 24
    if single:
        return {"validate": [validate.Range(-_SINGLE if low is None else low, _SINGLE)]}
    return {"validate": [validate.Range(min=low)] if low is not None else []}


def _bytes_of(type_: Any) -> dict[str, Any]:
    length = type_.length or _SIZES.get(type(type_), LONGEST_BLOB)
    return {"length": length, "fixed": isinstance(type_, sa.BINARY)}


def _places(type_: Any) -> dict[str, Any]:
    if isinstance(type_, mysql.DATETIME | mysql.TIMESTAMP | mysql.TIME):
        return {"places": type_.fsp or 0}
    precision = getattr(type_, "precision", None)
    return {} if precision is None else {"places": precision}
