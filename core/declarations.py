"""Declarations for many endpoints: above a view, in a class of views, or for a blueprint.

The nearest counts: a view's own before its class's, that before its blueprint's, and an inner
blueprint's before the outer's. It is looked up at start, and the views concerned are wrapped: an
endpoint for which nothing is declared pays nothing.

A module enforces declarations by its offer ``declarations.py``: ``ENFORCED = {"rate_limit": wrap}``, where
``wrap(app, endpoint, declaration)`` returns the view that takes the place of the endpoint's.
"""

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from typing import TypeVar

from flask import Flask
from flask.blueprints import Blueprint
from flask.blueprints import BlueprintSetupState
from flask_restful import Resource

from .modules import offers
from .platform import platform_of

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Declaration:
    """Declarations of an endpoint.

    :param place: what it was declared for, the same for all endpoints that share it
    """

    value: Any
    place: str


def init_app(app: Flask) -> None:
    """Wrap the views for which something is declared that a module enforces: the first module's wrapper is innermost.

    :raises core.modules.ModuleError: if a declaration cannot be understood
    """
    for _, file in offers(app, "declarations"):
        for name, wrap in file.ENFORCED.items():
            found = dict(declared(app, name))
            platform_of(app).enforced[name] = {endpoint: one.value for endpoint, one in found.items()}
            for endpoint, one in found.items():
                app.view_functions[endpoint] = wrap(app, endpoint, one)


def enforced(app: Flask, endpoint: str, name: str) -> Any:
    """Return what is declared for an endpoint, for its documentation; ``None`` if no module enforces it."""
    return platform_of(app).enforced.get(name, {}).get(endpoint)


def declare(blueprint: Blueprint, name: str, value: Any) -> None:
    """Declare something for all endpoints of a blueprint that is not registered yet, nested ones too."""

    def keep(state: BlueprintSetupState) -> None:
        path = f"{state.name_prefix}.{state.name}".strip(".")
        platform_of(state.app).declarations[path, name] = value

    blueprint.record(keep)


def declaring(name: str, value: Any) -> Callable[[View], View]:
    """Return a decorator that declares something for a view; it may stand above or below the route."""

    def decorate(view: View) -> View:
        setattr(view, name, value)
        return view

    return decorate


def stays_open() -> Callable[[View], View]:
    """Return a decorator for a view that is served also while the site is closed to visitors."""
    return declaring("stays_open", True)


def declared(app: Flask, name: str) -> Iterator[tuple[str, Declaration]]:
    """Yield each endpoint for which something is declared; files of ``static`` folders are left out."""
    for endpoint in app.view_functions:
        found = _nearest(app, endpoint, name)
        if found is not None and endpoint.rpartition(".")[2] != "static":
            yield endpoint, found


def _nearest(app: Flask, endpoint: str, name: str) -> Declaration | None:
    view = app.view_functions[endpoint]
    if hasattr(view, name):
        return Declaration(getattr(view, name), endpoint)
    view_class = getattr(view, "view_class", None)
    if isinstance(view_class, type) and issubclass(view_class, Resource):
        # The bulk of a resource is served by a class of its own.
        resource: type = getattr(view_class, "resource", view_class)
        if getattr(resource, name, None) is not None:
            return Declaration(getattr(resource, name), f"{resource.__module__}.{resource.__qualname__}")
    return declared_for(app, endpoint.rpartition(".")[0], name)


def declared_for(app: Flask, path: str, name: str) -> Declaration | None:
    """Return what was declared for a blueprint, or for the nearest of those around it.

    :param path: its name with those of the blueprints around it, ``shop.api``
    """
    known = platform_of(app).declarations
    while path:
        if (path, name) in known:
            return Declaration(known[path, name], path)
        path = path.rpartition(".")[0]
    return None
