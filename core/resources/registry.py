"""The resources of an application, for modules that offer something for each: methods, documents, a menu."""

from typing import TYPE_CHECKING

from flask import current_app
from flask.sansio.app import App

from ..platform import platform_of

if TYPE_CHECKING:
    from .declaration import Resource


def add(app: App, module: str, resource: "Resource") -> None:
    """Make a resource known to an application.

    :param module: the label of its module
    """
    platform_of(app).resources.append((module, resource))


def registered(app: App | None = None) -> list[tuple[str, "Resource"]]:
    """Return the resources of an application, by default of the current one, in order of their registration.

    :return: (label of the module, the resource)
    """
    found: list[tuple[str, Resource]] = platform_of(app or current_app).resources
    return found
