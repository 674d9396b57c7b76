"""A module as the first microservice wrote its own: JSON routes, CORS, files and 501 (its lines word for word)."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core.http.headers import DATA_POLICY

INIT = """
from flask import Blueprint
from flask_cors import CORS

service_bp = Blueprint("clientes", __name__)
CORS(service_bp)
{mark}

from . import routes
"""
ROUTES = """
from flask import jsonify, request, send_from_directory

from . import service_bp


@service_bp.route("/clientes", methods=["GET", "POST", "PUT", "DELETE"])
def clientes():
    if request.method == "POST":
        return jsonify(request.get_json(force=True)), 201
    if request.method == "PUT":
        return jsonify(request.get_json(force=True))
    if request.method == "GET":
        return jsonify([])
    return "Not implemented", 501


@service_bp.route("/ficheros/<path:name>")
def files(name):
    return send_from_directory(service_bp.root_path, name)
"""
MARK = "from core.http.apis import mark_api\nmark_api(service_bp)"


@pytest.fixture
def make_service(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> Callable[..., FlaskClient]:
    """Make a client of the module, marked as an API or not."""

    def make(mark: str, **config: Any) -> FlaskClient:
        name = write_module("clientes", init=INIT.format(mark=mark), routes=ROUTES)
        return make_app(None, [name, "app.development"], **config).test_client()

    return make


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", None])
def test_marked_service_takes_json(make_service: Callable[..., FlaskClient], method: str, kind: str | None) -> None:
    answer = make_service(MARK).open("/clientes", method=method, data='{"nombre": "Ana"}', content_type=kind)

    assert (answer.status_code, answer.json) == (201 if method == "POST" else 200, {"nombre": "Ana"})
    assert answer.mimetype == "application/json"


@pytest.mark.parametrize("body", ["", "{", '{"a": 1, "a": 2}', "\udc80", "[" * 9999])
def test_wrong_body_is_a_problem(make_service: Callable[..., FlaskClient], body: str) -> None:
    answer = make_service(MARK).post("/clientes", data=body.encode("utf-8", "surrogateescape"))

    assert answer.status_code in (400, 415, 422)
    assert answer.mimetype == "application/problem+json"


def test_own_answers_work_as_written(make_service: Callable[..., FlaskClient]) -> None:
    service = make_service(MARK)
    not_served = service.delete("/clientes")
    unknown = service.patch("/clientes")
    file = service.get("/ficheros/routes.py")

    assert (not_served.status_code, not_served.text) == (501, "Not implemented")
    assert (unknown.status_code, unknown.mimetype) == (405, "application/problem+json")
    assert "send_from_directory" in file.text
    assert service.get("/ficheros/nothing").mimetype == "application/problem+json"
    file.close()


@pytest.mark.parametrize("config", [{}, {"CORS_ORIGINS": ["https://site.example"]}])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_own_origins_work_as_written(
    make_service: Callable[..., FlaskClient], method: str, config: dict[str, Any]
) -> None:
    headers = {"Origin": "https://site.example", "Access-Control-Request-Method": "PUT"}
    answer = make_service(MARK, **config).open("/clientes", method=method, headers=headers, json={})

    assert answer.headers.getlist("Access-Control-Allow-Origin") in (["*"], ["https://site.example"])
    if method == "OPTIONS":
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Content-Security-Policy"] == DATA_POLICY


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_development_says_what_to_write(make_service: Callable[..., FlaskClient], method: str) -> None:
    service = make_service("", APP_ENV="development")
    document = service.open("/clientes", method=method, json={"nombre": "Ana"})
    page = service.open("/clientes", method=method, data='{"nombre": "Ana"}')

    assert (document.status_code, document.mimetype) == (400, "application/problem+json")
    assert (page.status_code, page.mimetype) == (400, "text/html")
    for text in (document.json["detail"], page.text):
        assert "from core.http.apis import mark_api" in text
        assert "mark_api(service_bp)" in text
        assert "clientes/__init__.py" in text


def test_production_says_little(make_service: Callable[..., FlaskClient]) -> None:
    service = make_service("")
    answer = service.post("/clientes", json={"nombre": "Ana"})

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert answer.json["type"] == "/problems/csrf"
    assert "mark_api" not in answer.text
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert service.post("/clientes", json={}, headers=browser).mimetype == "text/html"
