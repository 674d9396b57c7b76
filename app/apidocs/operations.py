"""OpenAPI operations of every view: one for each URL and method."""

import re
import typing
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from flask import Flask
from flask_restful import Resource
from marshmallow import Schema
from werkzeug.routing import Rule

from core.access import PUBLIC
from core.access import Policy
from core.access import endpoints
from core.api.contract import Contract
from core.api.deprecation import Deprecation
from core.declarations import enforced
from core.rest import ModelResource

from . import answers
from . import parameters
from .bulk_operations import bulk_operation
from .model_operations import ModelOperations
from .model_operations import Operation
from .schemas import INPUT
from .schemas import Components
from .schemas import JsonSchema
from .schemas import description
from .schemas import operation_id

#: The order of the methods of one URL.
ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE")


def operations(app: Flask, rule: Rule, components: Components) -> Iterator[tuple[str, Operation]]:
    """Yield (method in lower case, operation) for one rule."""
    resource = resource_of(app, rule)
    methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}, key=ORDER.index)
    for method in methods:
        function = getattr(resource, method.lower()) if resource else app.view_functions[rule.endpoint]
        if resource and issubclass(resource, ModelResource):
            operation = ModelOperations(resource, rule, components).of(method)
        elif resource and hasattr(resource, "resource"):
            operation = bulk_operation(resource, rule, components)
        else:
            name = operation_id(rule.endpoint, method.lower() if len(methods) > 1 else "")
            operation = {"operationId": name, **view_operation(function, rule, components)}
        add_policy(operation, endpoints.find(app, rule.endpoint, method))
        yield method.lower(), finish(operation, function, app, rule.endpoint)


def resource_of(app: Flask, rule: Rule) -> type[Resource] | None:
    """Return the class of Flask-RESTful behind a rule, if there is one."""
    found = getattr(app.view_functions[rule.endpoint], "view_class", None)
    return found if isinstance(found, type) and issubclass(found, Resource) else None


def add_policy(operation: Operation, policy: Policy | None) -> None:
    """Say who may: which permission it takes, which a token must cover."""
    if policy is None or policy is PUBLIC:
        return
    operation["problems"] = [*operation["problems"], "forbidden"]
    # A session that signed in does too, but it is no key to hand to a program. Which permission it takes is said in
    # words: linters know no scopes but OAuth's.
    operation["security"] = [{"token": []}] if policy.permissions else []
    operation["description"] += f" {_who(policy)}"


def _who(policy: Policy) -> str:
    if not policy.permissions:
        return "For people who have signed in."
    return f"It takes {policy.reason}."


def finish(operation: Operation, function: Any, app: Flask, endpoint: str) -> Operation:
    """Add what is declared beside the view, and turn its kinds of problem into answers."""
    kinds = list(operation.pop("problems"))
    if getattr(function, "idempotent", False):
        operation["parameters"] = [*operation.get("parameters", ()), parameters.common("Idempotency-Key")]
        kinds += ["idempotency-in-flight", "idempotency-key-reused"]
        add_headers(operation, ["Idempotency-Replayed"])
    limit = enforced(app, endpoint, "rate_limit")
    if limit is not None:
        kinds.append("too-many-requests")
        operation["description"] += f" At most {limit}."
        add_headers(operation, answers.LIMIT_HEADERS)
    deprecation = enforced(app, endpoint, "deprecation")
    if deprecation is not None:
        operation["deprecated"] = True
        operation["description"] += _farewell(deprecation)
        add_headers(operation, ["Deprecation", *(["Sunset"] if deprecation.sunset else ())])
    for status, answer in answers.problems(kinds).items():
        operation["responses"].setdefault(status, answer)
    return operation


def _farewell(deprecation: Deprecation) -> str:
    gone = f", gone from {deprecation.sunset} on" if deprecation.sunset else ""
    instead = f" Use {deprecation.successor} instead." if deprecation.successor else ""
    return f" Deprecated since {deprecation.since}{gone}.{instead}"


def add_headers(operation: Operation, names: Iterable[str]) -> None:
    """Add headers to the successful answers."""
    for answer in operation["responses"].values():
        answer["headers"] = answer.get("headers", {}) | answers.headers(names)


def view_operation(function: Any, rule: Rule, components: Components) -> Operation:
    """Describe a view: by its contract, else by its docstring and its annotations."""
    contract = getattr(function, "contract", None)
    found = said(function)
    if rule.arguments:
        found["parameters"] = parameters.of_path(rule, {})
    if hasattr(function, "operation"):
        # Rules that no contract can express, in OpenAPI's own words.
        return {**found, **function.operation()}
    if contract is None:
        kinds = ["not-found"] if rule.arguments else []
        schema = _annotated(function)
        return {**found, "responses": {"200": answers.success("Done.", schema)}, "problems": kinds}
    return found | _of_contract(contract, found.get("parameters", []), components)


def said(function: Any) -> Operation:
    """Return what a docstring says: its first paragraph, and the rest without its ``:param:`` lines."""
    text = re.sub(r"^\s*:\w+.*?:.*$", "", function.__doc__ or function.__name__, flags=re.M)
    summary, _, more = text.strip().partition("\n\n")
    sentence = " ".join(summary.split())
    rest = "\n".join(line.strip() for line in more.strip().splitlines())
    return {"summary": sentence.rstrip("."), "description": rest or sentence}


def _of_contract(contract: Contract, known: list[Any], components: Components) -> Operation:
    kinds = list(contract.problems)
    found: Operation = {}
    if contract.query is not None:
        kinds.append("bad-query")
        known = [*known, *parameters.of_schema(contract.query, components)]
    if known:
        found["parameters"] = known
    if contract.body is not None:
        kinds += ["unsupported-media-type", "invalid", "too-large"]
        found["requestBody"] = {"required": True, "content": _content(contract, contract.body, components)}
    schema = None if contract.answer is None else components.of(contract.answer)
    text = (contract.answer and description(contract.answer)) or "Done."
    return {**found, "responses": {str(contract.status): answers.success(text, schema)}, "problems": kinds}


def _content(contract: Contract, body: Schema, components: Components) -> dict[str, Any]:
    schema = components.of(body, INPUT)
    if contract.batch is not None:
        many = {"type": "array", "items": schema, "minItems": 1, "maxItems": contract.batch}
        schema = {"anyOf": [schema, many]}
    media: dict[str, Any] = {"schema": schema}
    if contract.examples:
        media["examples"] = {name: {"value": value} for name, value in contract.examples.items()}
    return dict.fromkeys(contract.media, media)


def _annotated(function: Any) -> JsonSchema | None:
    kind = getattr(function, "__annotations__", {}).get("return")
    origin = typing.get_origin(kind) or kind
    if origin is dict:
        _, values = typing.get_args(kind) or (str, Any)
        return {"type": "object", **({"additionalProperties": {"type": "string"}} if values is str else {})}
    return {"type": "array", "items": {}} if origin is list else {}
