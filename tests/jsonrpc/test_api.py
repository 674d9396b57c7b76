"""Methods called over HTTP: a module's methods, their transactions, and their permissions."""

import itertools
import json
import logging
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from core.access import ANONYMOUS
from core.access import set_identity_loader
from core.modules import ModuleError
from services import db
from tests.identities import editor

Call = Callable[..., Any]

JSON = {"Content-Type": "application/json"}


def request(method: str, *params: Any, id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": [*params], **({} if id is None else {"id": id})}


def kept(app: Flask) -> list[int]:
    with app.app_context():
        return list(db.session.scalars(sa.text("SELECT number FROM numbers_kept ORDER BY number")))


# --- methods ------------------------------------------------------------------------------------


def test_public_functions_become_methods(call: Call) -> None:
    assert call("App.index")["result"] == {
        "name": "Andamio",
        "methods": [
            "App.index",
            *(f"numbers.{name}" for name in ("fail", "keep", "keep_then", "paint", "subtract", "total")),
            "rpc.discover",
        ],
    }


def test_result_dumped_by_annotation(call: Call) -> None:
    assert call("numbers.paint", colour="BLUE", dark=True)["result"] == "BLUE"
    assert call("numbers.keep", 1)["result"] is None


@pytest.mark.parametrize("name", ["numbers._private", "numbers.Colour", "numbers.NotFound", "numbers.abort", "rpc.x"])
def test_private_function_cannot_be_called(call: Call, name: str) -> None:
    assert call(name)["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("label", "methods", "words"),
    [
        ("shop", "def sell(number): ...", r"tested\.shop\.rpc\.sell does not say what 'number' is"),
        ("rpc", "def sell() -> None: ...", "cannot have the label 'rpc'"),
        ("App", "def sell() -> None: ...", "cannot have the label 'App'"),
    ],
)
def test_invalid_module_methods_fail_start(
    make_app: Call, write_module: Call, label: str, methods: str, words: str
) -> None:
    with pytest.raises(ModuleError, match=words):
        make_app(None, ["app.jsonrpc", write_module(label, methods)])


def test_module_order_irrelevant(make_app: Call, write_module: Call) -> None:
    module = write_module("shop", "def sell() -> None: ...")
    for modules in (["app.jsonrpc", module], [module, "app.jsonrpc"]):
        client = make_app(None, modules).test_client()
        assert client.post("/rpc", json=request("shop.sell")).json["result"] is None


def test_methods_are_those_of_their_application(make_app: Call, write_module: Call) -> None:
    first = write_module("first", "def sell() -> None: ...")
    second = write_module("second", "def sell() -> None: ...")
    apps = [make_app(None, ["app.jsonrpc", module]) for module in (first, second)]
    found = [app.test_client().post("/rpc", json=request("first.sell")).json for app in apps]
    assert ["result" in answer for answer in found] == [True, False]


def test_without_the_module_nothing_is_left(make_app: Call, write_module: Call) -> None:
    client = make_app(None, [write_module("shop", "def sell() -> None: ...")]).test_client()
    assert client.post("/rpc", json=request("shop.sell")).status_code == 404
    assert client.get("/docs/rpc").status_code == 404


# --- transactions -------------------------------------------------------------------------------


def test_call_is_committed(app: Flask) -> None:
    assert app.test_client().post("/rpc", json=request("numbers.keep", 7)).json["result"] is None
    assert kept(app) == [7]


@pytest.mark.parametrize("what", ["missing", "away", "bug", "sql", "stale"])
def test_call_that_fails_leaves_nothing(app: Flask, what: str) -> None:
    answer = app.test_client().post("/rpc", json=request("numbers.keep_then", 7, what)).json
    assert "error" in answer
    assert kept(app) == []


def test_batch_calls_have_own_transactions(app: Flask) -> None:
    batch = [
        request("numbers.keep", 1),
        request("numbers.keep_then", 2, "bug"),
        request("numbers.keep_then", 3, "invalid", id=None),
        request("numbers.keep", 4, id=None),
    ]
    answers = app.test_client().post("/rpc", json=batch).json
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32603]
    assert kept(app) == [1, 4]


# --- what it may cost ---------------------------------------------------------------------------


def test_batch_counts_each_call(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    batch = [request("numbers.subtract", 3), {"no": "call"}, request("numbers.total", id=None)]

    def remaining(body: Any) -> int:
        return int(client.post("/rpc", json=body).headers["X-RateLimit-Remaining"])

    before = remaining(request("numbers.subtract", 3))
    assert remaining(batch) == before - 3
    assert remaining(request("numbers.subtract", 3)) == before - 4


def test_batch_beyond_limit_is_refused(app: Flask) -> None:
    client = app.test_client()
    batch = [request("numbers.keep", 1)] * 50
    for _ in range(12):
        assert client.post("/rpc", json=batch).status_code == 200

    answer = client.post("/rpc", json=batch)

    assert answer.status_code == 429
    assert answer.json["type"] == "/problems/too-many-requests"
    assert int(answer.headers["Retry-After"]) > 0
    assert len(kept(app)) == 600


@pytest.mark.parametrize(("sender", "seconds", "begun"), [(lambda: ANONYMOUS, 1, 2), (editor, 5, 12)])
def test_batch_ends_by_identity(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch, sender: Call, seconds: int, begun: int
) -> None:
    set_identity_loader(sqlite_app, sender)
    ticks = itertools.count(0, 0.4)
    monkeypatch.setattr("app.jsonrpc.calls.time", SimpleNamespace(monotonic=lambda: next(ticks)))
    batch = [request("numbers.subtract", 3, id=number) for number in range(20)]

    answers = sqlite_app.test_client().post("/rpc", json=batch).json

    assert ["result" in one for one in answers] == [True] * begun + [False] * (20 - begun)
    assert {one["error"]["code"] for one in answers[begun:]} == {-32005}
    assert f"its {seconds} seconds" in answers[-1]["error"]["data"]["detail"]


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "code", "kind", "errors"),
    [
        ("missing", -32001, "not-found", None),
        ("invalid", -32002, "invalid", ["number", ""]),
        ("schema", -32002, "invalid", ["number"]),
        ("in use", -32003, "in-use", None),
        ("stale", -32004, "stale", None),
        ("away", -32005, "unavailable", None),
        ("busy", -32005, "unavailable", None),
    ],
)
def test_problem_has_code_and_document(call: Call, what: str, code: int, kind: str, errors: list[str] | None) -> None:
    error = call("numbers.fail", what)["error"]
    assert (error["code"], error["data"]["type"]) == (code, f"/problems/{kind}")
    assert error["message"] == error["data"]["title"]
    assert error["data"]["request_id"]
    found = error["data"].get("errors")
    assert (found and [one["field"] for one in found]) == errors
    assert not re.search("secret|SELECT", json.dumps(error))


def test_database_away_includes_retry_after(call: Call) -> None:
    assert call("numbers.fail", "away")["error"]["data"]["retry_after"] == 2


def test_unreachable_database_reported(make_app: Call, write_module: Call) -> None:
    url = sa.URL.create("postgresql+psycopg", "stranger", host="127.0.0.1", port=9, database="test_none")
    source = """
        import sqlalchemy as sa

        from services import db

        def read() -> int:
            return db.session.scalar(sa.text("SELECT 1"))
    """
    client = make_app(url, ["app.jsonrpc", write_module("shop", source)]).test_client()
    error = client.post("/rpc", json=request("shop.read")).json["error"]
    assert (error["code"], error["data"]["retry_after"]) == (-32005, 2)
    assert "127.0.0.1" not in json.dumps(error)


def test_stale_row_has_one_code(sqlite_app: Flask) -> None:
    headers = {"If-Match": '"1"'}
    answer = sqlite_app.test_client().post("/rpc", json=request("numbers.fail", "stale"), headers=headers).json
    assert answer["error"]["code"] == -32004


@pytest.mark.parametrize("what", ["bug", "sql"])
def test_unhandled_exception_only_in_log(sqlite_app: Flask, what: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = sqlite_app.test_client().post("/rpc", json=request("numbers.fail", what))
    assert answer.status_code == 200
    assert answer.json == {"jsonrpc": "2.0", "error": {"code": -32603, "message": "Internal error"}, "id": 1}
    assert "the method numbers.fail failed" in caplog.text


# --- HTTP ---------------------------------------------------------------------------------------


@pytest.fixture
def client(sqlite_app: Flask) -> FlaskClient:
    return sqlite_app.test_client()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"jsonrpc":"2.0","method":"App.index","id":1}', 200),
        (b'{"jsonrpc":"2.0","method":"nothing","id":1}', 200),
        (b'[1, {"jsonrpc":"2.0","method":"nothing"}]', 200),
        (b'{"jsonrpc":"2.0","method":"nothing"}', 204),
        (b'[{"jsonrpc":"2.0","method":"nothing"}]', 204),
        (b"", 400),
        (b"{", 400),
        (b"{}", 400),
        (b"[]", 400),
        (b"[" + b"1," * 50 + b"1]", 400),
    ],
)
def test_status_distinguishes_invalid_requests(client: FlaskClient, body: bytes, status: int) -> None:
    answer = client.post("/rpc", data=body, headers=JSON)
    assert answer.status_code == status
    assert answer.mimetype == (None if status == 204 else "application/json")
    assert (answer.data == b"") == (status == 204)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_other_content_types_are_refused(client: FlaskClient, media: str) -> None:
    # None of those that a form of another site can send is read, so that no token of forms is asked for.
    answer = client.post("/rpc", data=json.dumps(request("numbers.keep", 1)), headers={"Content-Type": media})
    assert (answer.status_code, answer.headers["Accept"]) == (415, "application/json")
    assert kept(client.application) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused(client: FlaskClient, method: str) -> None:
    answer = client.open("/rpc", method=method, json=request("App.index"))
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.mimetype == "application/problem+json"


def test_client_without_json_refused(client: FlaskClient) -> None:
    assert client.post("/rpc", json=request("App.index"), headers={"Accept": "text/html"}).status_code == 406


def test_query_string_is_refused(client: FlaskClient) -> None:
    assert client.post("/rpc?x=1", json=request("App.index")).status_code == 400


def test_names_below_path_not_found(client: FlaskClient) -> None:
    answer = client.post("/rpc/App.index", json={})
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
