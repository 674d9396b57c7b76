"""Strict fields for what only PostgreSQL or MariaDB has: arrays, ranges, sets, addresses, bits.

What the engine would bring into another form (a range's bounds, the letters of an address) is
brought into it here, so that an answer to a change shows what is read later.
"""

import ipaddress
from collections.abc import Callable
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask_babel import gettext
from marshmallow import ValidationError
from marshmallow import fields
from sqlalchemy.dialects.postgresql.ranges import MultiRange as Ranges
from sqlalchemy.dialects.postgresql.ranges import Range as Bounds

from core.fields.json_schema import json_schema
from core.fields.strict import WITHOUT_NUL
from core.fields.strict import Spelled
from core.fields.strict import Structured
from core.fields.strict import check_text
from core.fields.strict import matches

#: From a day to the next.
ONE_DAY = timedelta(days=1)

#: Items of a list, ranges of a multirange, pairs of an hstore.
MOST_ITEMS = 1000

_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"({_BYTE}\.){{3}}{_BYTE}"
_WORD = "[0-9A-Fa-f]{1,4}"
#: Without the form that ends like IPv4, which engines write differently.
_IPV6 = "|".join(
    [
        f"({_WORD}:){{7}}{_WORD}",
        f"({_WORD}:){{1,7}}:",
        *(f"({_WORD}:){{1,{7 - after}}}(:{_WORD}){{1,{after}}}" for after in range(1, 7)),
        f":(:{_WORD}){{1,7}}",
        "::",
    ]
)
_LENGTH4, _LENGTH6 = "(3[0-2]|[12]?[0-9])", "(12[0-8]|1[01][0-9]|[1-9]?[0-9])"


class Array(Structured):
    """A list of values of one type; in several dimensions, lists of the same length. NULL is no item.

    :param inner: the field of an item
    :param as_tuple: whether Python has tuples
    """

    def __init__(self, inner: fields.Field[Any], *, dimensions: int = 1, as_tuple: bool = False, **kwargs: Any) -> None:
        self.inner = inner
        self.dimensions = dimensions
        self.kind = tuple if as_tuple else list
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if isinstance(value, list | tuple):
            return [self._serialize(item, None, None) for item in value]
        return None if value is None else self.inner._serialize(value, None, None)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return self._read(value, self.dimensions)

    def _read(self, value: Any, dimensions: int) -> Any:
        if dimensions == 0:
            return self.inner.deserialize(value)
        _check_list(value)
        if not value and dimensions < self.dimensions:
            raise ValidationError(gettext("A list within another must not be empty."))
        items = _each(value, lambda item: self._read(item, dimensions - 1))
        if dimensions > 1 and len({_shape(item) for item in items}) > 1:
            raise ValidationError(gettext("The lists within it must be of the same length."))
        return self.kind(items)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows; that inner lists are of the same length, no JSON Schema can say."""
        found = json_schema(self.inner, shown=shown)
        if shown:
            return _list_of(found, self.dimensions)
        for dimension in range(self.dimensions):
            inner = {"minItems": 1} if dimension < self.dimensions - 1 else {}
            found = {"type": "array", "items": found, "maxItems": MOST_ITEMS, **inner}
        return found


def _each(values: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
    """Read the items of a list.

    :raises ValidationError: naming the place of the first that is wrong
    """
    found = []
    for place, value in enumerate(values):
        try:
            found.append(read(value))
        except ValidationError as error:
            raise ValidationError(
                gettext("[%(place)s]: %(names)s", place=place, names=" ".join(map(str, error.messages)))
            ) from None
    return found


def _check_list(value: Any) -> None:
    if not isinstance(value, list):
        raise ValidationError(gettext("Not a valid list."))
    if len(value) > MOST_ITEMS:
        raise ValidationError(gettext("At most %(most_items)s items.", most_items=MOST_ITEMS))


def _shape(value: Any) -> tuple[int, ...]:
    return (len(value), *_shape(value[0])) if isinstance(value, list | tuple) else ()


def _list_of(items: dict[str, Any], times: int = 1) -> dict[str, Any]:
    return items if times == 0 else {"type": "array", "items": _list_of(items, times - 1)}


class Choices(Structured):
    """A set of some of the texts that MariaDB's SET names, shown in its order."""

    def __init__(self, *, choices: Sequence[str], **kwargs: Any) -> None:
        self.choices = list(choices)
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> list[str] | None:
        return None if value is None else [choice for choice in self.choices if choice in value]

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> set[str]:
        _check_list(value)
        if any(choice not in self.choices for choice in value):
            raise ValidationError(gettext("Must be some of: %(names)s.", names=", ".join(self.choices)))
        if len(set(value)) < len(value):
            raise ValidationError(gettext("Name each choice once."))
        return set(value)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        return {"type": "array", "items": {"type": "string", "enum": self.choices}, "uniqueItems": True}


class Hstore(Structured):
    """An object whose values are texts or null."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> dict[str, str | None] | None:
        return None if value is None else dict(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dict[str, str | None]:
        if not isinstance(value, dict) or len(value) > MOST_ITEMS:
            raise ValidationError(gettext("Not an object of at most %(most_items)s texts.", most_items=MOST_ITEMS))
        for name, text in value.items():
            if text is not None and not isinstance(text, str):
                raise ValidationError(gettext("The values must be texts or null."))
            check_text(name)
            check_text(text or "")
        return value

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        texts: dict[str, Any] = {"type": ["string", "null"]}
        if shown:
            return {"type": "object", "additionalProperties": texts}
        return {
            "type": "object",
            "additionalProperties": {**texts, "pattern": WITHOUT_NUL},
            "propertyNames": {"pattern": WITHOUT_NUL},
            "maxProperties": MOST_ITEMS,
        }


class Patterned(Spelled):
    """A text of one pattern, and what the driver gives and takes for it.

    :param noun: what it is, for the message
    :param read: makes Python's value of the text
    """

    def __init__(self, *, pattern: str, noun: str, read: Callable[[str], Any] = str, **kwargs: Any) -> None:
        self.pattern = pattern
        self.noun = noun
        self.read = read
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not matches(self.pattern, value):
            raise ValidationError(gettext("Not %(noun)s.", noun=self.noun))
        try:
            return self.read(value)
        except ValueError:
            raise ValidationError(gettext("Not %(noun)s.", noun=self.noun)) from None

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        return {"type": "string"} if shown else {"type": "string", "pattern": self.pattern}


def _address(text: str) -> Any:
    interface = ipaddress.ip_interface(text)
    # psycopg gives an address where the length is that of a whole one.
    return interface.ip if interface.network.prefixlen == interface.max_prefixlen else interface


#: The arguments of :class:`Patterned` by what a column holds.
INET = {
    "pattern": f"^({_IPV4}(/{_LENGTH4})?|({_IPV6})(/{_LENGTH6})?)$",
    "noun": "an address: 192.0.2.1 or 2001:db8::1, with /24 where its network is meant, too",
    "read": _address,
}
CIDR = {
    "pattern": f"^({_IPV4}/{_LENGTH4}|({_IPV6})/{_LENGTH6})$",
    "noun": "a network: 192.0.2.0/24 or 2001:db8::/32, with no bit set behind the length",
    "read": ipaddress.ip_network,
}
INET4 = {"pattern": f"^{_IPV4}$", "noun": "an address: 192.0.2.1"}
INET6 = {
    "pattern": f"^({_IPV6})$",
    "noun": "an address: 2001:db8::1",
    "read": lambda text: str(ipaddress.IPv6Address(text)),
}
MACADDR = {
    "pattern": "^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$",
    "noun": "an address: 08:00:2b:01:02:03",
    "read": str.lower,
}
MACADDR8 = {
    "pattern": "^([0-9a-fA-F]{2}:){7}[0-9a-fA-F]{2}$",
    "noun": "an address: 08:00:2b:01:02:03:04:05",
    "read": str.lower,
}


def bits(length: int, *, varying: bool) -> dict[str, Any]:
    """Return the arguments of :class:`Patterned` for a bit string."""
    digits = f"{{0,{length}}}" if varying else f"{{{length}}}"
    return {"pattern": f"^[01]{digits}$", "noun": f"{'at most ' * varying}{length} digits of 0 and 1"}


class Range(Structured):
    """A range as ``{"lower": 1, "upper": 5, "bounds": "[)"}``; null is an end that is open.

    A range of whole numbers or days is brought into the form ``[)``, as PostgreSQL does. The empty
    range is shown with the bounds "empty" and taken so.

    :param inner: the field of both ends
    :param step: from one value to the next, where there is a next one
    """

    def __init__(self, inner: fields.Field[Any], *, step: Any = None, **kwargs: Any) -> None:
        self.inner = inner
        self.step = step
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        lower, upper = (self.inner._serialize(end, None, None) for end in (value.lower, value.upper))
        return {"lower": lower, "upper": upper, "bounds": "empty" if value.is_empty else value.bounds}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict) or not set(value) <= {"lower", "upper", "bounds"}:
            raise ValidationError(gettext('Not a range: write {"lower": …, "upper": …, "bounds": "[)"}.'))
        if value.get("bounds") == "empty":
            if value.get("lower") is not None or value.get("upper") is not None:
                raise ValidationError(gettext("An empty range has no ends."))
            return Bounds(empty=True)
        lower, upper = (self._end(value.get(name)) for name in ("lower", "upper"))
        bounds = value.get("bounds", "[)")
        if not isinstance(bounds, str) or bounds not in ("[)", "(]", "[]", "()"):
            raise ValidationError(gettext("The bounds must be one of [), (], [], (), empty."))
        return self._range(lower, upper, bounds)

    def _end(self, value: Any) -> Any:
        return None if value is None else self.inner.deserialize(value)

    def _range(self, lower: Any, upper: Any, bounds: str) -> Any:
        if lower is not None and upper is not None and (lower > upper or (lower == upper and bounds != "[]")):
            raise ValidationError(
                gettext('The lower end must be below the upper one: an empty range is {"bounds": "empty"}.')
            )
        left, right = bounds[0], bounds[1]
        if self.step is not None:
            try:
                lower = lower + self.step if lower is not None and left == "(" else lower
                upper = upper + self.step if upper is not None and right == "]" else upper
            except OverflowError:
                raise ValidationError(gettext("The range ends too late.")) from None
            if lower is not None and lower == upper:
                raise ValidationError(gettext('Nothing is in this range: an empty one is {"bounds": "empty"}.'))
            left, right = "[", ")"
        return Bounds(lower, upper, bounds=("(" if lower is None else left) + (")" if upper is None else right))  # type: ignore[arg-type]  # one of four

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows; that its lower end is below the upper one, no JSON Schema can say."""
        found = json_schema(self.inner, shown=shown)
        end = {"anyOf": [found, {"type": "null"}]}
        texts = {"type": "string", "enum": ["[)", "(]", "[]", "()"]}
        empty = {"type": "string", "enum": ["empty"]}
        if shown:
            texts = {"type": "string", "enum": [*texts["enum"], *empty["enum"]]}
        some: dict[str, Any] = {
            "type": "object",
            "properties": {"lower": end, "upper": end, "bounds": texts},
            "additionalProperties": False,
        }
        if shown:
            return {**some, "required": ["lower", "upper", "bounds"]}
        nothing = {
            "type": "object",
            "properties": {"lower": {"type": "null"}, "upper": {"type": "null"}, "bounds": empty},
            "required": ["bounds"],
            "additionalProperties": False,
        }
        return {"anyOf": [some, nothing]}


class MultiRange(Structured):
    """A list of ranges, brought in order and joined where they meet, as PostgreSQL does."""

    def __init__(self, inner: Range, **kwargs: Any) -> None:
        self.inner = inner
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> list[Any] | None:
        return None if value is None else [self.inner._serialize(item, None, None) for item in value]

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        _check_list(value)
        found = _each(value, self.inner.deserialize)
        return Ranges(_joined(found))

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        found = _list_of(self.inner.json_schema(shown=shown))
        return found if shown else {**found, "maxItems": MOST_ITEMS}


def _joined(ranges: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    some = (item for item in ranges if not item.is_empty)
    for item in sorted(some, key=lambda one: (one.lower is not None, one.lower, one.bounds[0] == "(")):
        if found and (found[-1].overlaps(item) or found[-1].adjacent_to(item)):
            found[-1] = found[-1].union(item)
        else:
            found.append(item)
    return found
