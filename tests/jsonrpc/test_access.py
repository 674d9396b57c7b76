"""Methods that need a permission."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask import request

from core.access import ANONYMOUS
from core.access import Identity
from core.access import endpoints
from core.access import set_identity_loader

METHODS = '''
    """A safe."""

    from core.access import PUBLIC
    from core.access import permission
    from core.access import access


    @access(PUBLIC)
    def colour() -> str:
        """Say what it looks like."""
        return "grey"


    @access(permission("safe.door.open"))
    def open_door(code: int) -> str:
        """Open it."""
        return "open"


    def knock() -> str:
        """Make a noise."""
        return "who is there?"
'''

PEOPLE = {
    "ann": Identity("ann", "Ann", frozenset({"safe.door.open"}), via="session"),
    "bob": Identity("bob", "Bob", via="session"),
    "robot": Identity("ann", "Ann", frozenset({"safe.door.open"}), frozenset(), via="token"),
}


@pytest.fixture
def app(make_app: Callable[..., Flask], new_database: Any, write_module: Callable[..., str]) -> Flask:
    """Return an application with these methods; the header ``X-Who`` says who calls."""
    app = make_app(new_database("sqlite"), ["app.jsonrpc", write_module("safe", METHODS)])
    set_identity_loader(app, lambda: PEOPLE.get(request.headers.get("X-Who", ""), ANONYMOUS))
    return app


@pytest.fixture
def call_as(app: Flask) -> Callable[..., Any]:
    """Call a method as a user: ``call_as("ann", "safe.open_door", 1)``."""
    client = app.test_client()

    def call(who: str, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "method": method, "params": [*params], "id": 1}
        return client.post("/rpc", json=body, headers={"X-Who": who}).json

    return call


def test_permitted_identity_calls_method(call_as: Callable[..., Any]) -> None:
    assert call_as("ann", "safe.open_door", 1)["result"] == "open"
    assert call_as("", "safe.colour")["result"] == "grey"
    assert call_as("", "safe.knock")["result"] == "who is there?"


@pytest.mark.parametrize(("who", "code", "kind"), [("", -32006, "unauthorized"), ("bob", -32007, "forbidden")])
def test_method_refuses_before_reading_params(call_as: Callable[..., Any], who: str, code: int, kind: str) -> None:
    error = call_as(who, "safe.open_door", "no", "number")["error"]
    assert (error["code"], error["data"]["type"]) == (code, f"/problems/{kind}")


def test_token_must_cover_the_method(call_as: Callable[..., Any]) -> None:
    error = call_as("robot", "safe.open_door", 1)["error"]
    assert (error["code"], error["data"]["detail"]) == (-32007, "This takes the permission safe.door.open.")


def test_batch_is_asked_call_by_call(app: Flask) -> None:
    names = ("safe.colour", "safe.open_door")
    batch = [{"jsonrpc": "2.0", "method": name, "id": name, "params": []} for name in names]
    answers = app.test_client().post("/rpc", json=batch).json
    assert [("result" in one, one.get("error", {}).get("code")) for one in answers] == [(True, None), (False, -32006)]


def test_discover_shows_policies(call_as: Callable[..., Any]) -> None:
    methods = {one["name"]: one for one in call_as("", "rpc.discover")["result"]["methods"]}
    assert methods["safe.open_door"]["x-access"] == "safe.door.open"
    assert methods["safe.colour"]["x-access"] == "public"
    assert "x-access" not in methods["safe.knock"]
    seen = {one["$ref"].rpartition("/")[2] for one in methods["safe.open_door"]["errors"]}
    assert {"unauthorized", "forbidden"} <= seen


def test_method_that_says_nothing_is_undeclared(app: Flask) -> None:
    assert endpoints.undeclared(app) == ["safe.knock"]
