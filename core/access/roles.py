"""Roles and what each grants, from the module that stores them."""

from collections.abc import Callable
from collections.abc import Mapping

from flask import Flask
from flask import current_app

#: The name of each role, and the permissions that it grants.
Roles = Mapping[str, frozenset[str]]


def set_role_loader(app: Flask, find: Callable[[], Roles]) -> None:
    """Let this application ask ``find`` which roles there are; only lists for people do."""
    app.extensions["roles"] = find


def roles() -> Roles:
    """Return the roles; none where no module keeps any."""
    find: Callable[[], Roles] | None = current_app.extensions.get("roles")
    return {} if find is None else find()
