"""Endpoints of APIs: their errors are problem documents, they take tokens, and they need no form token.

The endpoint decides: it is an API's where its blueprint is marked, where its view is a resource of
Flask-RESTful, and where its view has a contract. Paths decide only for a request that matched no endpoint.
"""

import posixpath
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from flask import Flask
from flask import Request
from flask.blueprints import Blueprint
from flask.blueprints import BlueprintSetupState
from flask.globals import request_ctx
from flask_restful import Resource
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed

from services import csrf

from ..declarations import View
from ..declarations import declare
from ..declarations import declared_for
from ..declarations import declaring
from ..platform import platform_of


def mark_api(blueprint: Blueprint) -> None:
    """Make every view of a blueprint, and of those nested in it, part of an API.

    They are exempt from the check of forms. A request that may change something gets the session only with
    a form token; see :mod:`core.http.sessions`.
    """
    declare(blueprint, "api", True)
    blueprint.record(_add_prefix)


def undocumented() -> Callable[[View], View]:
    """Return a decorator for a view of an API that is for no caller of the API, and not in its document."""
    return declaring("undocumented", True)


# --- by endpoint --------------------------------------------------------------------------------


def is_api(app: Flask, request: Request) -> bool:
    """Return whether a request is for an API: by its endpoint, and by its path where it has none."""
    return _is(is_api_endpoint, app, request)


def is_for_programs(app: Flask, request: Request) -> bool:
    """Return whether a request is for an API, or for another endpoint that is exempt from the check of forms."""
    return _is(is_exempt, app, request)


def is_api_endpoint(app: Flask, endpoint: str) -> bool:
    """Return whether an endpoint is an API's."""
    known: dict[str, bool] = platform_of(app).api_endpoints
    if endpoint not in known and endpoint in app.view_functions:
        known[endpoint] = _find_out(app, endpoint)
    return known.get(endpoint, False)


def is_exempt(app: Flask, endpoint: str) -> bool:
    """Return whether an endpoint is exempt from the check of forms: an API's, or one given to ``csrf.exempt``."""
    if is_api_endpoint(app, endpoint):
        return True
    view = app.view_functions.get(endpoint)
    blueprint = app.blueprints.get(endpoint.rpartition(".")[0])
    # Flask-WTF 1.3 has no public way to ask for an endpoint.
    return blueprint in csrf._exempt_blueprints or _place(view) in csrf._exempt_views


def owner_of(app: Flask, request: Request) -> str | None:
    """Return the name of the outermost blueprint of the API that a request is for; ``None`` if it is for none."""
    if not is_api(app, request):
        return None
    if request.url_rule is not None:
        return _outermost(request.url_rule.endpoint)
    if isinstance(request.routing_exception, MethodNotAllowed):
        names = _by_other_methods(request.routing_exception)
        return next(_outermost(name) for name in names if is_api_endpoint(app, name))
    prefixes: dict[str, str] = platform_of(app).api_prefixes
    nearest = max((prefix for prefix in prefixes if is_below(request.path, prefix)), key=len)
    return prefixes[nearest]


def owners(app: Flask) -> set[str]:
    """Return the names of the outermost blueprints that have an API."""
    endpoints = {_outermost(name) for name in app.view_functions if is_api_endpoint(app, name)}
    return endpoints | set(platform_of(app).api_prefixes.values())


def _is(of_kind: Callable[[Flask, str], bool], app: Flask, request: Request) -> bool:
    if request.url_rule is not None:
        return of_kind(app, request.url_rule.endpoint)
    if isinstance(request.routing_exception, MethodNotAllowed):
        return any(of_kind(app, name) for name in _by_other_methods(request.routing_exception))
    return is_api_path(app, request.path)


def _find_out(app: Flask, endpoint: str) -> bool:
    path, _, name = endpoint.rpartition(".")
    view = app.view_functions[endpoint]
    if name == "static":
        return False
    view_class = getattr(view, "view_class", None)
    is_resource = isinstance(view_class, type) and issubclass(view_class, Resource)
    has_terms = hasattr(view, "contract") or hasattr(view, "operation")
    return is_resource or has_terms or declared_for(app, path, "api") is not None


def _by_other_methods(error: MethodNotAllowed) -> Iterator[str]:
    """Yield the endpoints that an address has for the methods that it serves."""
    for method in sorted(error.valid_methods or ()):
        try:
            yield request_ctx.url_adapter.match(method=method)[0]  # type: ignore[union-attr]  # a request has one
        except HTTPException:
            continue


def _outermost(endpoint: str) -> str:
    return endpoint.partition(".")[0] if "." in endpoint else ""


def _place(view: object) -> str:
    return f"{getattr(view, '__module__', '')}.{getattr(view, '__name__', '')}"


# --- by path ------------------------------------------------------------------------------------


def is_api_path(app: Flask, path: str) -> bool:
    """Return whether a path that no endpoint has lies below an API's prefix."""
    return any(is_below(path, prefix) for prefix in platform_of(app).api_prefixes)


def is_below(path: str, prefix: str) -> bool:
    """Return whether a path is an API's prefix or below it."""
    return path.startswith(prefix) and (path == prefix or path[len(prefix)] in "/:")


def prefixes(app: Flask) -> list[str]:
    """Return the paths below which what is not found is answered as an API answers."""
    return sorted(platform_of(app).api_prefixes)


def _add_prefix(state: BlueprintSetupState) -> None:
    if state.url_prefix and state.url_prefix != "/":
        owner = f"{state.name_prefix}.{state.name}".strip(".").partition(".")[0]
        platform_of(state.app).api_prefixes[state.url_prefix.rstrip("/")] = owner


# --- when all modules are there -----------------------------------------------------------------


def adopt_plain_apis(app: Flask) -> None:
    """Hold the resources of plain Flask-RESTful ``Api`` objects to the same contract as ours."""
    _restore_error_handlers(app)
    _add_prefixes(app)


def _restore_error_handlers(app: Flask) -> None:
    """Undo that each ``Api`` wraps the application's error handling.

    An error in a Resource would not reach the application's handlers (flask-restful issue 796).
    """
    for name in ("handle_exception", "handle_user_exception"):
        vars(app).pop(name, None)


def _add_prefixes(app: Flask) -> None:
    """Find the prefixes of the APIs that have not declared one."""
    paths: dict[str, set[str]] = {}
    above_pages: set[str] = set()
    for rule in app.url_map.iter_rules():
        path, name = _beginning(rule.rule), rule.endpoint.rpartition(".")[2]
        if is_api_endpoint(app, rule.endpoint):
            paths.setdefault(rule.endpoint.rpartition(".")[0], set()).add(path)
        elif name != "static":
            above_pages.update(_and_above(path))
    known: dict[str, str] = platform_of(app).api_prefixes
    for name, found in paths.items():
        for prefix in _prefixes_of(app, name, found, above_pages):
            if prefix != "/" and not is_api_path(app, prefix):
                known[prefix] = name.partition(".")[0]


def _beginning(rule: str) -> str:
    """Return the part of a rule before its first argument; what follows a colon is of the list: /things:bulk."""
    path, _, argument = rule.partition("<")
    if argument:
        path = path.rpartition("/")[0]
    return path.partition(":")[0].rstrip("/") or "/"


def _and_above(path: str) -> Iterator[str]:
    while path != "/":
        yield path
        path = posixpath.dirname(path)


def _prefixes_of(app: Flask, name: str, paths: Iterable[str], above_pages: set[str]) -> Iterable[str]:
    """Return what the paths of a blueprint have in common, or each of them where pages lie between."""
    blueprint = app.blueprints.get(name)
    declared = (blueprint.url_prefix or "").rstrip("/") if blueprint else ""
    for common in (declared, posixpath.commonpath(paths)):
        if common not in ("", "/", *above_pages) and all(is_below(path, common) for path in paths):
            return [common]
    return sorted(paths)
