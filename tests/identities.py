"""Identities that send the requests of tests: of those that are not about access, and of those about roles."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask import request
from werkzeug.test import TestResponse

from core.access import ANONYMOUS
from core.access import Identity
from core.access import permissions
from core.access import roles
from core.access import set_identity_loader

#: Sends a request as a user: ``ask("member", "GET", "/")``; ``""`` is an anonymous visitor.
Ask = Callable[..., TestResponse]


def editor() -> Identity:
    """Return an identity that may do everything that needs a permission."""
    return Identity(key="editor", name="Olga", permissions=frozenset(permissions()), via="session")


def ask_with_roles(app: Flask) -> Ask:
    """Let requests come from one person for each role, granted what the migrations grant, and from another member."""
    with app.app_context():
        granted = roles()
    known = {name: Identity(name, name, granted[name], roles=frozenset({name}), via="session") for name in granted}
    known["other"] = Identity("other", "Other", granted["member"], via="session")
    set_identity_loader(app, lambda: known.get(request.headers.get("X-Who", ""), ANONYMOUS))
    client = app.test_client()

    def send(who: str, method: str, url: str, **more: Any) -> TestResponse:
        return client.open(url, method=method, headers={"X-Who": who, **more.pop("headers", {})}, **more)

    return send
