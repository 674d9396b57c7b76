"""Responses of an operation: successes, problems, and the headers of both."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from core.http.problems import KINDS
from core.http.problems import MOST_ERRORS
from core.http.problems import Kind

from .schemas import JsonSchema
from .schemas import reference

Answer = dict[str, Any]

#: Headers of answers, by the name of their component.
HEADERS: dict[str, tuple[str, JsonSchema]] = {
    "ETag": ("What identifies this state of the item: send it as `If-Match`.", {"type": "string"}),
    "Link": ("The neighbouring pages, as in `links` (RFC 8288).", {"type": "string"}),
    "Location": ("Where the new item is.", {"type": "string", "format": "uri-reference"}),
    "Retry-After": ("Seconds to wait before the next try.", {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": ("Which credentials are wanted, and what was wrong with those sent.", {"type": "string"}),
    "X-Request-ID": ("What this request is called in the log.", {"type": "string"}),
    "X-RateLimit-Limit": ("Requests in the period.", {"type": "integer"}),
    "X-RateLimit-Remaining": ("Requests left in the period.", {"type": "integer"}),
    "X-RateLimit-Reset": ("When the period ends, in seconds since 1970.", {"type": "integer"}),
    "Deprecation": ("Since when this is deprecated, `@` and seconds since 1970 (RFC 9745).", {"type": "string"}),
    "Sunset": ("When this will be gone (RFC 8594).", {"type": "string"}),
    "Idempotency-Replayed": ("`true` where this is the answer to an earlier request.", {"type": "string"}),
}

LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

#: Headers of problems, by status.
_MORE_HEADERS: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", *LIMIT_HEADERS),
    503: ("Retry-After",),
}

#: Kinds of problem that any operation may answer with.
ALWAYS = ("bad-request", "unauthorized", "not-acceptable", "internal", "unavailable")

PROBLEM: JsonSchema = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "The kind of problem, which never changes; a page explains it.",
        },
        "title": {"type": "string", "description": "The kind in a few words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What happened this time."},
        "request_id": {"type": ["string", "null"], "description": "What this request is called in the log."},
        "errors": {
            "type": "array",
            "maxItems": MOST_ERRORS + 1,
            "items": reference("ProblemError"),
            "description": "What is wrong, place by place.",
        },
    },
    "required": ["type", "title", "status", "detail"],
}

PROBLEM_ERROR: JsonSchema = {
    "type": "object",
    "description": "One thing that is wrong.",
    "properties": {
        "field": {"type": "string", "description": "Where, for people: `lines.0.name`."},
        "message": {"type": "string", "description": "What is wrong there."},
        "pointer": {"type": "string", "description": "Where in the body, a JSON Pointer as a fragment (RFC 6901)."},
        "parameter": {"type": "string", "description": "The parameter of the query string."},
    },
    "required": ["field", "message"],
}


def header_components() -> dict[str, Any]:
    """Return the headers that the answers refer to."""
    return {name: {"description": text, "schema": schema} for name, (text, schema) in HEADERS.items()}


def headers(names: Iterable[str]) -> dict[str, Any]:
    """Return references to headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def success(text: str, schema: JsonSchema | None, example: Any = None, header_names: Iterable[str] = ()) -> Answer:
    """Describe a successful answer; without a schema it has no body."""
    found: Answer = {"description": text, "headers": headers([*header_names, "X-Request-ID"])}
    if schema is not None:
        media = {"schema": schema} if example is None else {"schema": schema, "example": example}
        found["content"] = {"application/json": media}
    return found


def problems(names: Iterable[str]) -> dict[str, Answer]:
    """Return the answers for some kinds of problem, by status.

    :param names: of kinds (:mod:`core.http.problems`), besides those that are always possible
    """
    by_status: dict[int, list[Kind]] = {}
    for kind in KINDS.values():
        if kind.name in {*ALWAYS, *names}:
            by_status.setdefault(kind.status, []).append(kind)
    return {
        str(status): {"$ref": f"#/components/responses/{component_name(kinds)}"} for status, kinds in by_status.items()
    }


def component_name(kinds: Iterable[Kind]) -> str:
    """Return what the answer for kinds of one status is called."""
    return ".".join(str(kind.name) for kind in kinds)


def problem_component(name: str) -> Answer:
    """Describe the answer that :func:`component_name` names."""
    kinds = [KINDS[one] for one in name.split(".")]
    examples = {str(kind.name): {"summary": str(kind.title), "value": problem_example(kind)} for kind in kinds}
    more = _MORE_HEADERS.get(kinds[0].status, ())
    return {
        "description": " Or: ".join(f"{kind.title}. {kind.hint}" for kind in kinds),
        "headers": headers([*more, "X-Request-ID"]),
        "content": {"application/problem+json": {"schema": reference("Problem"), "examples": examples}},
    }


def problem_example(kind: Kind) -> Mapping[str, Any]:
    """Return what a problem of this kind looks like."""
    found: dict[str, Any] = {"type": kind.type_url(""), "title": str(kind.title), "status": kind.status}
    found["detail"] = str(kind.hint)
    found["request_id"] = "5f0c6a1d2b3e4f70"
    if kind.name == "bad-query":
        error = {"field": "limit", "message": "A whole number from 1 to 100.", "parameter": "limit"}
        return {**found, "detail": "See the errors.", "errors": [error]}
    if kind.name == "invalid":
        error = {"field": "name", "message": "Missing data for required field.", "pointer": "#/name"}
        return {**found, "detail": "See the errors.", "errors": [error]}
    return found
