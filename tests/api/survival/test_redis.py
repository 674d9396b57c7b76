"""Redis is stopped or unresponsive: what needs it says so, the rest works, and no request waits long."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests import tokens
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.processes import until
from tests.servers import PrivateServer
from tests.stalling import turns


@pytest.fixture
def redis(start_redis: Callable[..., PrivateServer]) -> PrivateServer:
    return start_redis()


@pytest.fixture
def app(make_app: Callable[..., Flask], redis: PrivateServer) -> Flask:
    app = make_app(REDIS_URL=redis.url.render_as_string(), SESSION_STORE="redis", RATE_LIMITS=True)
    make_user(app)
    return app


@pytest.mark.parametrize("outage", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_requests_without_redis_still_work(app: Flask, redis: PrivateServer, outage: int) -> None:
    ada, visitor = app.test_client(), app.test_client()
    token = tokens.authorization(tokens.issue(app))
    assert sign_in(ada).status_code == 302
    redis.kill() if outage == signal.SIGKILL else redis.signal(outage)
    stranger = app.test_client()
    asked = {
        "page": lambda: visitor.get("/"),
        "list": lambda: visitor.get("/api/v1/cities"),
        "token": lambda: visitor.get("/api/v1/cities", headers=token),
        "signed in": lambda: ada.get("/accounts/"),
        "sign in": lambda: sign_in(stranger),
        "bad token": lambda: visitor.get("/api/v1/cities", headers=tokens.authorization("andamio_pat_wrong")),
        "page again": lambda: visitor.get("/"),
    }
    # Each is answered while Redis is away: none waits for it to come back.
    statuses = {name: ask().status_code for name, ask in asked.items()}
    away = {"signed in": 503, "sign in": 503}
    assert statuses == dict.fromkeys(asked, 200) | away | {"bad token": 401}
    answer = ada.get("/accounts/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    redis.start() if outage == signal.SIGKILL else redis.signal(signal.SIGCONT)
    # A Redis that writes nothing to disk loses its sessions when killed: the user signs in again.
    comes_back(lambda: sign_in(ada) if outage == signal.SIGKILL else ada.get("/accounts/"))


def test_frozen_redis_blocks_one_thread(app: Flask, redis: PrivateServer) -> None:
    ada = app.test_client()
    sign_in(ada)
    cookie = ada.get_cookie(app.config["SESSION_COOKIE_NAME"]).value
    redis.signal(signal.SIGSTOP)
    assert ada.get("/accounts/").status_code == 503

    def ask(_: int) -> int:
        client = app.test_client()
        client.set_cookie(app.config["SESSION_COOKIE_NAME"], cookie)
        return client.get("/accounts/").status_code

    with turns() as taken, ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(6)))
    assert found == [503] * 6
    assert taken.most == 1
    redis.signal(signal.SIGCONT)
    assert ask(0) == 200


def comes_back(ask: Callable[[], Any]) -> None:
    assert until(lambda: (status := ask().status_code) != 503 and status, "that Redis is used again") in (200, 302)
