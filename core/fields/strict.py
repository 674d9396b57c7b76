"""Strict marshmallow fields: texts, numbers, keys, bytes and JSON.

Both the schemas and the query strings of lists use them: a value that passes can be stored and
compared on every engine, and is never changed on the way. Each shows by ``json_schema`` what it
takes and shows; :mod:`core.fields.json_schema` adds what its validators say. Times are in
:mod:`core.fields.temporal`; which of them a column gets says :mod:`core.fields.columns`.
"""

import base64
import re
import uuid
from decimal import Context
from decimal import Decimal
from typing import Any

from flask_babel import gettext
from marshmallow import ValidationError
from marshmallow import fields
from marshmallow import validate

from .messages import Message

#: PostgreSQL's largest size of one value is 1 GB; a name of that length is a mistake.
LONGEST_TEXT = 1_000_000

#: Bytes, likewise: whole groups of base64.
LONGEST_BLOB = 999_999

#: Levels of a JSON value: MariaDB takes no more.
DEEPEST = 31

#: Digits before and after the point of a decimal whose column does not say.
MOST_DIGITS = 40

#: More digits than any column has, so that nothing is rounded.
_EXACTLY = Context(prec=200)

# The patterns stand in the API's document: they mean the same in the regular expressions of
# Python, JavaScript and Rust. White space is what any of them takes for it.
WITHOUT_NUL = r"^[^\u0000]*$"
VISIBLE = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085\ufeff][^\u0000]*$"
UNPADDED = r"^[^\u0000]*[^\u0000 ]$"
_INVISIBLE = re.compile(r"[\s\x1c-\x1f\x85\ufeff]*")

#: MariaDB, as of 10.11, refuses a version from 8 on without the variant of RFC 9562.
_UUID = (
    r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
    r"([0-7][0-9a-fA-F]{3}-[0-9a-fA-F]{2}|[89a-fA-F][0-9a-fA-F]{3}-(8[1-9a-fA-F]|[9a-fA-F][0-9a-fA-F]))"
    r"[0-9a-fA-F]{2}-[0-9a-fA-F]{12}$"
)

#: Base64 with its padding; the bits that no byte needs are zero (RFC 4648, sections 3.5 and 4).
_BASE64 = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"


def matches(pattern: str, value: Any) -> bool:
    """Return whether a value is a text of this pattern, which ends with ``$``."""
    # In Python, and only there, $ is also before a line break at the end.
    return isinstance(value, str) and not value.endswith("\n") and re.search(pattern, value) is not None


def check_text(value: str) -> None:
    """Refuse what PostgreSQL cannot store or UTF-8 cannot write.

    :raises ValidationError: for NUL and for lone surrogates
    """
    if "\0" in value:
        raise ValidationError(gettext("NUL characters are not allowed."))
    if not value.isascii() and re.search("[\ud800-\udfff]", value):
        raise ValidationError(gettext("Lone surrogates are not characters."))


def require_visible(value: str) -> None:
    """Refuse a text of white space only.

    :raises ValidationError: if there is nothing to see
    """
    if _INVISIBLE.fullmatch(value):
        raise ValidationError(gettext("This field is required."))


class Spelled(fields.Field[Any]):
    """A text of one form, which forms take as JSON has it."""


class Structured(fields.Field[Any]):
    """A list or an object of one form: no query string holds it, and forms take it as JSON."""


class Text(fields.String):
    """A string without NUL and lone surrogates."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        check_text(text)
        return text

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes: JSON Schema has no word for lone surrogates."""
        if shown:
            return {"type": "string"}
        return {"type": "string", "pattern": VISIBLE if require_visible in self.validators else WITHOUT_NUL}


class Whole(fields.Integer):
    """A whole number, written as one: not ``"12"``, not ``12.0``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)

    def _validated(self, value: Any) -> Any:
        if isinstance(value, str | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes: to JSON Schema 12.0 is an integer, too."""
        return {"type": "integer"}


class Flag(fields.Boolean):
    """``true`` or ``false``, and nothing that resembles them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        return {"type": "boolean"}


class Exact(fields.Decimal):
    """A decimal that fits its column; more places are refused, not rounded. A string in JSON.

    :param precision: all its digits
    :param scale: those after the point
    """

    default_error_messages = {"invalid": Message('Not a valid number: write it as a string of digits, "12.50".')}

    def __init__(self, *, precision: int | None = None, scale: int | None = None, **kwargs: Any) -> None:
        self.precision = precision
        self.scale = scale
        super().__init__(as_string=True, allow_nan=False, **kwargs)

    def _validated(self, value: Any) -> Decimal:
        if not isinstance(value, str) or not re.fullmatch(r"[+-]?[0-9]{1,41}(\.[0-9]{0,41})?", value):
            raise self.make_error("invalid", input=value)
        whole, _, places = value.lstrip("+-").partition(".")
        most, most_places = self._digits()
        if len(places) > most_places:
            raise ValidationError(gettext("At most %(most_places)s decimal places.", most_places=most_places))
        if len(whole) > max(most, 1) or (most < 1 and whole != "0"):
            raise ValidationError(gettext("At most %(most)s digits before the point.", most=most))
        # As the column will give it back: 2 is 2.00, and there is no -0.
        number = Decimal(value)
        if (self.precision, self.scale) != (None, None):
            number = number.quantize(Decimal(1).scaleb(-most_places), context=_EXACTLY)
        return number.copy_abs() if number == 0 else number

    def _digits(self) -> tuple[int, int]:
        if self.precision is None:
            return MOST_DIGITS, MOST_DIGITS if self.scale is None else self.scale
        return self.precision - (self.scale or 0), self.scale or 0

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes; of the limits that its validators set only "not below 0" can be said."""
        if shown:
            return {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
        most, places = self._digits()
        whole = f"[0-9]{{1,{most}}}" if most > 0 else "0"
        lows = [rule.min for rule in self.validators if isinstance(rule, validate.Range) and rule.min is not None]
        sign = "[+]?" if lows and max(lows) >= 0 else "[+-]?"
        return {"type": "string", "pattern": rf"^{sign}{whole}(\.[0-9]{{0,{places}}})?$"}


class Real(fields.Float):
    """A finite number."""

    def _validated(self, value: Any) -> Any:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        number = super()._validated(value)
        # SQLite and MariaDB know no -0.0.
        return number if number is None else number + 0.0

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        return {"type": "number"}


class UniqueId(fields.UUID):
    """A UUID that every engine takes, in the form of RFC 9562: five groups of hexadecimal digits."""

    def _validated(self, value: Any) -> uuid.UUID:
        if not isinstance(value, uuid.UUID) and not matches(_UUID, value):
            raise self.make_error("invalid_uuid")
        return super()._validated(value)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes; every UUID is shown."""
        found = {"type": "string", "format": "uuid"}
        return found if shown else {**found, "pattern": _UUID}


class UniqueIdText(Spelled, UniqueId):
    """A UUID of a column that keeps it as a text: ``Uuid(as_uuid=False)``."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return str(self._validated(value))


class Blob(fields.Field[bytes]):
    """Bytes, in JSON as base64 with its padding (RFC 4648, section 4).

    :param length: how many at most
    :param fixed: whether it must be as many
    """

    default_error_messages = {
        "invalid": Message("Not valid base64: write the bytes in RFC 4648's alphabet, with padding.")
    }

    def __init__(self, *, length: int = LONGEST_BLOB, fixed: bool = False, **kwargs: Any) -> None:
        self.length = length
        self.fixed = fixed
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bytes:
        if isinstance(value, str) and len(value) > self._characters():
            raise ValidationError(gettext("At most %(length)s bytes.", length=self.length))
        if not matches(_BASE64, value):
            raise self.make_error("invalid")
        found = base64.b64decode(value)
        if len(found) > self.length or (self.fixed and len(found) < self.length):
            if self.fixed:
                raise ValidationError(gettext("Exactly %(length)s bytes.", length=self.length))
            raise ValidationError(gettext("At most %(length)s bytes.", length=self.length))
        return found

    def _characters(self) -> int:
        return 4 * -(-self.length // 3)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        found: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
        if shown:
            return found
        most = self._characters()
        found |= {"pattern": _BASE64, "maxLength": most}
        # Of the last four characters the first stand for one byte, the third for the second.
        ending = {0: "[^=]$", 1: "==$", 2: "[^=]=$"}[self.length % 3]
        if self.fixed:
            found |= {"minLength": most, "allOf": [{"pattern": ending}] if self.length else []}
        elif self.length % 3:
            full = ending if self.length % 3 == 1 else "=$"
            found["anyOf"] = [{"maxLength": most - 4}, {"minLength": most, "pattern": full}]
        return {name: rule for name, rule in found.items() if rule != []}


class Json(fields.Raw):
    """Any JSON value whose texts can be stored."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        _check_nested(value)
        return value

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes; how deep it may be, only the description can say."""
        return {} if shown else {"$ref": "#/components/schemas/JsonValue"}


def _check_nested(value: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise ValidationError(gettext("At most %(deepest)s levels deep.", deepest=DEEPEST))
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValidationError(gettext("Integers are of 64 bits."))
    elif isinstance(value, dict):
        for name, item in value.items():
            check_text(name)
            _check_nested(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_nested(item, depth + 1)


def from_text(field: fields.Field[Any], text: str) -> Any:
    """Read a value from a query string or a path, where everything is text.

    :raises ValidationError: if the text is no value of this field
    """
    return field.deserialize(as_json(field, text))


def as_json(field: fields.Field[Any], text: str) -> Any:
    """Return what JSON would have for a text of a query string; the text itself where the field will refuse it."""
    if isinstance(field, Flag):
        return {"true": True, "false": False}.get(text, text)
    if isinstance(field, Whole):
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,30}", text) else text
    if isinstance(field, Real):
        return float(text) if re.fullmatch(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,3})?", text) else text
    return text
