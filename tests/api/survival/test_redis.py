"""Redis is stopped or says nothing: what needs it says so, the rest works, and nobody waits long."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests import tokens
from tests.accounts.people import make_person
from tests.accounts.people import sign_in
from tests.servers import PrivateServer

#: No answer takes longer, but the first that finds it out: Redis has two seconds, the counters half a one.
LONGEST_SECONDS = 4

#: Seconds within which all works again once Redis does.
BACK_SECONDS = 3


@pytest.fixture
def redis(start_redis: Callable[..., PrivateServer]) -> PrivateServer:
    return start_redis()


@pytest.fixture
def site(make_app: Callable[..., Flask], redis: PrivateServer) -> Flask:
    app = make_app(REDIS_URL=redis.url.render_as_string(), SESSION_STORE="redis", RATE_LIMITS=True)
    make_person(app)
    return app


def timed(ask: Callable[[], Any]) -> tuple[int, float]:
    began = time.monotonic()
    return ask().status_code, time.monotonic() - began


@pytest.mark.parametrize("outage", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_what_needs_no_redis_works_without_it(site: Flask, redis: PrivateServer, outage: int) -> None:
    ada, nobody = site.test_client(), site.test_client()
    token = tokens.authorization(tokens.issue(site))
    assert sign_in(ada).status_code == 302
    redis.kill() if outage == signal.SIGKILL else redis.signal(outage)
    stranger = site.test_client()
    asked = {
        "page": lambda: nobody.get("/"),
        "list": lambda: nobody.get("/api/v1/cities"),
        "token": lambda: nobody.get("/api/v1/cities", headers=token),
        "signed in": lambda: ada.get("/accounts/"),
        "sign in": lambda: sign_in(stranger),
        "bad token": lambda: nobody.get("/api/v1/cities", headers=tokens.authorization("andamio_pat_wrong")),
        "page again": lambda: nobody.get("/"),
    }
    found = {name: timed(ask) for name, ask in asked.items()}
    statuses = {name: status for name, (status, _) in found.items()}
    away = {"signed in": 503, "sign in": 503}
    assert statuses == dict.fromkeys(asked, 200) | away | {"bad token": 401}
    assert max(seconds for _, seconds in found.values()) < LONGEST_SECONDS
    answer = ada.get("/accounts/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    redis.start() if outage == signal.SIGKILL else redis.signal(signal.SIGCONT)
    # What was in a Redis that writes nothing to disk is gone with it: ada signs in again, where it was killed.
    back_in_time(lambda: sign_in(ada) if outage == signal.SIGKILL else ada.get("/accounts/"))


def test_frozen_redis_holds_one_thread_at_a_time(site: Flask, redis: PrivateServer) -> None:
    ada = site.test_client()
    sign_in(ada)
    cookie = ada.get_cookie(site.config["SESSION_COOKIE_NAME"]).value
    redis.signal(signal.SIGSTOP)
    assert ada.get("/accounts/").status_code == 503

    def ask(_: int) -> tuple[int, float]:
        client = site.test_client()
        client.set_cookie(site.config["SESSION_COOKIE_NAME"], cookie)
        return timed(lambda: client.get("/accounts/"))

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(6)))
    assert [status for status, _ in found] == [503] * 6
    assert sum(seconds > 1.5 for _, seconds in found) == 1
    redis.signal(signal.SIGCONT)
    assert ask(0)[0] == 200


def back_in_time(ask: Callable[[], Any]) -> None:
    end = time.monotonic() + BACK_SECONDS
    while (status := ask().status_code) == 503 and time.monotonic() < end:
        time.sleep(0.1)
    assert status in (200, 302)
