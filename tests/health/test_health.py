"""Alive and ready: the answers for load balancers, and the details for operators."""

import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from core import migrations
from core.access import Identity
from core.access import set_identity_loader
from core.modules import ModuleError
from services import db
from tests.processes import until
from tests.proxies import Proxy

READY = "/health/ready"

#: Seconds within which a load balancer wants to know: no check may take longer.
PATIENCE = 6.0


@pytest.fixture
def make_proxied_app(
    make_app: Callable[..., Flask], platform: Callable[[str], URL]
) -> Iterator[Callable[[str], tuple[Flask, Proxy]]]:
    """Put a proxy before the platform's database."""
    proxies = []

    def make(engine_name: str) -> tuple[Flask, Proxy]:
        url = platform(engine_name)
        proxies.append(Proxy((url.host or "127.0.0.1", url.port or 0)))
        return make_app(url.set(host="127.0.0.1", port=proxies[-1].port)), proxies[-1]

    yield make
    for proxy in proxies:
        proxy.cut()


@pytest.fixture
def uncached_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every answer be made again."""
    monkeypatch.setattr("app.health.examination.FRESH_SECONDS", 0.0)


def checks(answer: TestResponse) -> dict[str, Any]:
    return {check["name"]: check for check in answer.json["checks"]}


def refused(answer: TestResponse, *failed: str) -> dict[str, Any]:
    """Hold an answer to the contract of a site that is not ready."""
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.json["type"], answer.json["ready"]) == ("/problems/unavailable", False)
    found = checks(answer)
    assert [name for name, check in found.items() if check["result"] == "fail"] == [*failed]
    return found


# --- a site that is well ------------------------------------------------------------------------


def test_site_that_is_well_is_ready(client: FlaskClient) -> None:
    answer = client.get(READY)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["ready"] is True
    results = {"name", "result"}
    assert all(check.keys() == results and check["result"] == "pass" for check in answer.json["checks"])
    assert {"health.database", "health.schema", "health.disk", "accounts.session_store"} <= checks(answer).keys()


def test_browser_gets_a_page(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.get(READY, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "The site is ready" in answer.text
    assert "The database answers." in answer.text
    assert " ms" not in answer.text


@pytest.mark.parametrize("path", ["/health/live", READY])
def test_only_reading_is_served(sqlite_client: FlaskClient, path: str) -> None:
    head = sqlite_client.head(path)
    assert (head.status_code, head.data) == (200, b"")
    assert sqlite_client.put(path).status_code == 405
    assert sqlite_client.get(f"{path}/x").status_code == 404


@pytest.mark.parametrize("path", ["/health/live", READY])
def test_any_host_answered_for_health_only(make_app: Callable[..., Flask], path: str) -> None:
    client = make_app(TRUSTED_HOSTS=[".example.org"]).test_client()
    for host in ("10.0.0.7:8000", "evil.example.com", ""):
        assert client.get(path, headers={"Host": host}).status_code == 200
        assert client.get("/", headers={"Host": host}).status_code == 400


def test_development_answers_its_own_machine_only(make_app: Callable[..., Flask]) -> None:
    client = make_app(APP_ENV="development").test_client()
    assert client.get(READY, headers={"Host": "evil.example.com"}).status_code == 400


def test_frequent_requests_share_examination(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    made: list[float] = []
    report = app.extensions["health"]
    examine, report._examine = report._examine, lambda: made.append(time.monotonic()) or examine()
    threads = [threading.Thread(target=app.test_client().get, args=(READY,)) for _ in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) <= 1 + (time.monotonic() - began)


# --- a database that is away --------------------------------------------------------------------


@pytest.mark.usefixtures("uncached_health")
@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_database_that_is_away(make_proxied_app: Any, engine_name: str, caplog: pytest.LogCaptureFixture) -> None:
    app, proxy = make_proxied_app(engine_name)
    client = app.test_client()
    # The browser of a signed-in user: the identity cannot be looked up either.
    client.set_cookie("session", "something")
    assert client.get(READY).status_code == 200
    proxy.cut()
    found = refused(client.get(READY), "health.database", "health.writes", "health.schema")
    assert found["accounts.session_store"] == {"name": "accounts.session_store", "result": "warn"}
    page = client.get(READY, headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert "127.0.0.1" not in page.text
    assert client.get("/health/live").status_code == 200
    lines = [record.getMessage() for record in caplog.records if record.name == "app.health.examination"]
    assert len([line for line in lines if line.startswith("health.database fails. ")]) == 1
    proxy.restore()
    assert client.get(READY).status_code == 200
    assert "health.database is well again." in caplog.text


@pytest.mark.usefixtures("uncached_health")
@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_database_that_is_frozen(make_proxied_app: Any, engine_name: str) -> None:
    app, proxy = make_proxied_app(engine_name)
    client = app.test_client()
    assert client.get(READY).status_code == 200
    threads = threading.active_count()
    proxy.freeze()
    refused(client.get(READY), "health.database", "health.writes", "health.schema")
    # An abandoned check may take an hour.
    for trial in app.extensions["health"].trials.values():
        trial.check = replace(trial.check, terms=replace(trial.check.terms, seconds=3600))
    for _ in range(2):
        refused(client.get(READY), "health.database", "health.writes", "health.schema")
    assert threading.active_count() <= threads + 4
    assert client.get("/health/live").status_code == 200
    proxy.thaw()
    until(lambda: client.get(READY).status_code == 200, "that it is ready again")


# --- code and database out of step --------------------------------------------------------------


@pytest.fixture
def empty_app(make_app: Callable[..., Flask], new_database: Callable[[str], URL], engine_name: str) -> Flask:
    """The platform on a database without a table."""
    return make_app(new_database(engine_name))


def execute(app: Flask, statement: str) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text(statement))


@pytest.mark.usefixtures("uncached_health")
def test_database_without_tables_gets_the_command(empty_app: Flask) -> None:
    client = empty_app.test_client()
    answer = client.get(READY)
    schema = refused(answer, "health.schema")["health.schema"]
    assert schema["hint"] == "alembic upgrade head"
    assert "alembic upgrade head" in answer.json["detail"]
    # Which modules miss something, and not what.
    assert schema["modules"]["app.accounts"] == "fail"
    assert "accounts_user" not in answer.text
    page = client.get(READY, headers={"Accept": "text/html"})
    assert '<pre class="my-2">alembic upgrade head</pre>' in page.text
    migrations.upgrade(empty_app.config["SQLALCHEMY_DATABASE_URI"])
    assert client.get(READY).status_code == 200


@pytest.mark.usefixtures("uncached_health")
def test_database_of_newer_code_is_refused(
    make_app: Callable[..., Flask], new_database: Callable[[str], URL], engine_name: str
) -> None:
    url = new_database(engine_name)
    migrations.upgrade(url)
    app = make_app(url)
    execute(app, "UPDATE alembic_version SET version_num = 'newer'")
    answer = app.test_client().get(READY)
    assert refused(answer, "health.schema")["health.schema"]["hint"].startswith("Deploy the code")
    assert "newer" not in answer.text
    lenient = make_app(url, HEALTH_DATABASE_AHEAD="allow").test_client()
    assert checks(lenient.get(READY))["health.schema"]["result"] == "warn"
    # A row cannot be added by code that does not know of a column that must be filled.
    execute(app, "DROP TABLE accounts_user_role")
    execute(app, "CREATE TABLE accounts_user_role (user_id INTEGER, role_id INTEGER, since INTEGER NOT NULL)")
    schema = refused(lenient.get(READY), "health.schema")["health.schema"]
    assert schema["modules"] == {"app.accounts": "fail"}


def test_table_without_revision_reported(sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.inventory.lacking", lambda app: {"app.shop": ["shop_order"]})
    schema = checks(sqlite_app.test_client().get(READY))["health.schema"]
    assert schema == {"name": "health.schema", "result": "warn"}


# --- who sees what ------------------------------------------------------------------------------


def test_details_need_permission(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    for permissions, names in ((set(), set()), ({"health.details.read"}, {"rule", "milliseconds"})):
        who = Identity("1", "Ann", frozenset(permissions), via="session")
        set_identity_loader(app, lambda who=who: who)
        answer = app.test_client().get(READY)
        assert checks(answer)["health.database"].keys() - {"name", "result"} == names


def test_development_shows_details_and_button(
    make_app: Callable[..., Flask], new_database: Callable[[str], URL]
) -> None:
    client = make_app(new_database("sqlite"), APP_ENV="development").test_client()
    found = checks(client.get(READY))["health.schema"]
    assert "accounts_user" in found["modules"]["app.accounts"]
    assert " not run: " in found["message"]
    assert "Run alembic upgrade head" in client.get(READY, headers={"Accept": "text/html"}).text


# --- disk and Redis -----------------------------------------------------------------------------


@pytest.mark.usefixtures("uncached_health")
@pytest.mark.parametrize(("free", "result"), [(10**10, "pass"), (10**8, "warn"), (10**6, "fail")])
def test_disk_that_is_full(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch, free: int, result: str, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    answer = sqlite_app.test_client().get(READY)
    assert checks(answer)["health.disk"]["result"] == result
    assert answer.status_code == (503 if result == "fail" else 200)
    assert str(free) not in answer.text.replace(",", "")


@pytest.mark.usefixtures("uncached_health")
def test_redis_away_reported_site_ready(make_app: Callable[..., Flask], start_redis: Callable[..., Any]) -> None:
    server = start_redis()
    url = server.url.render_as_string()
    client = make_app(REDIS_URL=url, SESSION_STORE="redis").test_client()
    assert {check["result"] for check in client.get(READY).json["checks"]} == {"pass"}
    server.stop()
    answer = client.get(READY)
    assert answer.status_code == 200
    results = {name for name, check in checks(answer).items() if check["result"] == "warn"}
    assert results == {"health.counters", "accounts.session_store"}


# --- what modules offer -------------------------------------------------------------------------

INIT = """
    from flask import Blueprint
    bp = Blueprint("depot", __name__)
"""
HEALTH = '''
    from threading import Event
    from app.health import CheckFailed, check

    def well():
        """All is well."""

    def warned():
        return "Only three pallets are left."

    @check(essential=False)
    def optional():
        raise CheckFailed("The scales at 10.0.0.7 are off.", hint="Switch the scales on.")

    def needed():
        raise KeyError("s3cret")

    ended = Event()

    @check(seconds=0.2)
    def slow():
        ended.wait()

    def _no_check(number):
        raise AssertionError

    lines = 3
'''


@pytest.fixture
def write_health_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Write a module with this ``health.py``."""

    def write(health: str) -> list[str]:
        folder = tmp_path / "depot_module"
        folder.mkdir()
        (folder / "__init__.py").write_text("\n".join(line[4:] for line in INIT.splitlines()))
        (folder / "health.py").write_text("\n".join(line[4:] for line in health.splitlines()))
        monkeypatch.syspath_prepend(str(tmp_path))
        for name in ("depot_module", "depot_module.health"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        return ["app.health", "depot_module"]

    return write


def test_functions_of_a_module_are_checks(
    make_app: Callable[..., Flask], write_health_module: Callable[[str], list[str]]
) -> None:
    answer = make_app(None, write_health_module(HEALTH)).test_client().get(READY)
    found = refused(answer, "depot_module.needed", "depot_module.slow")
    results = {name.partition(".")[2]: check["result"] for name, check in found.items() if "depot" in name}
    assert results == {"well": "pass", "warned": "warn", "optional": "warn", "needed": "fail", "slow": "fail"}
    assert found["depot_module.optional"]["hint"] == "Switch the scales on."
    assert not any(secret in answer.text for secret in ("10.0.0.7", "s3cret", "pallets"))
    sys.modules["depot_module.health"].ended.set()


def test_checks_fit_load_balancer_timeout(sqlite_app: Flask) -> None:
    assert max(check.terms.seconds for check in sqlite_app.extensions["health"].checks) < PATIENCE


def test_check_with_parameters_fails_at_start(
    make_app: Callable[..., Flask], write_health_module: Callable[[str], list[str]]
) -> None:
    with pytest.raises(ModuleError, match=r"depot_module\.health\.weigh takes parameters"):
        make_app(None, write_health_module("    def weigh(scale):\n        pass\n"))


def test_command_prints_details(
    make_app: Callable[..., Flask], write_health_module: Callable[[str], list[str]]
) -> None:
    ran = make_app(None, write_health_module(HEALTH)).test_cli_runner().invoke(args=["health", "check"])
    assert ran.exit_code == 1
    assert "fail  depot_module.needed      KeyError: 's3cret'" in ran.output
    assert "The scales at 10.0.0.7 are off.\n      Hint: Switch the scales on." in ran.output
    assert "pass  depot_module.well        All is well." in ran.output


def test_command_reports_healthy_site(sqlite_app: Flask) -> None:
    ran = sqlite_app.test_cli_runner().invoke(args=["health", "check", "--json"])
    assert ran.exit_code == 0
    assert '"ready": true' in ran.output
