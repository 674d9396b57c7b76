"""The session below an API's prefix, asked with real cookies, as production is set."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint
from flask import Flask
from flask import request
from flask import session
from flask.testing import FlaskClient
from flask_restful import Api as PlainApi
from flask_restful import Resource
from flask_wtf.csrf import generate_csrf
from werkzeug.test import TestResponse

import config as deployment
from core.api.idempotency import idempotency_keys
from core.api.idempotency import idempotent
from core.factory import create_app
from core.http.apis import mark_api
from core.http.sessions import SessionInterface
from services import db

pages = Blueprint("pages", __name__, url_prefix="/pages")
api = Blueprint("shop", __name__, url_prefix="/shop")
plain = Blueprint("plain", __name__, url_prefix="/plain")
mark_api(api)


@pages.get("/sign-in")
def sign_in() -> str:
    session["name"] = "Ada"
    return generate_csrf()


@pages.get("/without")
def without_session() -> str:
    return ""


@pages.get("/with")
def with_session() -> str:
    return str(session["name"])


@pages.post("/name")
def page_name() -> str:
    return str(session.get("name"))


#: Values that differ between calls.
NUMBERS = itertools.count()

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@api.route("/name", methods=[*METHODS, "BREW"])
def name() -> dict[str, Any]:
    return {"name": session.get("name")}


@api.post("/once")
@idempotent
def once() -> dict[str, Any]:
    return {"name": session.get("name"), "number": next(NUMBERS)}


@api.post("/kept")
def keep() -> dict[str, Any]:
    session["kept"] = request.get_data(as_text=True)
    return {}


@api.post("/left")
def leave() -> dict[str, Any]:
    session.clear()
    return {}


@api.post("/stubborn")
def stubborn() -> dict[str, Any]:
    try:
        session["name"] = "Eve"
    except Exception:
        session["name"] = "Eve"
    return {}


@api.post("/beneath")
def beneath() -> dict[str, Any]:
    found = session._get_current_object()
    return {"name": dict.get(found, "name")}


@api.post("/collected")
def collect() -> dict[str, Any]:
    return {"body": request.get_data(as_text=True)}


USES: dict[str, Callable[[], Any]] = {
    "in": lambda: "name" in session,
    "item": lambda: session["name"],
    "len": lambda: len(session),
    "bool": lambda: bool(session),
    "iter": lambda: list(session),
    "items": lambda: dict(session.items()),
    "copy": lambda: dict(session),
    "pop": lambda: session.pop("name", None),
    "update": lambda: session.update(name="Eve"),
    "permanent": lambda: setattr(session, "permanent", True),
    "reversed": lambda: list(reversed(session)),
    "or": lambda: session | {"name": "Eve"},
    "equal": lambda: session == {},
    "repr": lambda: repr(session),
}


@api.post("/use/<how>")
def use(how: str) -> dict[str, Any]:
    USES[how]()
    return {}


class PlainName(Resource):
    def post(self) -> dict[str, Any]:
        return {"name": session.get("name")}


PlainApi(plain).add_resource(PlainName, "/name")

HTTPS = "https://site.example"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Return an application of this module, set as in production."""
    make_app()  # restores the logging after the test
    environ = {
        "APP_ENV": "production",
        "SECRET_KEY": "6y0Rk4kBq1nV8wZt3sXeLdUaHgJmPfCo",
        "DATABASE_URL": "sqlite://",
        "TRUSTED_HOSTS": "site.example",
    }
    return create_app(deployment.load(environ), [__name__])


class Visitor:
    """A browser that has signed in."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = client.get("/pages/sign-in", base_url=HTTPS).text

    def ask(self, path: str, method: str = "POST", token: str | None = None, **headers: str) -> TestResponse:
        if token is not None:
            headers |= {"X-CSRFToken": token, "Referer": f"{HTTPS}/pages"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(path, method=method, base_url=HTTPS, headers=named, data="x")

    def name(self) -> str | None:
        found: str | None = self.client.get("/shop/name", base_url=HTTPS).json["name"]
        return found


@pytest.fixture
def client(app: Flask) -> Visitor:
    return Visitor(app.test_client())


def refused(answer: TestResponse) -> str:
    assert answer.status_code == 400, answer.text
    assert answer.json["type"] == "/problems/csrf"
    assert "Set-Cookie" not in answer.headers
    assert "Ada" not in answer.text
    return answer.json["detail"]


# --- with the cookie ----------------------------------------------------------------------------


def test_repeated_answer_stays_with_its_session(app, client):
    with app.app_context():
        idempotency_keys.create(db.engine)
    other = Visitor(app.test_client())
    mine = client.ask("/shop/once", token=client.token, Idempotency_Key="order-1").json

    assert client.ask("/shop/once", token=client.token, Idempotency_Key="order-1").json == mine
    assert other.ask("/shop/once", token=other.token, Idempotency_Key="order-1").json != mine
    refused(client.ask("/shop/once", Idempotency_Key="order-1"))
    client.client.delete_cookie("__Host-session", domain="site.example")
    assert client.ask("/shop/once", Idempotency_Key="order-1").json["name"] is None


@pytest.mark.parametrize("method", [*METHODS[1:], "BREW"])
@pytest.mark.parametrize("path", ["/shop/name"])
def test_cookie_alone_changes_nothing(client, method, path):
    assert refused(client.ask(path, method))


def test_refusal_says_the_cure(client):
    detail = refused(client.ask("/shop/name"))

    assert "The CSRF token is missing." in detail
    assert "X-CSRFToken" in detail


@pytest.mark.parametrize("how", USES)
def test_session_use_needs_token(client, how):
    refused(client.ask(f"/shop/use/{how}"))
    assert client.ask(f"/shop/use/{how}", token=client.token).status_code == 200


def test_plain_resources_keep_it_too(client):
    refused(client.ask("/plain/name"))
    assert client.ask("/plain/name", token=client.token).json == {"name": "Ada"}


@pytest.mark.parametrize("method", METHODS[1:])
def test_header_token_opens_session(client, method):
    assert client.ask("/shop/name", method, client.token).json == {"name": "Ada"}


@pytest.mark.parametrize("token", ["", "x", "é", "\x85", "." * 9000])
def test_wrong_token_is_refused(client, token):
    assert refused(client.ask("/shop/name", token=token))


def test_token_of_another_visitor_is_refused(client, app):
    assert refused(client.ask("/shop/name", token=Visitor(app.test_client()).token))


def test_token_from_another_site_is_refused(client):
    headers = {"X_CSRFToken": client.token, "Referer": "https://evil.example/"}
    assert refused(client.ask("/shop/name", **headers))


def test_write_with_token_kept(client):
    written = client.ask("/shop/kept", token=client.token)

    assert written.status_code == 200
    assert "Secure" in written.headers["Set-Cookie"]
    assert "HttpOnly" in written.headers["Set-Cookie"]
    assert "Cookie" in written.headers["Vary"]
    assert client.name() == "Ada"


def test_sign_out_with_token(client):
    assert client.ask("/shop/left", token=client.token).status_code == 200
    assert client.name() is None


def test_read_with_token_sets_no_cookie(client):
    answer = client.ask("/shop/name", token=client.token)

    assert "Set-Cookie" not in answer.headers
    assert "Cookie" in answer.headers["Vary"]


def test_view_after_refusal_refused_again(client):
    refused(client.ask("/shop/stubborn"))
    assert client.name() == "Ada"


def test_refused_session_is_empty(client):
    assert client.ask("/shop/beneath").json == {"name": None}


def test_request_without_session_needs_no_token(client):
    answer = client.ask("/shop/collected")

    assert answer.json == {"body": "x"}
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_needs_no_token(client, method):
    assert client.ask("/shop/name", method).status_code == 200
    assert client.name() == "Ada"


def test_pages_keep_their_own_check(client):
    assert client.client.post("/pages/name", base_url=HTTPS).status_code == 400
    assert client.ask("/pages/name", token=client.token).text == "Ada"


@pytest.mark.parametrize(("path", "times"), [("/pages/without", 0), ("/pages/with", 1)])
def test_cookie_read_on_session_use(client, monkeypatch, path, times):
    read = []
    make = SessionInterface.get_signing_serializer
    monkeypatch.setattr(SessionInterface, "get_signing_serializer", lambda *given: read.append(1) or make(*given))

    answer = client.client.get(path, base_url=HTTPS)

    assert answer.status_code == 200
    assert len(read) == times
    assert "Set-Cookie" not in answer.headers


def test_test_client_uses_session(client):
    with client.client.session_transaction(base_url=HTTPS) as found:
        assert found["name"] == "Ada"
        found["name"] = "Eve"

    assert client.name() == "Eve"


# --- without it ---------------------------------------------------------------------------------


def test_no_cookie_needs_no_token(app):
    client = app.test_client()

    assert client.post("/shop/name", base_url=HTTPS).json == {"name": None}
    assert "Set-Cookie" in client.post("/shop/kept", base_url=HTTPS).headers


@pytest.mark.parametrize("value", ["", "forged", "eyJuYW1lIjoiQWRhIn0.aaaaaa.bbbbbb", "\x85", "é"])
def test_foreign_cookie_ignored(app, value):
    answer = app.test_client().post("/shop/name", base_url=HTTPS, headers={"Cookie": f"session={value}"})

    if value in ("\x85", "é"):
        assert answer.status_code in (200, 400)
    else:
        assert answer.json == {"name": None}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("value", ["Bearer abc", "Basic eDp5", "", "x"])
def test_cookie_ignored_with_authorization(client, method, value):
    answer = client.ask("/shop/name", method, Authorization=value)

    assert answer.json == {"name": None}
    assert "Set-Cookie" not in answer.headers


def test_with_authorization_pages_keep_their_session(client):
    assert client.ask("/pages/name", token=client.token, Authorization="Basic eDp5").text == "Ada"


def test_check_disabled_for_tests(make_app):
    visitor = Visitor(make_app(None, [__name__], WTF_CSRF_ENABLED=False, SESSION_COOKIE_SECURE=True).test_client())
    visitor.client.get("/pages/sign-in", base_url="https://localhost")

    assert visitor.client.post("/shop/name", base_url="https://localhost").json == {"name": "Ada"}


# --- the cookie ---------------------------------------------------------------------------------


def cookie_of(app: Flask, base_url: str) -> str:
    (cookie,) = app.test_client().get("/pages/sign-in", base_url=base_url).headers.getlist("Set-Cookie")
    return cookie


def test_session_cookie_is_the_hosts_own(app):
    name, *attributes = cookie_of(app, HTTPS).split("; ")

    assert name.startswith("__Host-session=")
    assert set(attributes) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}


def test_http_cookie_has_plain_name(make_app):
    name, *attributes = cookie_of(make_app(installed_apps=[__name__]), "http://localhost").split("; ")

    assert name.startswith("session=")
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=Lax"}


def test_plain_cookie_ignored_over_https(app):
    visitor = app.test_client()
    visitor.get("/pages/sign-in", base_url=HTTPS)
    stolen = visitor.get_cookie("__Host-session", domain="site.example").value
    other = app.test_client()
    # Another host of the domain may plant this one, and not the other.
    other.set_cookie("session", stolen, domain="site.example")

    assert other.get("/shop/name", base_url=HTTPS).json == {"name": None}


def test_hook_after_refusal_gets_empty_session(app):
    seen = []
    app.after_request(lambda response: seen.append(dict(session)) or response)
    visitor = Visitor(app.test_client())
    seen.clear()

    refused(visitor.ask("/shop/name"))
    assert visitor.ask("/pages/name", Content_Type="application/json").mimetype == "application/problem+json"
    assert visitor.ask("/shop/nothing").status_code == 404

    assert seen == [{}, {}, {}]
    assert visitor.name() == "Ada"
