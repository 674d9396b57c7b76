"""The operation of a resource's bulk: many creates, updates and deletes at once."""

from collections.abc import Mapping
from typing import Any
from typing import Protocol

from marshmallow import Schema
from werkzeug.routing import Rule

from core.api.bodies import JSON
from core.rest import ModelResource

from . import answers
from .schemas import INPUT
from .schemas import PATCH
from .schemas import Components
from .schemas import JsonSchema
from .schemas import operation_id
from .schemas import reference


class Bulk(Protocol):
    """The class that serves the bulk of a resource.

    :param schemas: method to the schema of its operations
    :param limit: most operations of one request
    """

    resource: type[ModelResource]
    schemas: Mapping[str, Schema]
    limit: int


TEXT = (
    "Each operation has a result of its own, in their order, with the status that it would have had alone; one that "
    "fails leaves the others. With `atomic`, the first that fails undoes all and is the answer."
)


def bulk_operation(bulk: type[Bulk], rule: Rule, components: Components) -> dict[str, Any]:
    """Describe the bulk of a resource."""
    plural = rule.endpoint.rpartition(".")[2].removesuffix("_bulk").replace("_", " ")
    name = f"{plural.title().replace(' ', '')}Bulk"
    body = {JSON: {"schema": body_schema(bulk, name, components)}}
    success = answers.success("A result for each operation.", answer_schema(bulk, name, components))
    kinds = ["bad-query", "not-found", "in-use", "stale", "precondition-failed", "precondition-required"]
    return {
        "operationId": operation_id(rule.endpoint),
        "summary": f"Create, change and delete many {plural}",
        "description": TEXT,
        "requestBody": {"required": True, "content": body},
        "responses": {"200": success},
        "problems": [*kinds, "too-large", "unsupported-media-type", "invalid"],
    }


def body_schema(bulk: type[Bulk], name: str, components: Components) -> JsonSchema:
    """Return what the body may be."""
    kinds = {method: _operation(bulk, method, f"{name}{method.title()}", components) for method in bulk.schemas}
    mapping = {method: schema["$ref"] for method, schema in kinds.items()}
    operation = {"oneOf": list(kinds.values()), "discriminator": {"propertyName": "method", "mapping": mapping}}
    operations = {"type": "array", "minItems": 1, "maxItems": bulk.limit, "items": operation}
    atomic = {"type": "boolean", "default": False, "description": "Whether all is done, or nothing."}
    body = {
        "type": "object",
        "properties": {"operations": operations, "atomic": atomic},
        "required": ["operations"],
        "additionalProperties": False,
    }
    return components.add(name, body, bulk)


def _operation(bulk: type[Bulk], method: str, name: str, components: Components) -> JsonSchema:
    verbs, schema = bulk.resource.verbs, bulk.resource().visible.schema()
    properties: dict[str, JsonSchema] = {"method": {"type": "string", "const": method}}
    if method != "create":
        properties["key"] = components.property(verbs.key.field(), INPUT)
        if verbs.version_key is not None:
            properties["version"] = {"type": "integer", "description": "What you have seen of it."}
    if method != "delete":
        properties["data"] = components.of(schema, PATCH if method == "update" else INPUT)
    found = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return components.add(name, found, (bulk, method))


def answer_schema(bulk: type[Bulk], name: str, components: Components) -> JsonSchema:
    """Return what it answers."""
    result = {
        "type": "object",
        "description": "What became of one operation: an item, a problem, or only the status.",
        "properties": {
            "status": {"type": "integer", "description": "The HTTP status that it would have had alone."},
            "location": {"type": "string", "format": "uri-reference", "description": "Where a created item is."},
            "etag": {"type": "string"},
            "item": components.of(bulk.resource().visible.schema()),
            "problem": reference("Problem"),
        },
        "required": ["status"],
    }
    results = {"type": "array", "items": components.add(f"{name}Result", result, bulk)}
    body = {"type": "object", "properties": {"results": results}, "required": ["results"]}
    return components.add(f"{name}Answer", body, bulk)
