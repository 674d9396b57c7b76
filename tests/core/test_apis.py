"""APIs in modules of each shape: asked by a browser that has signed in, as another site's page can."""

from collections.abc import Callable
from typing import Any

import flask_restful
import pytest
from flask import Blueprint
from flask import Flask
from flask import abort
from flask import jsonify
from flask import request
from flask import session
from flask.testing import FlaskClient
from flask_restful import Resource
from flask_wtf.csrf import generate_csrf
from marshmallow import Schema
from marshmallow import fields
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from core.access import PUBLIC
from core.access import SIGNED_IN
from core.access import Identity
from core.access import set_identity_loader
from core.api.contract import contract
from core.http.apis import is_api_endpoint
from core.http.apis import mark_api
from core.http.headers import DATA_POLICY
from core.rest import Api
from services import csrf

LOCAL = URL.create("sqlite")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
METHODS = ["GET", *UNSAFE]
FOREIGN = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}

#: Bodies that a form of another site, and a script without a preflight, can send; and JSON, after a preflight.
BODIES: dict[str, dict[str, Any]] = {
    "form": {"data": {"name": "Eve"}},
    "multipart": {"data": {"name": "Eve"}, "content_type": "multipart/form-data"},
    "text": {"data": '{"name": "Eve"}', "content_type": "text/plain"},
    "json": {"json": {"name": "Eve"}},
}

#: Calls, with the identity that made each.
DONE: list[str] = []

marked = Blueprint("marked", __name__)
inner = Blueprint("inner", __name__)
plain = Blueprint("plain", __name__)
mixed = Blueprint("mixed", __name__)
ours = Blueprint("ours", __name__)
exempt = Blueprint("exempt", __name__)
pages = Blueprint("pages", __name__)
mark_api(marked)


def act() -> Any:
    DONE.append(session["name"])
    return jsonify(done=True), 201


class Customers(Resource):
    def get(self, key: int | None = None) -> Any:
        return {}

    def post(self, key: int | None = None) -> Any:
        DONE.append(session["name"])
        return {"done": True}, 201

    put = patch = delete = post


class Quiet(Resource):
    """Never looks who is asking, and declares nothing."""

    def post(self) -> Any:
        DONE.append("visitor")
        return {"done": True}, 201


class Guarded(Resource):
    policy = SIGNED_IN

    def post(self) -> Any:
        DONE.append("visitor")
        return {"done": True}, 201


class Open(Resource):
    policy = PUBLIC

    def post(self) -> Any:
        return {"done": True}, 201


class NameSchema(Schema):
    name = fields.String()


marked.add_url_rule("/marked", "act", act, methods=METHODS)
marked.add_url_rule("/marked/<int:number>", "act_on", lambda number: act(), methods=METHODS)
inner.add_url_rule("/inner", "act", act, methods=METHODS)
marked.register_blueprint(inner)
flask_restful.Api(plain).add_resource(Customers, "/plain", "/plain/<int:key>")
flask_restful.Api(plain).add_resource(Quiet, "/quiet")
flask_restful.Api(plain).add_resource(Guarded, "/guarded")
flask_restful.Api(plain).add_resource(Open, "/open")
flask_restful.Api(mixed).add_resource(Customers, "/mixed/customers", endpoint="customers")
Api(ours).add_resource(Customers, "/ours", endpoint="customers")
# The same function at two endpoints, one of an API and one of pages.
mixed.add_url_rule("/mixed/page", "page", act, methods=METHODS)
exempt.add_url_rule("/exempt", "act", act, methods=METHODS)
csrf.exempt(exempt)
pages.record(lambda state: flask_restful.Api(state.app).add_resource(Customers, "/bare", endpoint="bare"))


@mixed.get("/mixed")
def show() -> str:
    return "<h1>Customers</h1>"


# Of the same name as an endpoint of a resource: Flask-WTF knows exempt views by their names.
@pages.post("/mixed/form")
def customers() -> Any:
    return act()


@pages.post("/hook")
@csrf.exempt
def hook() -> Any:
    return act()


@pages.route("/terms", methods=["GET", "POST"])
@contract(answer=NameSchema)
def terms() -> Any:
    DONE.append(session["name"])
    return {"name": "Ada"}


@pages.route("/safe", methods=["GET", "BREW"])
def safe() -> Any:
    return act() if request.method == "BREW" else "safe"


@pages.get("/sign-in")
def sign_in() -> str:
    session["name"] = "Ada"
    return generate_csrf()


@marked.get("/marked/broken")
def broken() -> Any:
    abort(409)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    app = make_app(LOCAL, [__name__])
    set_identity_loader(app, lambda: Identity(key=session.get("name"), via="session"))
    DONE.clear()
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.get("/sign-in")
    return client


API = ["/marked", "/marked/7", "/inner", "/plain", "/plain/7", "/mixed/customers", "/ours", "/bare", "/terms"]
EXEMPT = ["/exempt", "/hook"]
PAGES = ["/mixed/page", "/mixed/form"]


def refused(answer: TestResponse, media: str = "application/problem+json") -> None:
    assert (answer.status_code, answer.mimetype) == (400, media), answer.text
    assert DONE == []


# --- what another site's page can do ------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/shop"])
@pytest.mark.parametrize("body", BODIES)
def test_forged_request_changes_nothing(app: Flask, body: str, prefix: str) -> None:
    browser = app.test_client()
    browser.get("/sign-in")
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<int:key>", "7").replace("<int:number>", "7")
        for method in sorted((rule.methods or set()) & set(UNSAFE)):
            if path == "/open":
                continue
            root = {"SCRIPT_NAME": prefix}
            answer = browser.open(path, method=method, headers=FOREIGN, environ_overrides=root, **BODIES[body])
            is_page = path in PAGES and body != "json"
            refused(answer, "text/html" if is_page else "application/problem+json")


@pytest.mark.parametrize("path", [*API, *EXEMPT])
def test_token_opens_the_session(client: FlaskClient, path: str) -> None:
    token = client.get("/sign-in").text

    answer = client.post(path, headers={"X-CSRFToken": token})

    assert (answer.status_code, DONE) == (200 if path == "/terms" else 201, ["Ada"])


@pytest.mark.parametrize("path", [*API, *EXEMPT, *PAGES])
@pytest.mark.parametrize("headers", [{}, {"Origin": "http://localhost"}, {"Origin": "null"}])
def test_session_needs_the_token(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    refused(client.post(path, headers=headers), "text/html" if path in PAGES else "application/problem+json")


def test_unknown_method_needs_the_token(client: FlaskClient) -> None:
    assert client.open("/safe", method="BREW").status_code == 400
    assert DONE == []


def test_view_without_policy_is_protected(client: FlaskClient) -> None:
    refused(client.post("/quiet", headers=FOREIGN))
    refused(client.post("/quiet", headers={"Origin": "null"}))
    assert client.post("/quiet", headers={"Origin": "http://localhost"}).status_code == 201


def test_public_view_answers_all(client: FlaskClient) -> None:
    assert client.post("/open", headers=FOREIGN).status_code == 201


def test_visitor_without_session_passes(app: Flask) -> None:
    assert app.test_client().post("/quiet", headers=FOREIGN, data={"name": "x"}).status_code == 201


def test_form_of_a_page_is_checked(app: Flask) -> None:
    """A resource of the same name does not exempt it, nor does another endpoint of the same view."""
    client = app.test_client()
    for path in PAGES:
        assert client.post(path).status_code == 400


# --- what an answer is --------------------------------------------------------------------------


def of_an_api(answer: TestResponse) -> None:
    assert answer.headers["Content-Security-Policy"] == DATA_POLICY
    assert "X-Frame-Options" not in answer.headers


@pytest.mark.parametrize("path", API)
def test_options_has_no_media_type(client: FlaskClient, path: str) -> None:
    answer = client.options(path)

    assert (answer.status_code, answer.data) == (200, b"")
    assert "Content-Type" not in answer.headers
    assert {"OPTIONS", "POST"} <= answer.allow
    of_an_api(answer)


@pytest.mark.parametrize("path", [*API, *EXEMPT])
def test_wrong_method_is_a_problem(client: FlaskClient, path: str) -> None:
    answer = client.open(path, method="BREW")

    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "POST" in answer.allow
    of_an_api(answer)


@pytest.mark.parametrize("path", ["/marked/x", "/plain/x", "/plain/7/x", "/mixed/customers/x", "/ours/x", "/bare/x"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_unknown_address_is_a_problem(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method)

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    of_an_api(answer)


def test_head_is_as_get(client: FlaskClient) -> None:
    for path in ("/plain", "/marked/broken", "/plain/x"):
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.mimetype, head.data) == (got.status_code, got.mimetype, b"")
        of_an_api(head)


def test_pages_stay_pages(client: FlaskClient) -> None:
    for path, method, status in (("/mixed/x", "GET", 404), ("/x", "GET", 404), ("/mixed", "POST", 405)):
        answer = client.open(path, method=method)
        assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert client.get("/mixed").headers["X-Frame-Options"] == "DENY"


def test_endpoint_says_what_is_an_api(app: Flask) -> None:
    found = {name for name in app.view_functions if is_api_endpoint(app, name)}
    assert {"marked.act", "marked.inner.act", "plain.customers", "mixed.customers", "bare", "pages.terms"} <= found
    assert not {"mixed.page", "mixed.show", "pages.customers", "pages.hook", "exempt.act", "static"} & found


def test_origins_are_of_the_endpoint(make_app: Callable[..., Flask]) -> None:
    site = "https://site.example"
    client = make_app(LOCAL, [__name__, "app.cors"], CORS_ORIGINS_MARKED=[site]).test_client()
    headers = {"Origin": site, "Access-Control-Request-Method": "POST"}

    for path in ("/marked", "/marked/7", "/inner", "/marked/x"):
        assert client.options(path, headers=headers).headers["Access-Control-Allow-Origin"] == site
    assert client.open("/inner", method="BREW", headers=headers).headers["Access-Control-Allow-Origin"] == site
    for path in ("/plain", "/mixed", "/exempt"):
        assert "Access-Control-Allow-Origin" not in client.options(path, headers=headers).headers


@pytest.mark.parametrize("status", [201, 204, 404])
def test_empty_answer_has_no_media_type(make_app: Callable[..., Flask], status: int) -> None:
    app = make_app(LOCAL, [__name__])
    app.add_url_rule("/empty", "empty", lambda: ("", status))

    answer = app.test_client().get("/empty")

    assert answer.status_code == status
    assert "Content-Type" not in answer.headers
    of_an_api(answer)
