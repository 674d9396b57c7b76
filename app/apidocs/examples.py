"""Examples of values, from what their JSON Schemas say."""

import re
from collections.abc import Mapping
from typing import Any

from .schemas import JsonSchema

#: Example text for each format.
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00",
    "duration": "P1DT2H",
    "uuid": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    "uri": "https://example.org/",
    "uri-reference": "/example",
    "email": "ann@example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}

#: Other example texts, where a pattern asks for one.
TEXTS = (
    "1.50",
    "1",
    "2026-01-31T12:00:00",
    "12:00",
    "example",
    "ZXhhbXBsZQ==",
    "192.0.2.0/24",
    "08:00:2b:01:02:03",
    "P1D",
)

#: Deeper than that nothing is shown: a schema may contain itself.
DEEPEST = 6


class Examples:
    """Makes examples of the schemas of one document.

    :param named: the schemas that references lead to
    """

    def __init__(self, named: Mapping[str, JsonSchema]) -> None:
        self.named = named

    def of(self, schema: JsonSchema, depth: int = 0) -> Any:
        """Return a value that fits the schema, the given one where there is one."""
        if "$ref" in schema:
            return self.of(self.named[schema["$ref"].rpartition("/")[2]], depth)
        for known in ("const", "example", "default"):
            if schema.get(known) is not None:
                return schema[known]
        for several in ("examples", "enum"):
            if schema.get(several):
                return schema[several][0]
        for choices in ("anyOf", "oneOf", "allOf"):
            if choices in schema and schema.get("type") != "string":
                return self.of({**_without(schema, choices), **schema[choices][0]}, depth)
        types = schema.get("type")
        type_ = types[0] if isinstance(types, list) else types
        return self._of_type(type_, schema, depth)

    def _of_type(self, type_: str | None, schema: JsonSchema, depth: int) -> Any:
        match type_:
            case "object":
                return self._object(schema, depth)
            case "array":
                few = depth >= DEEPEST and not schema.get("minItems")
                return [] if few or "items" not in schema else [self.of(schema["items"], depth + 1)]
            case "integer" | "number":
                return _number(schema)
            case "boolean":
                return True
            case "string":
                return _text(schema)
        return None

    def _object(self, schema: JsonSchema, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        properties = schema.get("properties", {})
        return {
            name: self.of(one, depth + 1) for name, one in properties.items() if name in required or depth < DEEPEST
        }


def _without(schema: JsonSchema, name: str) -> JsonSchema:
    return {key: value for key, value in schema.items() if key != name}


def _number(schema: JsonSchema) -> Any:
    low, high = schema.get("minimum"), schema.get("maximum")
    return 1 if (low is None or low <= 1) and (high is None or high >= 1) else low if low is not None else high


def _text(schema: JsonSchema) -> str:
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    rules = [schema.get("pattern", ""), *(one.get("pattern", "") for one in schema.get("allOf", ()))]
    short = "Example"[: schema.get("maxLength", 7)].ljust(schema.get("minLength", 0), "e")
    for text in (short, *FORMATS.values(), *TEXTS):
        if all(re.search(rule, text) for rule in rules) and len(text) <= schema.get("maxLength", len(text)):
            return text
    return short
