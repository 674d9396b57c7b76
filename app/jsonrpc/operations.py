"""The operation ``POST /rpc`` of the API's document (OpenAPI)."""

from typing import Any

from core.api.bodies import JSON

from .annotations import LARGEST
from .annotations import SMALLEST
from .calls import MOST_CALLS
from .documents import installed
from .errors import INVALID_REQUEST
from .errors import MESSAGES

_VERSION = {"type": "string", "const": "2.0"}

_ID = {
    "type": ["string", "integer", "null"],
    "minimum": SMALLEST,
    "maximum": LARGEST,
    "description": "What the answer is known by. A request without it is a notification, which is never answered.",
}

REQUEST = {
    "type": "object",
    "description": "A call of a method.",
    "properties": {
        "jsonrpc": _VERSION,
        "method": {"type": "string", "description": "Its name; `rpc.discover` describes all of them."},
        "params": {"type": ["array", "object"], "items": {}, "description": "By position, or by name."},
        "id": _ID,
    },
    "required": ["jsonrpc", "method"],
    "additionalProperties": False,
}

#: In a batch, what is no request gets an error of its own.
BATCH = {"type": "array", "minItems": 1, "maxItems": MOST_CALLS, "items": {}, "description": "Several calls."}

RESPONSE = {
    "type": "object",
    "description": "What came of a call: `result` or `error`.",
    "properties": {
        "jsonrpc": _VERSION,
        "result": {"description": "What the method gives."},
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "data": {"description": "A problem document (RFC 9457), or which parameters are wrong."},
            },
            "required": ["code", "message"],
        },
        "id": _ID,
    },
    "required": ["jsonrpc", "id"],
}


def describe() -> dict[str, Any]:
    """Return the request body and the answers; ``problems`` are the kinds of problem beside them."""
    body = {"schema": {"anyOf": [REQUEST, BATCH]}, "examples": examples()}
    several = {"type": "array", "minItems": 1, "items": RESPONSE}
    answer = {"schema": {"anyOf": [RESPONSE, several]}, "example": {"jsonrpc": "2.0", "result": 12, "id": 1}}
    error = {"code": INVALID_REQUEST, "message": MESSAGES[INVALID_REQUEST]}
    refusal = {"schema": RESPONSE, "example": {"jsonrpc": "2.0", "error": error, "id": None}}
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        "requestBody": {"required": True, "content": {JSON: body}},
        "responses": {
            "200": {"description": "The answers.", "content": {JSON: answer}},
            "204": {"description": "There were notifications only."},
            "400": {
                "description": "The body is no JSON, or no request.",
                "content": {JSON: refusal, "application/problem+json": problem},
            },
        },
        "problems": ("unsupported-media-type", "too-large"),
    }


def examples() -> dict[str, Any]:
    """Return an example of a call of each method."""
    found = {}
    for method in installed().values():
        for params in method.examples[:1] or ([] if method.signature.parameters else [{}]):
            call = {"jsonrpc": "2.0", "method": method.name, "params": params, "id": 1}
            found[method.name] = {"summary": method.summary, "value": call}
    return found
