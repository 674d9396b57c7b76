"""Attempts counted in this process, by many threads at once."""

from threading import RLock
from typing import Any

from limits.storage import MemoryStorage

#: With so many keys, those that are not needed any more are looked for; then when there are twice as many as stayed.
KEPT = 1000


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
        self._swept_at = KEPT
        super().__init__()

    def acquire_entry(self, *args: Any, **options: Any) -> bool:
        """Return whether there was an attempt left, and count it."""
        with self._one_at_a_time:
            if len(self.events) >= self._swept_at:
                self._sweep()
            return super().acquire_entry(*args, **options)

    def clear(self, key: str) -> None:
        """Forget what was counted; the key stays, for the timer may be at it."""
        with self._one_at_a_time, self.locks[key]:
            if key in self.events:
                self.events[key] = []

    def _sweep(self) -> None:
        """Drop the keys whose attempts have expired, which the library keeps for ever."""
        for key in [key for key, attempts in self.events.items() if not attempts]:
            del self.events[key]
        self._swept_at = max(KEPT, 2 * len(self.events))
