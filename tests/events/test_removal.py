"""The events work without the other modules, and they without them."""

from collections.abc import Callable

import pytest
from flask import Flask

from settings import INSTALLED_APPS

PATHS = ["/events", "/events/hours", "/events/days", "/events/top"]


def test_events_work_alone(make_app: Callable[..., Flask]) -> None:
    client = make_app(None, ["app.events"]).test_client()
    assert [client.get(path).status_code for path in PATHS] == [200] * len(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_events_go_without_a_trace(make_app: Callable[..., Flask], path: str) -> None:
    app = make_app(None, [name for name in INSTALLED_APPS if name != "app.events"])
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
