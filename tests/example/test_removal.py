"""The catalogue works without the other modules, and they without it."""

from collections.abc import Callable

from flask import Flask

from core.pages.menu import menu
from settings import INSTALLED_APPS

PATHS = ["/example/products", "/example/categories", "/example/tags", "/example/products/new"]
OTHERS = [name for name in INSTALLED_APPS if name in ("app.home", "app.api")]


def labels(app: Flask) -> list[str]:
    with app.test_request_context():
        return [entry.label for entry in menu()]


def test_catalogue_works_alone(make_app: Callable[..., Flask]) -> None:
    app = make_app(None, ["app.example"])
    assert [app.test_client().get(path).status_code for path in PATHS] == [200] * len(PATHS)
    assert labels(app) == ["Products", "Categories", "Tags"]


def test_catalogue_goes_without_a_trace(make_app: Callable[..., Flask]) -> None:
    app = make_app(None, OTHERS)
    client = app.test_client()
    assert [client.get(path).status_code for path in PATHS] == [404] * len(PATHS)
    assert not set(labels(app)) & {"Products", "Categories", "Tags"}
    assert "/example" not in client.get("/").text


def test_two_platforms_in_one_process(make_app: Callable[..., Flask]) -> None:
    whole, part = make_app(None, [*OTHERS, "app.example"]), make_app(None, OTHERS)
    assert part.test_client().get("/example/products").status_code == 404
    assert whole.test_client().get("/example/products").status_code == 200
    assert labels(whole) == [*labels(part), "Products", "Categories", "Tags"]
