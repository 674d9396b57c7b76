"""Roles and what each grants, from the module that stores them."""

from collections.abc import Callable
from collections.abc import Mapping

from flask import Flask
from flask import current_app

from ..platform import platform_of

#: The name of each role, and the permissions that it grants.
Roles = Mapping[str, frozenset[str]]


def set_role_loader(app: Flask, find: Callable[[], Roles]) -> None:
    """Let this application ask ``find`` which roles there are; only lists for people do."""
    platform_of(app).roles_loader = find


def roles() -> Roles:
    """Return the roles; none where no module keeps any."""
    find: Callable[[], Roles] | None = platform_of(current_app).roles_loader
    return {} if find is None else find()
