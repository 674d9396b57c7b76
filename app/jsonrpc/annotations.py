"""From the annotation of a parameter to the strict field that reads it, and to its JSON Schema."""

import types
import typing
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated
from typing import Any
from typing import Literal
from uuid import UUID

from flask_babel import gettext
from marshmallow import RAISE
from marshmallow import Schema
from marshmallow import ValidationError
from marshmallow import fields
from marshmallow import validate

from core.fields import Exact
from core.fields import Flag
from core.fields import Json
from core.fields import Real
from core.fields import Text
from core.fields import UniqueId
from core.fields import Whole
from core.fields.json_schema import json_schema
from core.fields.temporal import Clock
from core.fields.temporal import Day
from core.fields.temporal import Duration
from core.fields.temporal import Moment

#: Databases and most languages keep no larger number, and none that is smaller.
SMALLEST, LARGEST = -(2**63), 2**63 - 1


class UnknownAnnotationError(TypeError):
    """No field reads values of this annotation."""


class Integer(Whole):
    """A whole number of 64 bits."""

    def _validated(self, value: Any) -> Any:
        number = super()._validated(value)
        if number is not None and not SMALLEST <= number <= LARGEST:
            raise ValidationError(gettext("Integers are of 64 bits."))
        return number

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        return {"type": "integer"} if shown else {"type": "integer", "minimum": SMALLEST, "maximum": LARGEST}


class Mapping(fields.Dict):
    """An object of any names, whose values are of one kind."""

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        values = self.value_field
        return {"type": "object", "additionalProperties": json_schema(values, shown=shown) if values else {}}


class Record(fields.Nested):
    """An object of declared names, from a TypedDict."""

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        members = self.schema.fields
        found: dict[str, Any] = {"type": "object"}
        found["properties"] = {name: json_schema(field, shown=shown) for name, field in members.items()}
        required = [name for name, field in members.items() if field.required]
        if required:
            found["required"] = required
        return found if shown else {**found, "additionalProperties": False}


_PLAIN: dict[Any, type[fields.Field[Any]]] = {
    bool: Flag,
    int: Integer,
    float: Real,
    str: Text,
    Decimal: Exact,
    datetime: Moment,
    date: Day,
    time: Clock,
    timedelta: Duration,
    UUID: UniqueId,
}


def field_for(annotation: Any, **options: Any) -> fields.Field[Any]:
    """Return the field that reads and writes values of an annotation.

    :param options: of marshmallow's fields
    :raises UnknownAnnotationError: if there is none
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        rules = [rule for rule in arguments[1:] if isinstance(rule, validate.Validator)]
        return field_for(arguments[0], **options, validate=[*options.pop("validate", ()), *rules])
    if origin in (typing.Union, types.UnionType):
        return _optional(arguments, options)
    if origin in (typing.Required, typing.NotRequired):
        return field_for(arguments[0], **options)
    if origin is Literal:
        return _literal(arguments, options)
    if origin is list:
        return fields.List(field_for(arguments[0]), **options)
    if origin is dict and arguments[0] is str:
        return Mapping(keys=Text(), values=field_for(arguments[1]), **options)
    return _simple(annotation, options)


def _simple(annotation: Any, options: dict[str, Any]) -> fields.Field[Any]:
    if annotation is Any:
        return Json(**{**options, "allow_none": True})
    if annotation in _PLAIN:
        return _PLAIN[annotation](**options)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return fields.Enum(annotation, **options)
    if typing.is_typeddict(annotation):
        return Record(_schema(annotation), **options)
    raise UnknownAnnotationError(f"{annotation!r} has no form in JSON")


def _optional(arguments: tuple[Any, ...], options: dict[str, Any]) -> fields.Field[Any]:
    rest = [one for one in arguments if one is not type(None)]
    if len(rest) != 1 or len(rest) == len(arguments):
        raise UnknownAnnotationError(f"a choice of {len(rest)} types cannot be distinguished in JSON: name one, or Any")
    return field_for(rest[0], **{**options, "allow_none": True})


def _literal(arguments: tuple[Any, ...], options: dict[str, Any]) -> fields.Field[Any]:
    for kind in (str, int):
        if all(type(one) is kind for one in arguments):
            rule = validate.OneOf(arguments)
            return field_for(kind, **{**options, "validate": [*options.get("validate", ()), rule]})
    raise UnknownAnnotationError("the values of a Literal must all be texts, or all whole numbers")


def _schema(annotation: Any) -> type[Schema]:
    members = typing.get_type_hints(annotation, include_extras=True)
    required = annotation.__required_keys__
    found = {name: field_for(kind, required=name in required) for name, kind in members.items()}
    return _Strict.from_dict(found, name=annotation.__name__)


class _Strict(Schema):
    class Meta:
        unknown = RAISE
