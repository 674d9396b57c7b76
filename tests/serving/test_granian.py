"""Granian beside gunicorn, by the command line of docs/performance.md; what both do alike is in test_edges.py."""

import signal
from collections.abc import Callable
from pathlib import Path

from tests.load import HttpLoad
from tests.processes import ServerProcess
from tests.processes import until

Launch = Callable[..., ServerProcess]


def test_reload_gives_new_code(launch_granian: Launch, code_file: Path) -> None:
    server = launch_granian(at=("--uds", "{path}"))
    old = server.all_workers()
    with HttpLoad(server.connection) as crowd:
        code_file.write_text("new")
        server.signal(signal.SIGHUP)
        until(lambda: len(set(server.workers()) - set(old)) == 2 and not set(old) & set(server.workers()), "others")
        crowd.answered(100)
    assert crowd.codes["new"] > 0
    # It ends an old worker with what has just come to it: a few at most, which nginx asks for again.
    assert len(crowd.faults) <= 6, crowd.faults


def test_killed_worker_is_replaced(launch_granian: Launch) -> None:
    server = launch_granian(at=("--uds", "{path}"))
    killed = server.all_workers()[0]
    server.signal(signal.SIGKILL, killed)
    until(lambda: killed not in server.workers() and len(server.workers()) == 2, "another worker")
    with HttpLoad(server.connection) as crowd:
        crowd.answered(100)
    assert crowd.faults == []
