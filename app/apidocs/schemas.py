"""JSON Schemas (2020-12, the dialect of OpenAPI 3.1) of marshmallow schemas: what comes out, and what may go in."""

import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema
from marshmallow import fields

from core.access import Policy
from core.access import column_policies
from core.fields.json_schema import COMPONENTS
from core.fields.json_schema import json_schema

JsonSchema = dict[str, Any]

#: The shapes of a schema, by what they add to its name.
OUTPUT, PART, INPUT, PATCH = "", "Part", "Input", "Patch"


class Components:
    """The named schemas of one document.

    One schema of marshmallow gives up to four: ``City`` as it is answered and ``CityPart`` where the caller
    has chosen fields, ``CityInput`` for a whole one and ``CityPatch`` for a change. Inputs have no read-only
    fields and take no others; answers may get more fields, so that an addition breaks no client.
    """

    def __init__(self) -> None:
        self.schemas: dict[str, JsonSchema] = {name: dict(schema) for name, schema in COMPONENTS.items()}
        self._made_from: dict[str, object] = dict.fromkeys(COMPONENTS)
        #: Schema to what a caller may have included: relation to its schema and whether it is many.
        self.includes: dict[type[Schema], dict[str, tuple[Schema, bool]]] = {}

    def add(self, name: str, schema: JsonSchema, made_from: object = None) -> JsonSchema:
        """Name a schema and return a reference to it.

        :param made_from: of two with the same name, made from different things, the second gets a number
        """
        unique = self._unique(name, made_from)
        self.schemas[unique] = schema
        return reference(unique)

    def _unique(self, name: str, made_from: object) -> str:
        unique, number = name, 1
        while self._made_from.get(unique, made_from) != made_from:
            number += 1
            unique = f"{name}{number}"
        self._made_from[unique] = made_from
        return unique

    def of(self, schema: Schema, shape: str = OUTPUT) -> JsonSchema:
        """Return a reference to one shape of a marshmallow schema."""
        chosen = schema.dump_fields if shape in (OUTPUT, PART) else schema.load_fields
        named = {field.data_key or name: field for name, field in chosen.items()}
        unique = self._unique(f"{base_name(schema)}{shape}", (type(schema), *named))
        if unique not in self.schemas:
            # First its place: it may lead to itself.
            self.schemas[unique] = {}
            self.schemas[unique].update(self._object(schema, named, shape))
        return reference(unique)

    def _object(self, schema: Schema, named: Mapping[str, fields.Field[Any]], shape: str) -> JsonSchema:
        properties = {name: self.property(field, shape) for name, field in named.items()}
        for name, policy in _policies(schema, named):
            text = properties[name].get("description", "")
            properties[name] |= {"description": f"{text} Only for callers who may read it: {policy.reason}.".strip()}
        required = [name for name, field in named.items() if _is_required(schema, field, shape)]
        if shape in (OUTPUT, PART):
            for name, (included, is_many) in self.includes.get(type(schema), {}).items():
                properties[name] = self._included(included, is_many, properties.get(name))
                required = [one for one in required if one != name]
        found: JsonSchema = {"type": "object", "properties": properties}
        if description(schema):
            found["description"] = description(schema)
        if required:
            found["required"] = required
        return found if shape in (OUTPUT, PART) else {**found, "additionalProperties": False}

    def _included(self, schema: Schema, is_many: bool, plain: JsonSchema | None) -> JsonSchema:
        shown = self.of(schema)
        found = {"type": "array", "items": shown} if is_many else {"anyOf": [shown, {"type": "null"}]}
        # An include that was not asked for may be keys instead.
        return {"anyOf": [plain, found]} if plain else found

    def property(self, field: fields.Field[Any], shape: str = OUTPUT) -> JsonSchema:
        """Return the JSON Schema of one field."""
        is_shown = shape in (OUTPUT, PART)
        found = json_schema(field, shown=is_shown)
        nested = field.inner if isinstance(field, fields.List) else field
        if isinstance(nested, fields.Nested):
            inner = self.of(nested.schema, OUTPUT if is_shown else INPUT)
            several = isinstance(field, fields.List) or nested.many
            found = {**found, "type": "array", "items": inner} if several else {**found, **inner}
        if "example" in field.metadata:
            found["examples"] = [field.metadata["example"]]
        return found


def reference(name: str) -> JsonSchema:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def base_name(schema: Schema) -> str:
    """Return what a schema is called in the document: ``City`` for ``CitySchema``."""
    return type(schema).__name__.removesuffix("Schema") or "Schema"


def operation_id(endpoint: str, verb: str = "") -> str:
    """Return what an operation is called, unique as its endpoint is: ``apiV1CitiesList``."""
    first, *others = re.split(r"[._]", f"{endpoint}_{verb}".rstrip("_"))
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def description(thing: object) -> str:
    """Return the docstring of a class, or of an object's class; none that is inherited."""
    kind = thing if isinstance(thing, type) else type(thing)
    return " ".join((kind.__dict__.get("__doc__") or "").split())


def _policies(schema: Schema, named: Mapping[str, fields.Field[Any]]) -> Iterator[tuple[str, Policy]]:
    """Yield the fields that not every caller may read."""
    for name, field in named.items():
        policy = _policy(schema, field)
        if policy is not None:
            yield name, policy


def _policy(schema: Schema, field: fields.Field[Any]) -> Policy | None:
    model = getattr(schema.opts, "model", None)
    attribute = field.attribute or field.name
    return None if model is None or attribute is None else column_policies(model).get(attribute)


def _is_required(schema: Schema, field: fields.Field[Any], shape: str) -> bool:
    # A row has all its columns; what else is answered says itself what is always there.
    has_all = shape == OUTPUT and getattr(schema.opts, "model", None) is not None
    has_all = has_all and _policy(schema, field) is None
    return has_all or (shape in (OUTPUT, INPUT) and field.required)
