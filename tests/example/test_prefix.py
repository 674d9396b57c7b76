"""The catalogue below a prefix: a row from its form to its end."""

from collections.abc import Callable

from flask import Flask

from tests.walks import Walk
from tests.walks import sending


def test_tag_lives_below_prefix(make_app: Callable[..., Flask]) -> None:
    walk = Walk(sending(make_app(SCRIPT_NAME="/app").wsgi_app), "/app")

    page = walk.submit("/app/example/tags/new", name="Sharp").location
    assert page.startswith("/app/example/tags/")
    assert walk.submit(f"{page}/edit", name="Blunt").location == page
    assert "Blunt" in walk.ask("GET", page).text
    assert walk.submit(f"{page}/delete").location.startswith("/app/example/tags")
    assert walk.ask("GET", page).status == 404
    assert walk.faults == []
