"""Time limits of statements in requests."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import URL

from core.data import cursors
from services import db
from tests.processes import until
from tests.stalling import StallingProxy
from tests.stalling import turns

SERVERS = pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
SLEEP = {"postgresql": "SELECT pg_sleep({})", "mariadb": "SELECT SLEEP({})"}


@pytest.fixture
def make_slow(make_app: Callable[..., Flask], new_database: Callable[[str], URL], engine_name: str) -> Any:
    """Make an application whose page takes as many seconds as requested, in the database."""

    def make(url: URL | None = None, **config: Any) -> Flask:
        app = make_app(url or new_database(engine_name), ["app.outages"], DATABASE_STATEMENT_SECONDS=1, **config)

        def sleep(seconds: int, way: str) -> str:
            sql = SLEEP[engine_name].format(seconds)
            if way == "cursors":
                cursors.read(sql)
            else:
                db.session.execute(sa.text(sql))
            return "slept"

        app.add_url_rule("/sleep/<int:seconds>/<way>", view_func=sleep)
        app.add_url_rule("/nothing", view_func=lambda: "nothing")
        return app

    return make


@SERVERS
@pytest.mark.parametrize("way", ["session", "cursors"])
def test_slow_statement_answers_503(make_slow: Any, way: str) -> None:
    client = make_slow().test_client()
    # Not waited for: what ends by itself after ten minutes would be answered with 200.
    answer = client.get(f"/sleep/600/{way}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["type"]) == (503, "/problems/unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get(f"/sleep/0/{way}").text == "slept"


@SERVERS
def test_command_has_no_time_limit(make_slow: Any, engine_name: str) -> None:
    app = make_slow()
    assert app.test_client().get("/sleep/0/session").text == "slept"
    with app.app_context():
        assert len(cursors.read(SLEEP[engine_name].format(2))) == 1


#: Work for minutes, and what counts it. MariaDB would end a SLEEP by itself soon after its client is gone.
WORK = {"postgresql": "SELECT pg_sleep(157)", "mariadb": "SELECT BENCHMARK(1000000000, SHA2('andamio', 512))"}
RUNNING = {
    "postgresql": "SELECT count(*) AS running FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(157)%'",
    "mariadb": "SELECT count(*) AS running FROM information_schema.processlist WHERE info LIKE 'SELECT BENCHMARK%'",
}


@SERVERS
def test_abandoned_statement_ends_on_server(make_slow: Any, engine_name: str) -> None:
    app = make_slow()
    app.add_url_rule("/work", "work", lambda: str(db.session.execute(sa.text(WORK[engine_name])).all()))
    with app.app_context(), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(app.test_client().get, "/work")
        until(lambda: cursors.read(RUNNING[engine_name])[0]["running"], "that it runs", 20)
        assert answer.result().status_code == 503
        until(lambda: not cursors.read(RUNNING[engine_name])[0]["running"], "that it does no longer", 30)


@SERVERS
def test_silent_database_blocks_one_thread(
    make_slow: Any, new_database: Callable[[str], URL], engine_name: str
) -> None:
    url = new_database(engine_name)
    silence = StallingProxy((url.host or "127.0.0.1", url.port or 0))
    options = {"connect_args": {"connect_timeout": 2}, "pool_timeout": 2}
    app = make_slow(url.set(host="127.0.0.1", port=silence.port), SQLALCHEMY_ENGINE_OPTIONS=options)
    try:
        assert app.test_client().get("/sleep/0/session").text == "slept"
        silence.begin()
        # The first finds it out by a statement, the second by an attempt to connect.
        assert [ask(app) for _ in range(2)] == [503, 503]
        with turns() as taken, ThreadPoolExecutor(6) as pool:
            assert list(pool.map(lambda _: ask(app), range(6))) == [503] * 6
        assert taken.most == 1
        silence.end()
        assert ask(app) == 200
    finally:
        silence.stop()


def ask(app: Flask) -> int:
    return app.test_client().get("/sleep/0/session").status_code
