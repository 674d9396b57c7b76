"""Metrics of several workers, whichever of them is asked, and whatever happens to them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.engine import make_url

from app.maintenance import closings
from config import ROOT
from core.access import ANONYMOUS
from core.access import Identity
from core.access import set_identity_loader
from tests.monitoring.serving import GRANIAN
from tests.monitoring.serving import GUNICORN
from tests.monitoring.serving import TOKEN
from tests.monitoring.serving import Site
from tests.monitoring.serving import wait

WORKERS = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site of three workers that came of one process by forks."""
    folder = tmp_path_factory.mktemp("metrics")
    found = Site((*GUNICORN, f"--workers={WORKERS}", "--preload"), folder, DATABASE_URL=f"sqlite:///{folder}/x.db")
    yield found
    found.stop()


def ask_often(server: Site, path: str, times: int = 60) -> list[tuple[int, str]]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: server.ask(path), range(times)))


def test_requests_are_counted_over_all_workers(server: Site) -> None:
    before = server.metrics().get("faulty_counted_total", 0.0)
    pids: set[str] = set()
    asked = 0
    # On a busy machine one worker may take whatever comes for a while.
    while len(pids) < 2 and asked < 6000:
        pids |= {text for _, text in ask_often(server, "/faulty/count")}
        asked += 60

    assert len(pids) > 1
    assert server.metrics()["faulty_counted_total"] == before + asked
    assert server.count("faulty.count") == before + asked
    assert {server.count("faulty.count") for _ in range(10)} == {before + asked}


def test_histogram_holds_all_requests(server: Site) -> None:
    ask_often(server, "/faulty/slow?seconds=0.06", 10)
    found = server.metrics()

    named = 'http_request_duration_seconds_bucket{endpoint="faulty.slow",le="%s"}'
    assert (found[named % "0.05"], found[named % "+Inf"]) == (0, 10)
    assert found['http_request_duration_seconds_count{endpoint="faulty.slow"}'] == 10
    assert found['http_request_duration_seconds_sum{endpoint="faulty.slow"}'] >= 0.6


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_counters_outlive_a_worker(server: Site, how: signal.Signals) -> None:
    ask_often(server, "/faulty/count")
    before, victims = server.count("faulty.count"), server.workers()
    os.kill(min(victims), how)

    wait(lambda: min(victims) not in server.workers(), server.log)
    assert server.count("faulty.count") == before
    wait(lambda: ask_often(server, "/status", 20) and len(server.workers()) == WORKERS, server.log)
    ask_often(server, "/faulty/count", 30)
    assert server.count("faulty.count") == before + 30
    assert len(list((server.folder / "metrics").glob("counter_*.db"))) == WORKERS


def test_counters_outlive_all_workers_at_once(server: Site) -> None:
    ask_often(server, "/faulty/count", 10)
    before, old = server.count("faulty.count"), server.workers()
    for pid in old:
        os.kill(pid, signal.SIGKILL)

    wait(lambda: ask_often(server, "/status", 20) and server.workers().isdisjoint(old), server.log)
    assert server.count("faulty.count") == before
    assert len(list((server.folder / "metrics").glob("*.alive"))) <= WORKERS


def test_a_killed_worker_is_answering_nothing(server: Site) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.ask, "/faulty/slow?seconds=20")
        wait(lambda: server.metrics()["http_requests_in_flight"] == 2, server.log)
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        assert asked.exception(30) is not None

    wait(server.answers, server.log)
    # The one that asks.
    assert server.metrics()["http_requests_in_flight"] == 1


def test_database_and_exceptions_are_counted(server: Site) -> None:
    ask_often(server, "/faulty/sql", 4)
    server.ask("/faulty/boom")
    found = server.metrics()

    assert found['database_statements_total{endpoint="faulty.sql"}'] >= 8
    assert found['database_seconds_total{endpoint="faulty.sql"}'] > 0
    assert found['http_exceptions_total{endpoint="faulty.boom",exception="ValueError"}'] == 1
    assert found["database_connections_in_use"] == 0
    assert found["database_connections"] >= 1
    assert found["database_connection_seconds_total"] > 0


def test_what_visitors_invent_makes_no_labels(server: Site) -> None:
    before = server.metrics().get('http_requests_total{endpoint="none",method="GET",status="404"}', 0.0)
    for number in range(5):
        server.ask(f"/nothing/{number}")
        subprocess.run(
            ["curl", "-s", "-X", f"BREW{number}", f"http://127.0.0.1:{server.port}/"], capture_output=True, check=True
        )
    found = server.metrics()

    assert found['http_requests_total{endpoint="none",method="GET",status="404"}'] == before + 5
    assert found['http_requests_total{endpoint="none",method="other",status="405"}'] == 5
    assert not any("BREW" in name or "/nothing" in name for name in found)


def test_refusals_stand_in_the_security_events(server: Site) -> None:
    before = server.metrics().get('security_events_total{event="access.unauthenticated",outcome="denied"}', 0.0)
    assert server.ask("/metrics")[0] == 401

    assert server.metrics()['security_events_total{event="access.unauthenticated",outcome="denied"}'] == before + 1


def test_failed_request_logged_in_one_line(server: Site) -> None:
    server.ask("/faulty/boom?token=hunter2", {"X-Request-ID": "request-boom-1"})

    lines = [line for line in server.log().splitlines() if "request-boom-1" in line and "andamio.requests" in line]
    (line,) = lines
    assert '"path": "/faulty/boom"' in line
    assert '"status": 500' in line
    assert '"endpoint": "faulty.boom"' in line
    assert "hunter2" not in server.log()


def test_failed_link_logged_without_token(server: Site) -> None:
    server.ask("/faulty/link/5uper5ecret", {"X-Request-ID": "request-link-1"})

    lines = [line for line in server.log().splitlines() if "request-link-1" in line]
    assert any('"path": "/faulty/link/[filtered]"' in line for line in lines)
    assert "5uper5ecret" not in "".join(lines)


def test_granian_counts_over_its_workers_too(tmp_path: Path) -> None:
    command = (*GRANIAN, "--workers=2", "--workers-kill-timeout=2", "tests.monitoring.site:app")
    site = Site(command, tmp_path, DATABASE_URL="sqlite://")
    asked: list[tuple[int, str]] = []
    try:
        # The kernel gives connections to any worker.
        wait(lambda: asked.extend(ask_often(site, "/faulty/count", 20)) or len({text for _, text in asked}) == 2)
        assert site.metrics()["faulty_counted_total"] == len(asked)
    finally:
        site.stop()


COUNT = """
import sys
from tests.monitoring.site import app
client = app.test_client()
for _ in range(3):
    assert client.get("/faulty/count").status_code == 200
text = client.get("/metrics", headers={"Authorization": "Bearer of-the-collector-0123456789"}).text
assert f"faulty_counted_total {sys.argv[1]}.0" in text, text
assert "process_resident_memory_bytes{" in text
"""


def count(folder: str | Path, expected: int) -> str:
    """Ask three times in a process of its own, hold the sum to what is expected, and return what it said."""
    environ = {"APP_ENV": "testing", "SECRET_KEY": "x" * 40, "DATABASE_URL": "sqlite://", "METRICS_TOKEN": TOKEN}
    command = [sys.executable, "-c", COUNT, str(expected)]
    environ["METRICS_FOLDER"] = str(folder)
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


def test_restart_replaces_broken_file(tmp_path: Path) -> None:
    count(tmp_path / "metrics", 3)
    (histogram,) = (tmp_path / "metrics").glob("histogram_*.db")
    histogram.write_bytes(b"\xff" * 100)

    assert "was broken, and is created again" in count(tmp_path / "metrics", 6)
    assert len(list((tmp_path / "metrics").glob("counter_*.db"))) == 1


@pytest.mark.parametrize("folder", ["/dev/null/metrics", "none"])
def test_unusable_folder_fails_no_request(folder: str) -> None:
    assert ("cannot be used" in count(folder, 3)) == (folder != "none")


# --- who may read -------------------------------------------------------------------------------


def read(app: Flask, address: str = "127.0.0.1", **headers: str) -> int:
    client = app.test_client()
    return client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address}).status_code


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"bearer{TOKEN}", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer", 400),
        ("", 401),
        ("täglich", 401),
    ],
)
def test_metrics_need_token(make_app, sent: str, status: int) -> None:
    assert read(make_app(METRICS_TOKEN=TOKEN), Authorization=sent.encode().decode("latin-1")) == status


def test_metrics_closed_without_token(make_app) -> None:
    assert read(make_app(METRICS_TOKEN=None), Authorization="Bearer None") == 401
    assert read(make_app(METRICS_TOKEN=None)) == 401


def test_personal_token_with_scope_accepted(make_app) -> None:
    app = make_app()
    set_identity_loader(app, lambda: Identity("a", "A", frozenset({"monitoring.metric.read"}), via="token"))
    assert read(app) == 200
    set_identity_loader(app, lambda: Identity("b", "B", via="token"))
    assert read(app) == 403
    set_identity_loader(app, lambda: ANONYMOUS)
    assert read(app) == 401


def test_development_serves_metrics_locally_only(make_app) -> None:
    app = make_app(APP_ENV="development")

    assert read(app) == 200
    assert read(app, "192.0.2.1") == 401
    assert read(app, **{"X-Forwarded-For": "192.0.2.1"}) == 401


def test_token_accepted_while_database_away(make_app) -> None:
    away = make_url("postgresql+psycopg://127.0.0.1:1/test_away")

    assert read(make_app(away, METRICS_TOKEN=TOKEN), Authorization=f"Bearer {TOKEN}") == 200


def test_openmetrics_served_on_request(make_app) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/openmetrics-text; version=1.0.0"}
    answer = make_app(METRICS_TOKEN=TOKEN).test_client().get("/metrics", headers=headers)

    assert answer.mimetype == "application/openmetrics-text"
    assert answer.text.endswith("# EOF\n")


def test_metrics_readable_during_maintenance(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    path = str(tmp_path / "maintenance.json")
    closings.begin(path, None, None, bypass=False)
    client = make_app(MAINTENANCE_FILE=path, METRICS_TOKEN=TOKEN).test_client()

    assert client.get("/status").status_code == 503
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
