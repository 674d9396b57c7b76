"""Attempts are counted by many threads at once."""

import sys
import threading
from collections.abc import Iterator

import limits
import pytest
from limits.strategies import MovingWindowRateLimiter

from app.accounts import counters
from app.accounts.counters import ThreadSafeMemory

MANY = limits.parse("1000000 per hour")


@pytest.fixture
def short_switch_interval() -> Iterator[None]:
    """Let threads interrupt each other as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("short_switch_interval")
def test_concurrent_count_and_clear_safe() -> None:
    """An exception in the storage's own timer thread fails a test by itself."""
    limiter = MovingWindowRateLimiter(ThreadSafeMemory())
    faults: list[Exception] = []

    def work(number: int) -> None:
        for turn in range(1, 2000):
            try:
                limiter.hit(MANY, str(turn % 3))
                if turn % 2:
                    limiter.clear(MANY, str((turn + number) % 3))
            except Exception as error:
                faults.append(error)
                return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []


def test_cleared_counter_restarts() -> None:
    limiter = MovingWindowRateLimiter(ThreadSafeMemory())
    two = limits.parse("2 per hour")
    assert [limiter.hit(two, "ada") for _ in range(3)] == [True, True, False]
    limiter.clear(two, "ada")
    limiter.clear(two, "unknown")
    assert [limiter.hit(two, "ada") for _ in range(3)] == [True, True, False]


def test_unused_counters_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "KEPT", 4)
    memory = ThreadSafeMemory()
    limiter = MovingWindowRateLimiter(memory)
    one = limits.parse("1 per hour")
    for who in "abcd":
        limiter.hit(one, who)
    for who in "abc":
        limiter.clear(one, who)
    limiter.hit(one, "e")
    assert len(memory.events) == 2
    assert [limiter.hit(one, who) for who in "de"] == [False, False]
