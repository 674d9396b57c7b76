"""The catalogue below a prefix: a row from its form to its end."""

from collections.abc import Callable

from flask import Flask

from tests.crawler import Crawler
from tests.crawler import sending


def test_tag_lives_below_prefix(make_app: Callable[..., Flask]) -> None:
    crawler = Crawler(sending(make_app(SCRIPT_NAME="/app").wsgi_app), "/app")

    page = crawler.submit("/app/example/tags/new", name="Sharp").location
    assert page.startswith("/app/example/tags/")
    assert crawler.submit(f"{page}/edit", name="Blunt").location == page
    assert "Blunt" in crawler.ask("GET", page).text
    assert crawler.submit(f"{page}/delete").location.startswith("/app/example/tags")
    assert crawler.ask("GET", page).status == 404
    assert crawler.faults == []
