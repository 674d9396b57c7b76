"""Workers are killed under load."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from .conftest import Site
from .test_databases import assert_kept
from .test_databases import in_short
from .test_databases import repeat_until_done

CLIENTS = 6


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    return make_site("postgresql")


def test_killed_worker_fails_own_requests_only(site: Site) -> None:
    wait_for_workers(site, 2, without=[])
    before = site.front.workers
    with site.load(CLIENTS).running() as load:
        for number, pid in enumerate(before):
            load.wait(60 * (number + 1))
            os.kill(pid, signal.SIGKILL)
            wait_for_workers(site, 2, without=before[: number + 1])
        load.wait(60, since=time.monotonic())
    # nginx's status when the upstream connection breaks; it does not send a request again.
    assert {answer.status for answer in load.failed} <= {502, 503}, in_short(load.failed)
    assert len(load.failed) <= CLIENTS * len(before), in_short(load.failed)
    repeat_until_done(site, load)
    assert_kept(site, load)


def wait_for_workers(site: Site, count: int, without: list[int]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        running = site.front.workers
        if len(running) == count and not set(running) & set(without):
            return
        time.sleep(0.05)
    raise AssertionError(f"{count} workers do not run: {site.front.workers}\n{site.front.log()}")
