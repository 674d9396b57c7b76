"""Shipped endpoints declare a policy."""

from collections.abc import Callable

from flask import Flask

from core.access import PUBLIC
from core.access import endpoints
from core.access import permissions
from core.access import roles

#: Endpoints that check each call, that write nothing (or a cookie), and that visitors of other sites call.
OPEN = {"POST jsonrpc.api.answer", "POST home.status", "POST events.collect", "POST languages.preferences"}


def test_shipped_endpoints_declare_policy(sqlite_app: Flask) -> None:
    assert endpoints.undeclared(sqlite_app) == []


def test_development_declares_its_policy(make_app: Callable[..., Flask]) -> None:
    assert endpoints.undeclared(make_app(APP_ENV="development")) == []


def test_administrator_may_do_everything(sqlite_app: Flask) -> None:
    with sqlite_app.app_context():
        assert roles()["administrator"] == frozenset(permissions())


def test_writing_endpoint_is_not_public(sqlite_app: Flask) -> None:
    writing = ("POST", "PUT", "PATCH", "DELETE")
    found = {
        f"{one.verb} {one.place}"
        for one in endpoints.everything(sqlite_app)
        if one.verb in writing and one.policy is PUBLIC
    }
    # A visitor who signs in is still anonymous.
    assert {name for name in found if " security." not in name} == {
        place for place in OPEN if place.partition(" ")[2] in sqlite_app.view_functions
    }
