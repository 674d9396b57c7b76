"""Types of columns: how each is written in JSON, read again, and compared between engines.

Most values are what JSON has. The others have a kind, which the dump's manifest names, so that a dump can be
read where a column has another type: an array of PostgreSQL where another engine has a JSON column.
"""

import base64
import datetime as dt
import json
import math
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine

from core.fields.columns import BINARY

_MICROSECOND = dt.timedelta(microseconds=1)

#: Before the first, there is no kind: JSON has the value.
_KINDS: list[tuple[tuple[type, ...], str]] = [
    ((sa.JSON,), "json"),
    ((mysql.SET,), "set"),
    ((sa.Uuid,), "uuid"),
    ((pg.INET, pg.CIDR), "text"),
    (BINARY, "bytes"),
    ((sa.Interval, pg.INTERVAL), "interval"),
    ((sa.Date,), "date"),
    ((sa.Time,), "time"),
    ((sa.Double,), "double"),
    ((mysql.FLOAT, sa.Float), "single"),
    ((sa.Numeric,), "decimal"),
]
_RANGES = {
    **{pg.NUMRANGE: "decimal", pg.DATERANGE: "date", pg.TSRANGE: "local", pg.TSTZRANGE: "moment"},
    **{pg.NUMMULTIRANGE: "decimal", pg.DATEMULTIRANGE: "date", pg.TSMULTIRANGE: "local", pg.TSTZMULTIRANGE: "moment"},
}


def moved(type_: TypeEngine[Any], dialects: list[Dialect]) -> TypeEngine[Any]:
    """Return the type at whose level values are carried.

    A decorator of a module (one that encrypts, say) is left out: what is stored is carried. Where it stores
    something else on each engine, only its own values mean the same.
    """
    if not isinstance(type_, TypeDecorator) or isinstance(type_, sa.Interval):
        return type_
    if type(type_).__module__ == "core.data.models":
        return type_
    stored = {type(type_.load_dialect_impl(dialect)) for dialect in dialects}
    return moved(type_.impl_instance, dialects) if len(stored) == 1 else type_


def kind_of(type_: TypeEngine[Any], dialect: Dialect) -> str:
    """Return the name of the kind of values that a type gives on an engine, ``plain`` if JSON has them."""
    if isinstance(type_, sa.Interval):
        return "interval"
    if isinstance(type_, TypeDecorator):
        kind = kind_of(type_.load_dialect_impl(dialect), dialect)
        # A decorator's values may be anything that it makes of a text: a list, an object.
        return "value" if kind == "plain" and type(type_).__module__ != "core.data.models" else kind
    if isinstance(type_, sa.CHAR):
        # The dialect's own is a String.
        return "char"
    type_ = type_.dialect_impl(dialect)
    if isinstance(type_, pg.DOMAIN):
        return kind_of(type_.data_type, dialect)
    if isinstance(type_, sa.ARRAY):
        return f"array:{kind_of(type_.item_type, dialect)}"
    for base, inner in _RANGES.items():
        if isinstance(type_, base):
            return f"{_range_word(type_)}:{inner}"
    if isinstance(type_, pg.ranges.AbstractRange):
        return f"{_range_word(type_)}:plain"
    if isinstance(type_, sa.Enum):
        return "enum" if type_.enum_class is not None else "plain"
    if isinstance(type_, sa.DateTime):
        return "moment" if type_.timezone else "local"
    return next((name for types, name in _KINDS if isinstance(type_, types)), "plain")


def _range_word(type_: TypeEngine[Any]) -> str:
    return "multirange" if isinstance(type_, pg.ranges.AbstractMultiRange) else "range"


# --- into JSON ----------------------------------------------------------------------------------


def encoder(kind: str) -> Callable[[Any], Any] | None:
    """Return what makes JSON of a value that is not None; ``None`` if it is JSON already."""
    head, _, inner = kind.partition(":")
    if head == "array":
        each = encoder(inner)
        return lambda value: _nested(value, each)
    if head == "range":
        return lambda value: _encode_range(value, encoder(inner))
    if head == "multirange":
        return lambda value: [_encode_range(one, encoder(inner)) for one in value]
    return _ENCODERS.get(kind)


def _nested(value: Any, each: Callable[[Any], Any] | None) -> Any:
    if isinstance(value, list | tuple):
        return [_nested(one, each) for one in value]
    return value if value is None or each is None else each(value)


def _encode_range(value: Any, each: Callable[[Any], Any] | None) -> Any:
    if value.isempty:
        return {"bounds": "empty"}
    ends = (_nested(value.lower, each), _nested(value.upper, each))
    return {"lower": ends[0], "upper": ends[1], "bounds": value.bounds}


def _encode_moment(value: dt.datetime) -> str:
    # Where an engine keeps no zone, it is UTC.
    return (value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)).isoformat()


def _encode_float(value: Any) -> Any:
    number = float(value)
    return number if math.isfinite(number) else repr(number)


def _encode_decimal(value: Any) -> str:
    return str(value if isinstance(value, Decimal) else Decimal(repr(value)))


_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "uuid": str,
    "text": str,
    "set": sorted,
    "bytes": lambda value: base64.b64encode(value).decode(),
    "interval": lambda value: value // _MICROSECOND,
    "date": lambda value: value.isoformat(),
    "time": lambda value: value.isoformat(),
    "local": lambda value: value.isoformat(),
    "moment": _encode_moment,
    "double": _encode_float,
    "single": _encode_float,
    "decimal": _encode_decimal,
    "enum": lambda value: value.name,
    # PostgreSQL fills it up with spaces, others do not.
    "char": lambda value: value.rstrip(" "),
}

# --- and back -----------------------------------------------------------------------------------


def decoder(kind: str, type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what makes the value that this type takes; ``None`` if it takes what is in the JSON.

    :param kind: of the dump, which may be from another engine
    """
    here = kind_of(type_, dialect)
    if here == "json" and kind != "json":
        return lambda value: json.dumps(value, ensure_ascii=False)
    if kind == "json" and here != "json":
        return json.loads
    if kind == "moment" and type(type_).__module__ == "core.data.models":
        # It takes the zone, and leaves it out itself.
        return dt.datetime.fromisoformat
    return _decoder(kind, _innermost(type_, dialect), dialect)


def _innermost(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    while isinstance(type_, TypeDecorator) and not isinstance(type_, sa.Interval):
        type_ = type_.load_dialect_impl(dialect)
    return type_


def _decoder(kind: str, type_: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    head, _, inner = kind.partition(":")
    if head == "array":
        found = type_.dialect_impl(dialect)
        item = found.item_type if isinstance(found, sa.ARRAY) else type_
        each = _decoder(inner, item, dialect)
        return lambda value: _nested(value, each)
    if head == "range":
        return lambda value: _decode_range(value, _decoder(inner, type_, dialect))
    if head == "multirange":
        return lambda value: [_decode_range(one, _decoder(inner, type_, dialect)) for one in value]
    if kind == "enum":
        names = type_.enum_class if isinstance(type_, sa.Enum) else None
        return (lambda value: names[value]) if names is not None else None
    if kind == "uuid":
        return uuid.UUID if getattr(type_, "as_uuid", True) else None
    if kind == "moment" and dialect.name != "postgresql":
        return _without_zone
    return _DECODERS.get(kind)


def _decode_range(value: dict[str, Any], each: Callable[[Any], Any] | None) -> Any:
    if value["bounds"] == "empty":
        return pg.Range(empty=True)
    return pg.Range(_nested(value["lower"], each), _nested(value["upper"], each), bounds=value["bounds"])


def _without_zone(value: str) -> dt.datetime:
    return dt.datetime.fromisoformat(value).replace(tzinfo=None)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "set": set,
    "bytes": base64.b64decode,
    "interval": lambda value: value * _MICROSECOND,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "local": dt.datetime.fromisoformat,
    "moment": dt.datetime.fromisoformat,
    "double": float,
    "single": float,
    "decimal": Decimal,
}

# --- the same on every engine -------------------------------------------------------------------


def canonical(kind: str) -> Callable[[Any], Any] | None:
    """Return what makes one spelling of those that engines have for the same value; ``None`` if there is one only."""
    head, _, inner = kind.partition(":")
    if head == "array":
        each = canonical(inner)
        return lambda value: _nested(value, each)
    return _CANONICAL.get(kind)


def _plain_decimal(value: str) -> str:
    number = Decimal(value)
    return "0" if number == 0 else f"{number.normalize():f}"


def _plain_double(value: Any) -> Any:
    # SQLite knows no minus zero.
    return value + 0.0 if not isinstance(value, str) else value


def shortest(value: Any) -> Any:
    """Return a number as the shortest that a float of 4 bytes distinguishes from its neighbours."""
    if isinstance(value, str):
        return value
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        return value
    for digits in range(6, 9):
        found = float(f"{single:.{digits}g}")
        if struct.pack("f", found) == struct.pack("f", single):
            return found + 0.0
    return float(f"{single:.9g}") + 0.0


def _plain_json(value: str) -> str:
    # 1.0, 1 and 1e0 are one number: PostgreSQL's jsonb writes each of them in its own way.
    found = json.loads(value, parse_float=_Number, parse_int=_Number)
    return json.dumps(found, sort_keys=True, default=str)


_CANONICAL: dict[str, Callable[[Any], Any]] = {
    "decimal": _plain_decimal,
    "double": _plain_double,
    "single": shortest,
    "json": _plain_json,
    "value": lambda value: _plain_json(json.dumps(value)),
}


class _Number(str):
    """A number in its one spelling; no text has its first letter."""

    def __new__(cls, text: str) -> "_Number":
        number = Decimal(text)
        return super().__new__(cls, "\0" + ("0" if number == 0 else str(number.normalize())))
