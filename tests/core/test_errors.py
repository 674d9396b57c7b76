import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint
from flask import Flask
from flask import abort
from flask import jsonify
from flask import redirect
from flask import request
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from marshmallow import ValidationError
from sqlalchemy.engine import URL
from werkzeug.exceptions import NotFound
from werkzeug.exceptions import TooManyRequests
from werkzeug.exceptions import Unauthorized
from werkzeug.test import TestResponse

from config import ROOT
from core.http.apis import mark_api
from core.http.problems import KINDS
from services import db
from tests.core import warehouse
from tests.core.warehouse import Maker
from tests.core.warehouse import Thing
from tests.core.warehouse import things
from tests.ports import free_port
from tests.processes import until

SECRET = "the secret of the house"


def explode(kind: str) -> Any:
    match kind:
        case "exception":
            raise RuntimeError(SECRET)
        case "sql":
            db.session.execute(sa.text(f"SELECT '{SECRET}' FROM nowhere"))
        case "http":
            abort(int(request.args["code"]), description=request.args.get("words"))
        case "busy":
            raise TooManyRequests(retry_after=7)
        case "unauthorized":
            raise Unauthorized(www_authenticate=None)
        case "validation":
            raise ValidationError({"lines": {0: {"name": ["Wrong."]}}, "_schema": ["All wrong."]})
        case "many":
            raise ValidationError({str(number): ["Wrong."] for number in range(30)})
        case "unknown":
            raise NotFound
        case "redirect":
            return redirect("/elsewhere", 308)
        case "response":
            abort(jsonify(own=True))
        case "body":
            return jsonify(request.get_json())
        case "form":
            return request.form.get("name", "")
    return "fine"


@pytest.fixture
def app_with_views(sqlite_app: Flask) -> Flask:
    """The module of the tests, with views that go wrong, on both sides of the contract."""
    api = Blueprint("exploding", __name__)
    mark_api(api)
    for place, path in ((sqlite_app, "/explode/<kind>"), (api, "/warehouse/explode/<kind>")):
        place.add_url_rule(path, "explode", explode, methods=["GET", "POST"])
    sqlite_app.register_blueprint(api)
    sqlite_app.add_url_rule("/guarded", "guarded", lambda: "fine", methods=["POST"])
    sqlite_app.add_url_rule("/token", "token", generate_csrf)
    return sqlite_app


@pytest.fixture
def client(app_with_views: Flask) -> FlaskClient:
    """A browser that has loaded a page with a form."""
    client = app_with_views.test_client()
    client.environ_base["HTTP_X_CSRFTOKEN"] = client.get("/token").text
    return client


def problem(answer: TestResponse, status: int, kind: str) -> Any:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    document = answer.json
    assert list(document)[:5] == ["type", "title", "status", "detail", "request_id"]
    assert document["type"] == (kind if kind == "about:blank" else f"/problems/{kind}")
    assert document["status"] == status
    assert document["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert all(isinstance(document[name], str) and document[name] for name in ("title", "detail"))
    return document


def page(answer: TestResponse, status: int) -> str:
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert answer.headers["X-Request-ID"] in answer.text
    assert f"{status}" in answer.text
    return answer.text


# --- which of the two ---------------------------------------------------------------------------


def test_api_prefix_gets_problem_document(client: FlaskClient) -> None:
    for path in ("/warehouse", "/warehouse/", "/warehouse/nothing", "/warehouse/things/1"):
        problem(client.get(path, headers={"Accept": "application/json, text/html"}), 404, "not-found")


def test_elsewhere_it_is_a_page(client: FlaskClient) -> None:
    for path in ("/nothing", "/shelfish", "/problems/nothing"):
        page(client.get(path), 404)


@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json", "text/html;q=0.5, application/json"]
)
def test_json_client_gets_problem_document(client: FlaskClient, accept: str) -> None:
    problem(client.get("/nothing", headers={"Accept": accept}), 404, "not-found")


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html, application/json", "text/*", "image/png", "application/json;q=0", ";;,q"]
)
def test_other_client_gets_page(client: FlaskClient, accept: str) -> None:
    page(client.get("/nothing", headers={"Accept": accept}), 404)


# --- each kind ----------------------------------------------------------------------------------


def test_method_that_is_not_served(client: FlaskClient) -> None:
    answer = client.delete("/warehouse/explode/x")
    problem(answer, 405, "method-not-allowed")
    assert answer.allow == {"GET", "HEAD", "OPTIONS", "POST"}
    # A person sees no headers.
    assert "Allow" not in page(client.delete("/explode/x"), 405)


def test_form_without_a_token(app_with_views: Flask) -> None:
    caller = app_with_views.test_client()
    assert "Load the page again" in page(caller.post("/guarded"), 400)
    problem(caller.post("/guarded", headers={"Accept": "application/json"}), 400, "csrf")


@pytest.mark.parametrize("prefix", ["", "/warehouse"])
def test_plain_view_answers_broken_body(client: FlaskClient, prefix: str) -> None:
    check = problem if prefix else lambda answer, status, kind: page(answer, status)
    url = f"{prefix}/explode/body"
    check(client.post(url, data="x"), 415, "unsupported-media-type")
    # A client that sends JSON gets JSON.
    problem(client.post(url, data="{", content_type="application/json"), 400, "bad-request")
    problem(client.post(url, data="x" * 2_000_000, content_type="application/json"), 413, "too-large")
    check(client.post(f"{prefix}/explode/form", data={"name": "x" * 2_000_000}), 413, "too-large")


@pytest.mark.parametrize("kind", ["exception", "sql"])
def test_nothing_internal_is_shown(client: FlaskClient, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    for url, check in ((f"/warehouse/explode/{kind}", problem), (f"/explode/{kind}", None)):
        answer = client.get(url)
        if check:
            check(answer, 500, "internal")
        else:
            page(answer, 500)
        for word in (SECRET, "RuntimeError", "SELECT", "nowhere", "Traceback", "sqlite"):
            assert word not in answer.text
    assert SECRET in caplog.text


def test_rate_limit_has_retry_after(client: FlaskClient) -> None:
    answer = client.get("/warehouse/explode/busy")
    problem(answer, 429, "too-many-requests")
    assert answer.headers["Retry-After"] == "7"


def test_validation_error_flattened(client: FlaskClient) -> None:
    document = problem(client.get("/warehouse/explode/validation"), 422, "invalid")
    assert document["errors"] == [
        {"field": "lines.0.name", "message": "Wrong.", "pointer": "#/lines/0/name"},
        {"field": "", "message": "All wrong.", "pointer": "#"},
    ]
    assert "lines.0.name" in page(client.get("/explode/validation"), 422)


def test_many_errors_shortened(client: FlaskClient) -> None:
    body = {f"x{number}": 1 for number in range(100)}
    listed = problem(client.post("/warehouse/things", json=body), 422, "invalid")["errors"]
    assert len(listed) == 21
    assert listed[-1]["field"] == ""
    # Beside the unknown ones two are missing, the name and the maker.
    assert listed[-1]["message"] == "And 82 more."
    assert "And 10 more." in page(client.get("/explode/many"), 422)


def test_known_parameters_listed_once(client: FlaskClient) -> None:
    query = "&".join(f"x{number}=1" for number in range(100))
    answer = client.get(f"/warehouse/things?{query}")
    messages = [error["message"] for error in problem(answer, 400, "bad-query")["errors"]]
    errors = answer.json["errors"]
    assert errors[0] == {"field": "x0", "message": messages[0], "parameter": "x0"}
    assert errors[-1] == {"field": "", "message": "And 80 more."}
    assert messages[0].startswith("Unknown parameter. This list knows q, sort, ")
    assert messages[1:] == ["Unknown parameter."] * 19 + ["And 80 more."]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429, 500, 503])
def test_each_status_has_its_kind(client: FlaskClient, code: int) -> None:
    answer = client.get(f"/warehouse/explode/http?code={code}")
    assert answer.json["type"].startswith("/problems/")
    problem(answer, code, answer.json["type"].removeprefix("/problems/"))
    page(client.get(f"/explode/http?code={code}"), code)


@pytest.mark.parametrize("code", [410, 411, 414, 418, 423, 451, 501, 502, 504])
def test_other_status_has_no_kind(client: FlaskClient, code: int) -> None:
    problem(client.get(f"/warehouse/explode/http?code={code}"), code, "about:blank")
    page(client.get(f"/explode/http?code={code}"), code)


def test_abort_text_escaped_as_detail(client: FlaskClient) -> None:
    words = "<b>not</b> & now"
    assert client.get("/warehouse/explode/http", query_string={"code": 409, "words": words}).json["detail"] == words
    text = page(client.get("/explode/http", query_string={"code": 409, "words": words}), 409)
    assert "&lt;b&gt;not" in text
    assert "<b>not" not in text


def test_address_is_escaped_in_the_page(client: FlaskClient) -> None:
    assert "<script>alert" not in page(client.get("/<script>alert(1)</script>"), 404)


@pytest.mark.parametrize("prefix", ["", "/warehouse"])
def test_redirects_and_ready_answers_pass_untouched(client: FlaskClient, prefix: str) -> None:
    answer = client.get(f"{prefix}/explode/redirect")
    assert (answer.status_code, answer.location) == (308, "/elsewhere")
    assert client.get(f"{prefix}/explode/response").json == {"own": True}


def test_head_error_has_no_body(client: FlaskClient) -> None:
    answer = client.head("/warehouse/nothing")
    assert (answer.status_code, answer.data) == (404, b"")


def test_valid_request_id_kept(client: FlaskClient) -> None:
    assert client.get("/warehouse/nothing", headers={"X-Request-ID": "abcd-1234"}).json["request_id"] == "abcd-1234"
    for sent in ("short", "x" * 65, "<script>alert", "abcd\t1234"):
        assert client.get("/warehouse/nothing", headers={"X-Request-ID": sent}).json["request_id"] != sent


def test_host_that_is_not_ours(client: FlaskClient) -> None:
    for path in ("/", "/warehouse/things"):
        answer = client.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_has_a_page(client: FlaskClient, name: str) -> None:
    text = client.get(f"/problems/{name}").text
    assert str(KINDS[name].title) in text
    assert f"{KINDS[name].status}" in text


def test_problem_type_has_prefix(client: FlaskClient) -> None:
    answer = client.get("/warehouse/nothing", environ_overrides={"SCRIPT_NAME": "/shop"})
    assert answer.json["type"] == "/shop/problems/not-found"


def test_error_page_independent_of_layout(app_with_views: Flask, caplog: pytest.LogCaptureFixture) -> None:
    app_with_views.jinja_env.globals["menu"] = None
    answer = app_with_views.test_client().get("/nothing")
    assert (answer.status_code, answer.mimetype, answer.text) == (404, "text/plain", "404 Not found\n")
    assert "could not be rendered" in caplog.text


# --- the database -------------------------------------------------------------------------------


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_database_away_waited_for(make_proxied_app: Any, engine_name: str) -> None:
    app, proxy = make_proxied_app(engine_name)
    with app.app_context():
        db.session.add(Maker(id=1, name="Acme"))
        db.session.commit()
    client = app.test_client()
    thing = {"name": "pen", "maker_id": 1}
    assert client.post("/warehouse/things", json=thing).status_code == 201
    assert client.get("/warehouse/things").status_code == 200
    proxy.cut()
    for answer in (
        client.get("/warehouse/things"),
        client.post("/warehouse/things", json=thing),
        client.get("/warehouse/things/1"),
    ):
        problem(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    proxy.restore()
    assert client.get("/warehouse/things").status_code == 200
    assert client.post("/warehouse/things", json=thing).status_code == 201


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_lost_connection_hidden_from_readers(make_proxied_app: Any, engine_name: str) -> None:
    app, proxy = make_proxied_app(engine_name)
    client = app.test_client()
    assert client.get("/warehouse/things").status_code == 200
    proxy.cut()
    proxy.restore()
    assert client.get("/warehouse/things").status_code == 200


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_view_without_connection_is_unavailable(make_proxied_app: Any, engine_name: str) -> None:
    app, proxy = make_proxied_app(engine_name)

    def go_on() -> str:
        db.session.execute(sa.text("SELECT 1"))
        proxy.cut()
        proxy.restore()
        with suppress(sa.exc.DBAPIError):
            db.session.execute(sa.text("SELECT 1"))
        return str(db.session.scalar(sa.text("SELECT 1")))

    app.add_url_rule("/go-on", "go_on", go_on)
    client = app.test_client()
    for _ in range(2):
        problem(client.get("/go-on", headers={"Accept": "application/json"}), 503, "unavailable")
    assert client.get("/warehouse/things").status_code == 200


def test_lock_timeout_is_busy(
    make_app: Callable[..., Flask],
    database_url: Callable[[str], URL],
    engine_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another transaction holds the row; the wait is set to a second."""
    monkeypatch.setenv("DATABASE_TIMEOUT_SECONDS", "1")
    url = database_url(engine_name)
    app = make_app(url, [warehouse.__name__], SQLALCHEMY_ENGINE_OPTIONS=_short(engine_name))
    with app.app_context():
        db.session.add(Maker(id=1, name="Acme"))
        db.session.flush()
        item = things.create({"name": "pen", "maker_id": 1})
        db.session.commit()
        number = item.id
    other = sa.create_engine(url, poolclass=sa.NullPool)
    with other.connect() as connection:
        if engine_name == "sqlite":
            connection.connection.driver_connection.isolation_level = None
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.execute(sa.update(Thing.__table__).values(name="held"))
        answer = app.test_client().patch(f"/warehouse/things/{number}", json={"rank": 1}, headers={"If-Match": "*"})
        problem(answer, 503, "unavailable")
        assert answer.headers["Retry-After"]
        connection.rollback()
    answer = app.test_client().patch(f"/warehouse/things/{number}", json={"rank": 1}, headers={"If-Match": "*"})
    assert answer.status_code == 200


def _short(engine_name: str) -> dict[str, Any]:
    return {"connect_args": {"timeout": 1}} if engine_name == "sqlite" else {"pool_timeout": 1}


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_exhausted_pool_is_busy(
    make_app: Callable[..., Flask], database_url: Callable[[str], URL], engine_name: str
) -> None:
    options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.1}
    app = make_app(database_url(engine_name), [warehouse.__name__], SQLALCHEMY_ENGINE_OPTIONS=options)
    client = app.test_client()
    with app.app_context(), db.engine.connect():
        for answer in (
            client.get("/warehouse/things"),
            client.post("/warehouse/things", json={"name": "x", "maker_id": 1}),
        ):
            problem(answer, 503, "unavailable")
    assert client.get("/warehouse/things").status_code == 200


#: Engine and the statement that ends the connection, either by itself after a while or from outside.
ENDED = [
    ("postgresql", {"options": "-c statement_timeout=100"}, "SELECT pg_sleep(5)"),
    ("postgresql", {}, "SELECT pg_cancel_backend(pg_backend_pid())"),
    ("mariadb", {}, "SET STATEMENT max_statement_time = 0.1 FOR SELECT SLEEP(5)"),
    ("mariadb", {}, "KILL QUERY CONNECTION_ID()"),
]


@pytest.mark.parametrize(("engine_name", "options", "statement"), ENDED)
def test_statement_that_is_cancelled_is_busy(
    make_app: Callable[..., Flask],
    database_url: Callable[[str], URL],
    engine_name: str,
    options: dict[str, str],
    statement: str,
) -> None:
    engine_options = {"connect_args": options}
    app = make_app(database_url(engine_name), [warehouse.__name__], SQLALCHEMY_ENGINE_OPTIONS=engine_options)
    app.add_url_rule("/warehouse/ended", "ended", lambda: str(db.session.scalar(sa.text(statement))))
    client = app.test_client()
    problem(client.get("/warehouse/ended", headers={"Accept": "application/json"}), 503, "unavailable")
    assert client.get("/warehouse/things").status_code == 200


def test_read_only_database_is_busy(make_app: Callable[..., Flask], database_url: Callable[[str], URL]) -> None:
    """As it is on PostgreSQL while a standby takes over."""
    engine_options = {"connect_args": {"options": "-c default_transaction_read_only=on"}}
    app = make_app(database_url("postgresql"), [warehouse.__name__], SQLALCHEMY_ENGINE_OPTIONS=engine_options)
    client = app.test_client()
    problem(client.post("/warehouse/makers", json={"name": "Acme"}), 503, "unavailable")
    assert client.get("/warehouse/makers").status_code == 200


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_deadlock_fails_one_only(app: Flask) -> None:
    with app.app_context():
        db.session.add(Maker(id=1, name="Acme"))
        db.session.flush()
        keys = [things.create({"name": "pen", "maker_id": 1}).id for _ in range(2)]
        db.session.commit()
    gate = threading.Barrier(2)

    def cross(first: int, second: int) -> str:
        for number, key in enumerate((first, second)):
            db.session.execute(sa.update(Thing).where(Thing.id == key).values(rank=1))
            if number == 0:
                gate.wait()
        db.session.commit()
        return "fine"

    app.add_url_rule("/warehouse/cross/<int:first>/<int:second>", "cross", cross)
    statuses: list[int] = []

    def call(first: int, second: int) -> None:
        statuses.append(app.test_client().get(f"/warehouse/cross/{first}/{second}").status_code)

    threads = [threading.Thread(target=call, args=pair) for pair in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 503]


# --- a real server ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """gunicorn with the module of the tests, production's way of reading bodies."""
    folder = tmp_path_factory.mktemp("gunicorn")
    port = free_port()
    environ = {"APP_ENV": "testing", "DATABASE_URL": f"sqlite:///{folder / 'x.db'}", "PATH": "/usr/bin:/bin"}
    arguments = [
        "--bind",
        f"127.0.0.1:{port}",
        "--no-control-socket",
        "--workers",
        "1",
        "--log-level",
        "error",
        f"core.factory:create_app(installed_apps=[{warehouse.__name__!r}])",
    ]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
    until(lambda: _answers(port) or process.poll() is not None, "an answer")
    assert process.poll() is None, Path(folder / "log").read_text()
    yield port
    process.terminate()
    process.wait(10)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


CHUNKED = "Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (CHUNKED, b"zz\r\n{}\r\n0\r\n\r\n"),
        (CHUNKED, b"5\r\n{}\r\n0\r\n\r\n"),
        (CHUNKED, b"-1\r\n{}\r\n0\r\n\r\n"),
        (CHUNKED, b"10\r\n{"),
        (CHUNKED, b"2\r\n{}\r\n"),
        (CHUNKED, b"2\r\n{}XX0\r\n\r\n"),
        (CHUNKED, b""),
        ("Content-Length: 50\r\n", b'{"name": "half'),
        # The bytes that have arrived would be a valid body.
        ("Content-Length: 50\r\n", b'{"name": "whole"}'),
    ],
    ids=["size", "short", "negative", "cut", "no end", "no break", "empty", "length", "whole"],
)
def test_broken_body_is_a_bad_request(server_port: int, headers: str, body: bytes) -> None:
    status, document = _post(server_port, headers, body)
    assert (status, document["type"]) == (400, "/problems/bad-request")


def test_chunked_body_is_read(server_port: int) -> None:
    status, document = _post(server_port, CHUNKED, b"2\r\n[]\r\n0\r\n\r\n")
    assert (status, document["errors"][0]["message"]) == (422, "The body must be a JSON object.")


def test_large_chunked_body_cut(server_port: int) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    status, document = _post(server_port, CHUNKED, chunk * 20 + b"0\r\n\r\n")
    assert (status, document["type"]) == (413, "/problems/too-large")


def test_non_utf8_path_is_bad_request(server_port: int) -> None:
    for path in (
        b"/warehouse/things/%ff",
        b"/warehouse/things/1%00",
        b"/warehouse/things?q=%ff",
        b"/warehouse/things/\xff",
    ):
        with socket.create_connection(("127.0.0.1", server_port), 30) as connection:
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b" 400 " in _receive(connection).partition(b"\r\n")[0], path


def _post(port: int, headers: str, body: bytes) -> tuple[int, Any]:
    common = "Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    head = f"POST /warehouse/things HTTP/1.1\r\n{common}{headers}\r\n"
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        try:
            connection.sendall(head.encode() + body)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # It has answered already, and listens no more.
            pass
        answer = _receive(connection)
    top, _, text = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in top, answer
    return int(top.split()[1]), json.loads(text)


def _receive(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received
