"""gunicorn with ``gunicorn.conf.py``: no request is lost, whatever is done to its processes."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.load import HttpLoad
from tests.processes import ServerProcess
from tests.processes import until

Launch = Callable[..., ServerProcess]


def test_reload_replaces_workers_keeps_code(launch: Launch, code_file: Path) -> None:
    server = launch(WEB_CONCURRENCY="2")
    old = server.all_workers()
    with HttpLoad(server.connection) as crowd:
        code_file.write_text("new")
        server.signal(signal.SIGHUP)
        until(lambda: not set(old) & set(server.workers()), "other workers")
        crowd.answered(200)
    assert crowd.faults == []
    assert set(crowd.codes) == {"old"}
    assert len(server.all_workers()) == 2


def test_upgrade_gives_new_code(launch: Launch, code_file: Path) -> None:
    server = launch(WEB_CONCURRENCY="2")
    old = server.all_workers()
    with HttpLoad(server.connection) as crowd:
        code_file.write_text("new")
        server.signal(signal.SIGUSR2)
        # The old master goes by itself once the new code answers, and does not take the socket with it.
        (master,) = until(lambda: set(server.workers()) - set(old), "a second master")
        assert server.wait() == 0
        server.pid = master
        crowd.answered(200)
    assert crowd.faults == []
    assert list(crowd.codes) == ["old", "new"]
    assert not set(old) & set(server.all_workers())
    until(lambda: "promoted" in server.log(), "that the new master has noticed")
    server.signal(signal.SIGUSR2)
    until(lambda: len(server.workers()) == 3, "a third master")


def test_failed_upgrade_keeps_old_code(launch: Launch, code_file: Path) -> None:
    server = launch(WEB_CONCURRENCY="2")
    old = server.all_workers()
    with HttpLoad(server.connection) as crowd:
        code_file.unlink()
        server.signal(signal.SIGUSR2)
        until(lambda: "FileNotFoundError" in server.log(), "that it cannot start")
        until(lambda: server.workers() == old, "that the second master is gone")
        crowd.answered(200)
    assert crowd.faults == []
    assert set(crowd.codes) == {"old"}


def test_workers_added_and_removed_singly(launch: Launch) -> None:
    server = launch("--workers", "2")
    old = server.all_workers()
    with HttpLoad(server.connection) as crowd:
        for worker in old:
            server.signal(signal.SIGTERM, worker)
            until(lambda gone=worker: gone not in server.workers() and len(server.workers()) == 2, "another worker")
            crowd.answered(50)
        server.signal(signal.SIGTTIN)
        until(lambda: len(server.workers()) == 3, "one more worker")
        crowd.answered(50)
        server.signal(signal.SIGTTOU)
        until(lambda: len(server.workers()) == 2, "one less worker")
        crowd.answered(50)
    assert crowd.faults == []
    assert not set(old) & set(server.workers())


def test_workers_renewed_after_requests(launch: Launch) -> None:
    server = launch("--workers", "2", "--max-requests", "40", "--max-requests-jitter", "20")
    with HttpLoad(server.connection) as crowd:
        until(lambda: len(crowd.workers) >= 8, "eight workers")
    assert crowd.faults == []


def test_killed_worker_is_replaced(launch: Launch) -> None:
    server = launch("--workers", "2")
    killed = server.all_workers()[0]
    server.signal(signal.SIGKILL, killed)
    until(lambda: killed not in server.workers() and len(server.workers()) == 2, "another worker", 5)
    with HttpLoad(server.connection) as crowd:
        crowd.answered(100)
    assert crowd.faults == []


def test_workers_share_what_is_made_before(launch: Launch) -> None:
    server = launch("--workers", "2")
    server.ask("/counter/row?number=1")
    for worker in server.workers():
        found = dict(line.split()[:2] for line in Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()[1:])
        assert int(found["Pss:"]) < 0.75 * int(found["Rss:"]), os.getpid()
