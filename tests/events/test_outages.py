"""The database goes away and comes back: events are answered for, or not taken."""

import threading
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.engine import URL

from tests.proxies import Proxy

PATHS = ["/events", "/events/hours", "/events/days", "/events/top"]
SERVERS = pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])


@pytest.fixture
def proxied_app(
    make_app: Callable[..., Flask], platform: Callable[[str], URL], engine_name: str
) -> Iterator[tuple[Flask, Proxy]]:
    url = platform(engine_name)
    proxy = Proxy((url.host or "127.0.0.1", url.port or 0))
    yield make_app(url.set(host="127.0.0.1", port=proxy.port)), proxy
    proxy.cut()


@SERVERS
def test_database_away_recovers(proxied_app: tuple[Flask, Proxy], make_event: Callable[..., Any]) -> None:
    app, proxy = proxied_app
    client = app.test_client()
    event = make_event()
    assert client.post("/events", json=event).json["stored"] == 1
    proxy.cut()
    answers = [client.get(path) for path in PATHS] + [client.post("/events", json=make_event())]
    for answer in answers:
        assert (answer.status_code, answer.json["type"]) == (503, "/problems/unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    proxy.restore()
    assert client.post("/events", json=[event, make_event()]).json == {"received": 2, "stored": 1}
    assert [client.get(path).status_code for path in PATHS] == [200] * len(PATHS)
    assert len(client.get("/events").json["items"]) == 2


@SERVERS
def test_lost_connection_replaced_unseen(proxied_app: tuple[Flask, Proxy], make_event: Callable[..., Any]) -> None:
    app, proxy = proxied_app
    client = app.test_client()
    for number in range(1, 4):
        assert client.post("/events", json=make_event()).json["stored"] == 1
        proxy.cut()
        proxy.restore()
        assert len(client.get("/events").json["items"]) == number
        proxy.cut()
        proxy.restore()


@SERVERS
def test_short_outage_waited_for(proxied_app: tuple[Flask, Proxy], make_event: Callable[..., Any]) -> None:
    app, proxy = proxied_app
    client = app.test_client()
    client.get("/events")
    proxy.cut()
    timer = threading.Timer(0.2, proxy.restore)
    timer.start()
    assert client.post("/events", json=make_event()).json["stored"] == 1
    timer.join()
