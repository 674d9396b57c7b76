"""The places work without the other modules, and they without them."""

from collections.abc import Callable

from flask import Flask

from core.pages.menu import menu
from settings import INSTALLED_APPS

PATHS = ["/api/", "/api/v1/", "/api/v1/cities", "/api/v1/countries"]
OTHERS = [name for name in INSTALLED_APPS if name in ("app.home", "app.example")]


def labels(app: Flask) -> list[str]:
    with app.test_request_context():
        return [entry.label for entry in menu()]


def test_places_work_alone(make_app: Callable[..., Flask]) -> None:
    app = make_app(None, ["app.api"])
    assert [app.test_client().get(path).status_code for path in PATHS] == [200] * len(PATHS)
    assert labels(app) == ["Places"]


def test_places_go_without_a_trace(make_app: Callable[..., Flask]) -> None:
    app = make_app(None, OTHERS)
    client = app.test_client()
    answers = [client.get(path) for path in PATHS]
    assert {(answer.status_code, answer.mimetype) for answer in answers} == {(404, "text/html")}
    assert "Places" not in labels(app)
    assert "/api" not in client.get("/").text
