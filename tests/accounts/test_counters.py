"""Attempts are counted by many threads at once."""

import sys
import threading
import time
from collections.abc import Iterator

import limits
import pytest
from limits.strategies import MovingWindowRateLimiter

from app.accounts.counters import ThreadSafeMemory

MANY = limits.parse("1000000 per hour")


@pytest.fixture
def hurried() -> Iterator[None]:
    """Let threads interrupt each other as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried")
def test_threads_that_count_and_forget_the_same_do_not_fail() -> None:
    """An exception in the storage's own timer thread fails a test by itself."""
    counters = MovingWindowRateLimiter(ThreadSafeMemory())
    end = time.monotonic() + 3
    faults: list[Exception] = []

    def work(number: int) -> None:
        turn = 0
        while time.monotonic() < end and not faults:
            turn += 1
            try:
                counters.hit(MANY, str(turn % 3))
                if turn % 2:
                    counters.clear(MANY, str((turn + number) % 3))
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []


def test_what_is_forgotten_counts_from_the_beginning() -> None:
    counters = MovingWindowRateLimiter(ThreadSafeMemory())
    two = limits.parse("2 per hour")
    assert [counters.hit(two, "ada") for _ in range(3)] == [True, True, False]
    counters.clear(two, "ada")
    counters.clear(two, "nobody")
    assert [counters.hit(two, "ada") for _ in range(3)] == [True, True, False]
