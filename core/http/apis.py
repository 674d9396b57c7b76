"""Which paths belong to an API: there errors are problem documents, and no form token is asked for."""

import posixpath
from collections.abc import Callable

from flask import Flask
from flask.blueprints import Blueprint
from flask.blueprints import BlueprintSetupState
from flask_restful import Resource

from services import csrf

from ..declarations import View
from ..declarations import declaring


def init_app(app: Flask) -> None:
    """Start with no API."""
    app.extensions["api_prefixes"] = {}


def mark_api(blueprint: Blueprint) -> None:
    """Make everything below the blueprint's prefix part of an API.

    Its views are exempt from the CSRF check of forms: they take JSON, which a form on another
    site cannot send.
    """
    csrf.exempt(blueprint)
    blueprint.record(_add_prefix)


def undocumented() -> Callable[[View], View]:
    """Return a decorator for a view below an API's prefix that is for no caller of the API, and not in its document."""
    return declaring("undocumented", True)


def _add_prefix(state: BlueprintSetupState) -> None:
    if state.url_prefix and state.url_prefix != "/":
        owner = f"{state.name_prefix}.{state.name}".strip(".").partition(".")[0]
        state.app.extensions["api_prefixes"][state.url_prefix.rstrip("/")] = owner


def is_api_path(app: Flask, path: str) -> bool:
    """Return whether a path lies below an API's prefix."""
    return any(is_below(path, prefix) for prefix in app.extensions["api_prefixes"])


def is_below(path: str, prefix: str) -> bool:
    """Return whether a path is an API's prefix or below it."""
    return path.startswith(prefix) and (path == prefix or path[len(prefix)] in "/:")


def owners(app: Flask) -> dict[str, str]:
    """Return the prefix of each API, with the name of the outermost blueprint that it is of."""
    found: dict[str, str] = app.extensions["api_prefixes"]
    return found


# --- plain Flask-RESTful ------------------------------------------------------------------------


def adopt_plain_apis(app: Flask) -> None:
    """Hold the resources of plain Flask-RESTful ``Api`` objects to the same contract as ours."""
    _restore_error_handlers(app)
    _mark_resources(app)


def _restore_error_handlers(app: Flask) -> None:
    """Undo that each ``Api`` wraps the application's error handling.

    An error in a Resource would not reach the application's handlers (flask-restful issue 796).
    """
    for name in ("handle_exception", "handle_user_exception"):
        vars(app).pop(name, None)


def _mark_resources(app: Flask) -> None:
    paths: dict[str, list[str]] = {}
    pages: set[str] = set()
    for rule in app.url_map.iter_rules():
        name, _, endpoint = rule.endpoint.rpartition(".")
        view = app.view_functions[rule.endpoint]
        view_class = getattr(view, "view_class", None)
        if isinstance(view_class, type) and issubclass(view_class, Resource):
            # What follows a colon is of the collection before it: /things:bulk.
            paths.setdefault(name, []).append(rule.rule.partition("<")[0].partition(":")[0].rstrip("/") or "/")
            # Not its blueprint, which may have forms as well.
            csrf.exempt(view)
        elif endpoint != "static":
            pages.add(name)
    for name, found in paths.items():
        prefix = posixpath.commonpath(found) if name in pages else _declared_prefix(app, name, found)
        if prefix != "/" and not is_api_path(app, prefix):
            app.extensions["api_prefixes"][prefix] = name.partition(".")[0]


def _declared_prefix(app: Flask, name: str, paths: list[str]) -> str:
    """Return the prefix of a blueprint that has resources only, else what its paths have in common."""
    blueprint = app.blueprints.get(name)
    declared = (blueprint.url_prefix or "").rstrip("/") if blueprint else ""
    if declared and all(f"{path}/".startswith(f"{declared}/") for path in paths):
        return declared
    return posixpath.commonpath(paths)
