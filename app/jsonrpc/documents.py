"""Descriptions of the methods for programs: a list of names, and a document in OpenRPC 1.3.

OpenRPC is at https://spec.open-rpc.org.
"""

from inspect import Parameter as Kind
from typing import Any

from flask import current_app
from flask import url_for

import settings
from core.access import PUBLIC
from core.access import access
from core.fields.json_schema import COMPONENTS
from core.fields.json_schema import json_schema
from core.http.problems import KINDS

from .errors import PROBLEM_CODES
from .methods import Method
from .signatures import Parameter
from .signatures import Signature

VERSION = "1.3.2"


@access(PUBLIC)
def index() -> dict[str, Any]:
    """Name the site and its methods."""
    return {"name": settings.SITE_NAME, "methods": [*installed()]}


@access(PUBLIC)
def discover() -> dict[str, Any]:
    """Describe the methods, in OpenRPC."""
    return {
        "openrpc": VERSION,
        "info": {"title": f"{settings.SITE_NAME} JSON-RPC", "version": "1"},
        "servers": [{"name": settings.SITE_NAME, "url": url_for("jsonrpc.api.answer")}],
        "methods": [describe(method) for method in installed().values()],
        "components": {"schemas": COMPONENTS, "errors": _errors()},
    }


def installed() -> dict[str, Method]:
    """Return the methods of the current application, by name."""
    found: dict[str, Method] = current_app.extensions["jsonrpc"].methods
    return found


def describe(method: Method) -> dict[str, Any]:
    """Return the Method Object of OpenRPC."""
    signature = method.signature
    params = [parameter(method, one) for one in signature.parameters]
    if signature.rest is not None:
        params.append({**parameter(method, signature.rest), "required": False})
    result = {"name": "result", "schema": json_schema(signature.result, shown=True)}
    found = {
        "name": method.name,
        "tags": [{"name": method.name.partition(".")[0]}],
        "summary": method.summary,
        "description": method.description,
        "paramStructure": params_structure(signature),
        "params": params,
        "result": result | ({"description": method.words["return"]} if "return" in method.words else {}),
        "errors": [{"$ref": f"#/components/errors/{name}"} for name in _problems(method)],
        # A member of our own, as the specification has them begin: it knows no security.
        "x-access": who_may(method),
        "examples": [_example(method, number, one) for number, one in enumerate(method.examples, 1)],
    }
    return {name: value for name, value in found.items() if value not in ("", []) or name == "params"}


def who_may(method: Method) -> str:
    """Say who may call a method: a permission, ``public``, or nothing where none is declared."""
    return "" if method.policy is None else method.policy.reason


def params_structure(signature: Signature) -> str:
    """Return how the parameters may be given: ``by-name``, ``by-position`` or ``either``."""
    kinds = {one.kind for one in signature.parameters}
    if signature.rest is not None or Kind.POSITIONAL_ONLY in kinds:
        return "by-position"
    return "by-name" if Kind.KEYWORD_ONLY in kinds else "either"


def parameter(method: Method, one: Parameter) -> dict[str, Any]:
    """Return the Content Descriptor Object of a parameter."""
    schema = json_schema(one.field)
    if not one.required and one.kind is not Kind.VAR_POSITIONAL:
        shown = one.field.serialize("", None, lambda *_: one.default)
        # A reference that stands beside a default would hide it from older readers.
        schema = {**schema, "default": shown}
    found = {"name": one.name, "required": one.required, "schema": schema}
    return found | ({"description": method.words[one.name]} if one.name in method.words else {})


def _example(method: Method, number: int, params: dict[str, Any]) -> dict[str, Any]:
    named = [{"name": name, "value": value} for name, value in params.items()]
    return {"name": f"{method.name} {number}", "params": named}


def _problems(method: Method) -> list[str]:
    said = [kind for kind, _ in method.problems]
    if method.policy not in (None, PUBLIC):
        said += ["unauthorized", "forbidden"]
    return [kind for kind in dict.fromkeys([*said, "unavailable"]) if kind in PROBLEM_CODES]


def _errors() -> dict[str, Any]:
    return {
        name: {"code": code, "message": str(KINDS[name].title), "data": {"type": KINDS[name].type_url("")}}
        for name, code in PROBLEM_CODES.items()
    }
