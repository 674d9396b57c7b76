"""Values that an engine has no room for: reported before anything is written, not by the database half-way."""

import base64
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import sqlalchemy as sa

from .catalog import Source
from .kinds import decoder
from .kinds import kind_of
from .kinds import shortest

#: Says why a value does not fit, ``None`` if it does.
Fits = Callable[[Any], str | None]

_BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INT": 32, "INTEGER": 32, "BIGINT": 64}
#: MariaDB's, in bytes.
_BYTES = {"TINY": 2**8 - 1, "": 2**16 - 1, "MEDIUM": 2**24 - 1, "LONG": 2**32 - 1}
_SIZE = re.compile(r"\((\d+)(?:, ?(\d+))?\)")


class Room:
    """Ranges of a table's columns on the engine that it is loaded into.

    :param kinds: of the dump, which may be from another engine
    """

    def __init__(self, source: Source, kinds: dict[str, str]) -> None:
        self._checks: list[tuple[int, str, Fits]] = []
        types = {column.name: (column, type_) for column, type_ in zip(source.columns, source.types, strict=True)}
        for place, (name, kind) in enumerate(kinds.items()):
            column, type_ = types[name]
            checks: list[Fits] = [] if column.nullable else [_nullable]
            checks += _checks(kind, type_, source.dialect)
            self._checks += [(place, name, check) for check in checks]

    def refusal(self, row: list[Any]) -> tuple[str, str] | None:
        """Return which column has no room for its value, and why; ``None`` if all have."""
        for place, name, check in self._checks:
            value = row[place]
            if value is not None or check is _nullable:
                reason = check(value)
                if reason:
                    return name, reason
        return None


def _nullable(value: Any) -> str | None:
    return "may not be NULL" if value is None else None


def _checks(kind: str, type_: Any, dialect: Any) -> list[Fits]:
    spelt = type_.compile(dialect).upper()
    name = dialect.name if dialect.name != "mysql" else "mariadb"
    checks: list[Fits] = []
    makers: dict[str, Callable[[str, Any, str, str], list[Fits]]] = {
        **dict.fromkeys(("plain", "char", "text"), _plain),
        **dict.fromkeys(("local", "moment", "time", "interval"), _temporal),
        **dict.fromkeys(("double", "single"), _floating),
        **{"decimal": _decimal, "bytes": _bytes, "json": _json, "uuid": _uuid},
    }
    if kind in makers:
        checks.extend(makers[kind](kind, type_, spelt, name))
    decode = decoder(kind, type_, dialect)
    if decode is not None and (":" in kind or kind in ("enum", "uuid") or kind_of(type_, dialect) != kind):
        checks.append(_readable(decode, spelt))
    return checks


def _readable(decode: Callable[[Any], Any], spelt: str) -> Fits:
    def check(value: Any) -> str | None:
        try:
            decode(value)
        except (ValueError, LookupError, TypeError, ArithmeticError):
            return f"is no value of {spelt}"
        return None

    return check


def _plain(kind: str, type_: Any, spelt: str, engine: str) -> list[Fits]:
    word = spelt.partition("(")[0].split()[0]
    if word in _BITS or isinstance(type_, sa.Integer):
        bits = 64 if engine == "sqlite" else _BITS.get(word, 64)
        lowest, highest = (0, 2**bits - 1) if "UNSIGNED" in spelt else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return [lambda value: None if lowest <= value <= highest else f"{word} takes {lowest} to {highest}"]
    checks: list[Fits] = []
    if engine == "postgresql":
        checks.append(lambda value: "PostgreSQL keeps no NUL" if isinstance(value, str) and "\0" in value else None)
    size = _SIZE.search(spelt)
    if isinstance(type_, sa.String) and size and engine != "sqlite":
        longest = int(size[1])
        checks.append(
            lambda value: (
                f"{spelt} takes {longest} characters" if isinstance(value, str) and len(value) > longest else None
            )
        )
    elif engine == "mariadb" and word.endswith("TEXT"):
        most = _BYTES[word.removesuffix("TEXT")]
        checks.append(lambda value: f"{word} takes {most:,} bytes" if len(value.encode()) > most else None)
    return checks


def _temporal(kind: str, type_: Any, spelt: str, engine: str) -> list[Fits]:
    if engine == "sqlite":
        return []
    size = _SIZE.search(spelt)
    digits = int(size[1]) if size else (6 if engine == "postgresql" else 0)
    step = 10 ** (6 - digits)

    def fraction(value: Any) -> int:
        found = value if isinstance(value, int) else re.search(r"\.(\d{6})", value)
        return found % 1_000_000 if isinstance(found, int) else int(found[1]) if found else 0

    def check(value: Any) -> str | None:
        if fraction(value) % step:
            return f"{spelt} keeps {digits} digits of a second"
        if spelt.startswith("TIMESTAMP") and engine == "mariadb" and not "1970-01-02" < value < "2038-01-19":
            return "TIMESTAMP takes 1970 to 2038"
        return None

    return [check] if digits < 6 or engine == "mariadb" else []


def _floating(kind: str, type_: Any, spelt: str, engine: str) -> list[Fits]:
    checks: list[Fits] = []
    if engine != "postgresql":
        checks.append(lambda value: f"{engine} has no {value}" if isinstance(value, str) else None)
    if (engine, spelt.partition("(")[0]) in (("postgresql", "REAL"), ("mariadb", "FLOAT")):
        checks.append(lambda value: None if _is_single(value) else f"{spelt} keeps 7 digits")
    return checks


def _is_single(value: Any) -> bool:
    if isinstance(value, str) or shortest(value) == value:
        return True
    try:
        # A number of 4 bytes, written as one of 8.
        return bool(struct.unpack("f", struct.pack("f", value))[0] == value)
    except OverflowError:
        return False


def _decimal(kind: str, type_: Any, spelt: str, engine: str) -> list[Fits]:
    if engine == "sqlite":
        scale = getattr(type_, "scale", None)
        places = 10 if scale is None else scale
        return [lambda value: None if _is_kept(value, places) else "SQLite keeps 15 digits"]
    size = _SIZE.search(spelt)
    if size is None and engine == "postgresql":
        return []
    digits, places = (int(size[1]), int(size[2] or 0)) if size else (10, 0)

    def check(value: str) -> str | None:
        number = Decimal(value)
        if not number.is_finite():
            return None if number.is_nan() and engine == "postgresql" else f"{spelt} has no {value}"
        _, figures, exponent = number.normalize().as_tuple()
        fits = -int(exponent) <= places and len(figures) + int(exponent) <= digits - places
        return None if fits else f"{spelt} has no room for {value}"

    return [check]


def _is_kept(value: str, places: int) -> bool:
    number = Decimal(value)
    return number.is_finite() and Decimal(f"{float(number):.{places}f}") == number


def _bytes(kind: str, type_: Any, spelt: str, engine: str) -> list[Fits]:
    if engine != "mariadb":
        return []
    size = _SIZE.search(spelt)
    word = spelt.partition("(")[0]
    most = int(size[1]) if size and "BINARY" in word else _BYTES.get(word.removesuffix("BLOB"), 2**16 - 1)
    return [lambda value: f"{spelt} takes {most:,} bytes" if len(base64.b64decode(value)) > most else None]


def _uuid(kind: str, type_: Any, spelt: str, engine: str) -> list[Fits]:
    # MariaDB, as of 10.11, refuses a version from 8 on without the variant of RFC 9562.
    def check(value: str) -> str | None:
        is_known = int(value[14], 16) < 8 or int(value[19:21], 16) > 0x80
        return None if is_known else "MariaDB takes no such UUID"

    return [check] if engine == "mariadb" and spelt == "UUID" else []


def _json(kind: str, type_: Any, spelt: str, engine: str) -> list[Fits]:
    def check(value: str) -> str | None:
        try:
            orjson.loads(value)
        except ValueError:
            return f"{engine} takes JSON only, without NaN"
        return "jsonb keeps no NUL" if spelt == "JSONB" and "\\u0000" in value else None

    return [] if engine == "sqlite" else [check]
