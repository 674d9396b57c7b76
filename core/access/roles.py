"""Roles, from the module that stores them, and the permissions that they may grant."""

from collections.abc import Callable
from collections.abc import Mapping

from flask import Flask
from flask import current_app

from .. import modules
from ..platform import platform_of
from .policies import NAMES
from .policies import OWNERS_NAMES

#: The name of each role, and the permissions that it grants.
Roles = Mapping[str, frozenset[str]]


def set_role_loader(app: Flask, find: Callable[[], Roles]) -> None:
    """Let this application ask ``find`` which roles there are; only lists for people do."""
    platform_of(app).roles_loader = find


def roles() -> Roles:
    """Return the roles; none where no module keeps any."""
    find: Callable[[], Roles] | None = platform_of(current_app).roles_loader
    return {} if find is None else find()


def permissions(app: Flask | None = None) -> list[str]:
    """Return the permissions of an application, by default the current one, by name.

    What a policy asks for is known as soon as its module is imported; the first word of its name is the
    module's label.
    """
    labels = {module.label for module in modules.installed(app)}
    return sorted(name for name in NAMES if name.partition(".")[0] in labels)


def owners_permissions(app: Flask | None = None) -> set[str]:
    """Return those permissions whose use needs no role: with a row of one's own."""
    return OWNERS_NAMES & {*permissions(app)}
