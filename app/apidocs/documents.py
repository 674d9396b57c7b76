"""The OpenAPI 3.1 document of an application, built from its URL map.

In it is every endpoint of an API (:mod:`core.http.apis`) that is not declared ``undocumented``. Nothing is
declared a second time: parameters, schemas and problems are those that the views are checked by.
"""

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from flask import Flask
from flask import has_app_context
from flask_babel import force_locale
from marshmallow import Schema
from werkzeug.routing import Rule

import settings
from core.access import hidden_attributes
from core.declarations import declared
from core.http.apis import is_api_endpoint
from core.http.languages import SOURCE
from core.modules import installed
from core.rest import ModelResource
from core.rest.projections import Visible

from . import answers
from . import parameters
from .examples import Examples
from .operations import operations
from .operations import resource_of
from .schemas import Components
from .schemas import description

Document = dict[str, Any]

VERSION = "3.1.1"

SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal access token, made at `/accounts/tokens`. Operations that take a permission name "
        "it: the token's owner must have it, and the token must cover it. A token that does not count is refused by "
        "every operation. A request with one is never taken for the browser's session.",
    }
}


def build(app: Flask) -> Document:
    """Return the document."""
    components = Components()
    components.add("ProblemError", answers.PROBLEM_ERROR)
    components.add("Problem", answers.PROBLEM)
    tags: dict[str, str] = {}
    paths: dict[str, dict[str, Any]] = {}
    # Not in a context of its own within a request: what is shown depends on the current identity.
    with nullcontext() if has_app_context() else app.app_context(), force_locale(SOURCE):
        components.includes = includes(app)
        for rule in rules(app):
            name, text = tag(app, rule)
            tags.setdefault(name, text)
            found = {method: {**one, "tags": [name]} for method, one in operations(app, rule, components)}
            paths.setdefault(path(rule), {}).update(found)
    document = {
        **head(),
        "tags": [{"name": name, "description": tags[name]} for name in sorted(tags)],
        "paths": paths,
        "components": {"schemas": components.schemas, "securitySchemes": SECURITY},
    }
    finish(document)
    return document


def text(document: Document) -> str:
    """Write a document for people and for version control."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def head() -> dict[str, Any]:
    """Return what the document says of the whole."""
    info = {
        "title": f"{settings.SITE_NAME} API",
        "version": "1",
        "description": f"What programs can ask of {settings.SITE_NAME}. Whatever goes wrong is answered by a problem "
        "document (RFC 9457), whose `type` never changes and has a page of its own. Of a collection, a query "
        "parameter without a value is the same as none.",
        "contact": settings.API_CONTACT,
        "license": {"name": "MIT", "identifier": "MIT"},
    }
    return {"openapi": VERSION, "info": info, "servers": [{"url": "/"}], "security": [{}, {"token": []}]}


def rules(app: Flask) -> list[Rule]:
    """Return the rules of what programs call, by their paths."""
    left_out = {endpoint for endpoint, _ in declared(app, "undocumented")}
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in left_out and _is_documented(app, rule)]
    return sorted(found, key=lambda rule: (path(rule), rule.endpoint))


def includes(app: Flask) -> dict[type[Schema], dict[str, tuple[Schema, bool]]]:
    """Return what callers may have included, by the schema of the items."""
    found: dict[type[Schema], dict[str, tuple[Schema, bool]]] = {}
    for rule in rules(app):
        resource = resource_of(app, rule)
        if resource and issubclass(resource, ModelResource):
            model = resource.verbs.model
            shown = [relation for relation in model.__mapper__.relationships if relation.key in resource.includes]
            found.setdefault(resource.schema, {}).update(
                (relation.key, (_included(resource, relation), bool(relation.uselist)))
                for relation in shown
                if relation.key not in hidden_attributes(model)
            )
    return found


def _included(resource: type[ModelResource], relation: Any) -> Schema:
    return Visible(resource.includes[relation.key](), relation.mapper.class_).schema()


def _is_documented(app: Flask, rule: Rule) -> bool:
    return not rule.redirect_to and not rule.alias and is_api_endpoint(app, rule.endpoint)


def path(rule: Rule) -> str:
    """Return a rule as OpenAPI writes it."""
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def tag(app: Flask, rule: Rule) -> tuple[str, str]:
    """Return the name of the group that a rule belongs to, and what it is: a collection, or a blueprint."""
    resource = resource_of(app, rule)
    # The bulk of a resource is served by a class of its own.
    resource = getattr(resource, "resource", resource)
    if resource and issubclass(resource, ModelResource):
        name = rule.rule.partition("/<")[0].partition(":")[0]
        return name.strip("/").replace("/", "-"), description(resource) or resource.__name__
    blueprint = rule.endpoint.rpartition(".")[0]
    found = [module for module in installed(app) if module.label == blueprint.partition(".")[0]]
    text = (found and found[0].package.__doc__) or blueprint or app.name
    return blueprint.replace(".", "-") or app.name, text.strip().partition("\n")[0]


# --- what is known when all operations are there ------------------------------------------------


def finish(document: Document) -> None:
    """Add the shared parts that the operations refer to, and give examples."""
    shared = document["components"]
    used = sorted(_references(document["paths"]))
    shared["parameters"] = {name: parameters.COMMON[name] for kind, name in used if kind == "parameters"}
    shared["responses"] = {name: answers.problem_component(name) for kind, name in used if kind == "responses"}
    needed = {name for kind, name in _references([document["paths"], shared["responses"]]) if kind == "headers"}
    shared["headers"] = {name: one for name, one in answers.header_components().items() if name in needed}
    _drop_unused_schemas(document)
    _add_examples(document)


def _references(part: Any) -> set[tuple[str, str]]:
    """Return the (kind, name) of the components that a part of the document refers to."""
    if isinstance(part, list):
        return {found for one in part for found in _references(one)}
    if not isinstance(part, dict):
        return set()
    found = {found for one in part.values() for found in _references(one)}
    if isinstance(part.get("$ref"), str):
        _, kind, name = part["$ref"].rsplit("/", 2)
        found.add((kind, name))
    return found


def _drop_unused_schemas(document: Document) -> None:
    schemas = document["components"]["schemas"]
    needed: set[str] = set()
    new = {name for _, name in _references([document["paths"], document["components"]["responses"]])}
    while new:
        needed |= new
        new = {name for _, name in _references([schemas[name] for name in new if name in schemas])} - needed
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(schemas) if name in needed}


def _add_examples(document: Document) -> None:
    examples = Examples(document["components"]["schemas"])
    for media in _media(document["paths"]):
        if "example" not in media and "examples" not in media and media["schema"]:
            media["example"] = examples.of(media["schema"])


def _media(paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what is said of each content type, of bodies and of answers."""
    for operation in (operation for methods in paths.values() for operation in methods.values()):
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            yield from part.get("content", {}).values()
