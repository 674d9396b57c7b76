"""Attempts counted in this process, by many threads at once."""

from threading import RLock
from typing import Any

from limits.storage import MemoryStorage


class ThreadSafeMemory(MemoryStorage):
    """Counts in memory, and lets one thread in at a time.

    The library's own, up to limits 5.8.0, starts its timer twice when two threads come together, and takes a key
    away from under the thread, or the timer, that counts by it: a KeyError. It may go with the release that has
    its pull request 352.
    """

    # A name of its own: "memory" stays the library's.
    STORAGE_SCHEME = ["accounts-memory"]

    def __init__(self) -> None:
        self._one_at_a_time = RLock()
        super().__init__()

    def acquire_entry(self, *args: Any, **options: Any) -> bool:
        """Return whether there was an attempt left, and count it."""
        with self._one_at_a_time:
            return super().acquire_entry(*args, **options)

    def clear(self, key: str) -> None:
        """Forget what was counted; the key stays, for the timer may be at it."""
        with self._one_at_a_time, self.locks[key]:
            if key in self.events:
                self.events[key] = []
