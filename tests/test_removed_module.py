"""A module taken off INSTALLED_APPS takes its routes and entries along; all else stays as it was.

A module may use those above it, so every beginning of the list is a platform. Nothing here knows
which modules there are.
"""

from collections.abc import Callable

import pytest
from flask import Flask

from core.modules import blueprints
from core.modules import installed
from core.pages.menu import entries as entries_of
from core.pages.menu import menu
from settings import INSTALLED_APPS


@pytest.mark.parametrize("number", range(len(INSTALLED_APPS)), ids=INSTALLED_APPS)
def test_module_goes_without_a_trace(make_app: Callable[..., Flask], number: int) -> None:
    there = make_app(None, INSTALLED_APPS[: number + 1])
    gone = make_app(None, INSTALLED_APPS[:number])
    # Its blueprints, and those that an extension of its registers with them.
    own = set(there.blueprints) - set(gone.blueprints)
    assert {blueprint.name for blueprint in blueprints(installed(there)[-1])} <= own
    assert routes(gone) == {route for route in routes(there) if route[0].partition(".")[0] not in own}
    with there.test_request_context():
        its_entries = [(entry.label, entry.url) for entry in entries_of(INSTALLED_APPS[number])]
    assert entries(gone) == [entry for entry in entries(there) if entry not in its_entries]
    assert gone.test_client().get("/problems/not-found").status_code == 200


def test_platform_without_modules_answers_with_pages(make_app: Callable[..., Flask]) -> None:
    client = make_app(None, []).test_client()
    answer = client.get("/")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert client.get("/problems/not-found").status_code == 200
    assert client.post("/", data={}).status_code in (400, 404)


def routes(app: Flask) -> set[tuple[str, str]]:
    return {(rule.endpoint, rule.rule) for rule in app.url_map.iter_rules()}


def entries(app: Flask) -> list[tuple[str, str]]:
    with app.test_request_context():
        return [(entry.label, entry.url) for entry in menu()]
