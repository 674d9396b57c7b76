"""A module taken out of INSTALLED_APPS takes its pages, routes and entries along; all else works."""

import html
import re
from collections.abc import Callable

import pytest
from flask import Flask

import settings

#: Of each module: its paths, and what it adds to the menu.
OWN = {
    "app.home": (["/", "/status"], []),
    "app.example": (
        ["/example/products", "/example/categories", "/example/tags", "/example/products/new"],
        ["Products", "Categories", "Tags"],
    ),
    "app.api": (["/api/", "/api/v1/", "/api/v1/cities", "/api/v1/countries"], ["Places"]),
}


def test_every_module_is_known_here() -> None:
    assert list(OWN) == settings.INSTALLED_APPS


@pytest.mark.parametrize("removed", OWN)
def test_module_goes_without_a_trace(make_app: Callable[..., Flask], removed: str) -> None:
    kept = [name for name in settings.INSTALLED_APPS if name != removed]
    app = make_app(None, kept)
    client = app.test_client()
    for path in OWN[removed][0]:
        assert client.get(path).status_code == 404
    for name in kept:
        for path in OWN[name][0]:
            assert client.get(path).status_code in (200, 201)
    label = removed.rpartition(".")[2]
    assert not [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(f"{label}.")]
    assert _menu(client.get("/nowhere").text) == [entry for name in kept for entry in OWN[name][1]]


@pytest.mark.parametrize("only", OWN)
def test_module_works_alone(make_app: Callable[..., Flask], only: str) -> None:
    client = make_app(None, [only]).test_client()
    for path in OWN[only][0]:
        assert client.get(path).status_code in (200, 201)
    assert _menu(client.get("/nowhere").text) == OWN[only][1]


def test_start_page_shows_what_is_left(make_app: Callable[..., Flask]) -> None:
    page = make_app(None, ["app.home", "app.api"]).test_client().get("/").text
    assert re.findall(r"<code>(app\.\w+)</code>", page) == ["app.home", "app.api"]
    assert "/example" not in page


def test_platform_without_modules_answers_with_pages(make_app: Callable[..., Flask]) -> None:
    client = make_app(None, []).test_client()
    answer = client.get("/")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert client.get("/problems/not-found").status_code == 200
    assert client.post("/", data={}).status_code in (400, 404)


def test_two_platforms_live_in_one_process(make_app: Callable[..., Flask]) -> None:
    whole, part = make_app().test_client(), make_app(None, ["app.home"]).test_client()
    assert part.get("/example/products").status_code == 404
    assert whole.get("/example/products").status_code == 200
    assert (_menu(part.get("/").text), len(_menu(whole.get("/").text))) == ([], 4)


def _menu(page: str) -> list[str]:
    nav = page.partition('aria-label="Main"')[2].partition("</nav>")[0]
    return [html.unescape(text) for text in re.findall(r"<a [^>]*>([^<]*)</a>", nav)]
