"""Fields as JSON Schema (draft 2020-12), for the API's document.

A field class of this project says by ``json_schema(*, shown)`` what it is; its validators, whether it may
be null, and its words for people are added here. What the schema forbids, the field refuses. What
it allows is refused only where JSON Schema cannot say it: lone surrogates, ``12.0`` for a whole
number, lists of lists of different lengths, the order of a range's ends.
"""

from typing import Any

from marshmallow import fields
from marshmallow import validate

#: Schemas that others refer to, below ``#/components/schemas/``: any value that a JSON column can keep.
COMPONENTS: dict[str, dict[str, Any]] = {
    "JsonValue": {
        # Without a type, which is any: generators of clients know no reference to a list of types.
        "description": "Any JSON value, at most 31 levels deep, without NUL characters.",
        "pattern": r"^[^\u0000]*$",
        "minimum": -(2**63),
        "maximum": 2**64 - 1,
        "items": {"$ref": "#/components/schemas/JsonValue"},
        "additionalProperties": {"$ref": "#/components/schemas/JsonValue"},
        "propertyNames": {"pattern": r"^[^\u0000]*$"},
    }
}

#: marshmallow's own fields, where a schema declares them by hand. The first that fits counts.
_PLAIN: tuple[tuple[type[fields.Field[Any]], dict[str, Any]], ...] = (
    (fields.Email, {"type": "string", "format": "email"}),
    (fields.Url, {"type": "string", "format": "uri"}),
    (fields.UUID, {"type": "string", "format": "uuid"}),
    (fields.String, {"type": "string"}),
    (fields.Integer, {"type": "integer"}),
    (fields.Decimal, {"type": ["number", "string"]}),
    (fields.Number, {"type": "number"}),
    (fields.Boolean, {"type": "boolean"}),
    (fields.AwareDateTime, {"type": "string", "format": "date-time"}),
    (fields.Date, {"type": "string", "format": "date"}),
    (fields.DateTime, {"type": "string"}),
    (fields.Time, {"type": "string"}),
    (fields.Dict, {"type": "object"}),
)


def json_schema(field: fields.Field[Any], *, shown: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a field.

    :param shown: of what it shows, instead of what it takes: rows may be older than a rule
    """
    found = _of_class(field, shown)
    if not shown:
        for rule in field.validators:
            _add_rule(found, rule)
    if field.allow_none and "$ref" not in found and found:
        found = _or_null(found)
    if field.metadata.get("label"):
        found["title"] = field.metadata["label"]
    if field.metadata.get("description"):
        found["description"] = field.metadata["description"]
    return found


def _of_class(field: fields.Field[Any], shown: bool) -> dict[str, Any]:
    own = getattr(field, "json_schema", None)
    if own is not None:
        found: dict[str, Any] = own(shown=shown)
        return found
    if isinstance(field, fields.Enum) and not field.by_value:
        return {"type": "string", "enum": list(field.enum.__members__)}
    if isinstance(field, fields.List):
        return {"type": "array", "items": json_schema(field.inner, shown=shown)}
    return next((dict(schema) for cls, schema in _PLAIN if isinstance(field, cls)), {})


def _add_rule(found: dict[str, Any], rule: Any) -> None:
    type_ = found.get("type")
    if isinstance(rule, validate.OneOf):
        found.pop("pattern", None)
        found["enum"] = list(rule.choices)
    elif isinstance(rule, validate.Length) and type_ in ("string", "array"):
        ending = "Length" if type_ == "string" else "Items"
        for name, number in (("min", rule.equal or rule.min), ("max", rule.equal or rule.max)):
            if number is not None:
                found[name + ending] = number
    elif isinstance(rule, validate.Range) and type_ in ("integer", "number"):
        _add_range(found, rule)
    elif isinstance(rule, validate.Regexp) and type_ == "string":
        # marshmallow looks from the beginning on, JSON Schema anywhere.
        pattern = str(rule.regex.pattern)
        anchored = pattern if pattern.startswith("^") else f"^(?:{pattern})"
        found.setdefault("allOf", []).append({"pattern": anchored})


def _add_range(found: dict[str, Any], rule: validate.Range) -> None:
    if rule.min is not None:
        name = "minimum" if rule.min_inclusive else "exclusiveMinimum"
        found[name] = max(found.get(name, rule.min), rule.min)
    if rule.max is not None:
        name = "maximum" if rule.max_inclusive else "exclusiveMaximum"
        found[name] = min(found.get(name, rule.max), rule.max)


def _or_null(found: dict[str, Any]) -> dict[str, Any]:
    if "enum" in found:
        found["enum"] = [*found["enum"], None]
    if "type" in found:
        found["type"] = [found["type"], "null"] if isinstance(found["type"], str) else [*found["type"], "null"]
        # These two hold for null as well: they are said of texts only.
        return found
    return {"anyOf": [*found.pop("anyOf"), {"type": "null"}], **found}
