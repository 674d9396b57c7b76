"""Counters of requests and attempts: in Redis where there is one and while it answers, else in this process."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from typing import TypeVar

from limits.errors import StorageError
from limits.storage import Storage
from limits.storage import storage_from_string
from limits.strategies import RateLimiter

from ..data.circuit_breaker import CircuitBreaker
from ..data.circuit_breaker import CircuitOpenError

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

#: Seconds that Redis may take before the counters of this process are used instead.
REDIS_SECONDS = 0.5

#: Seconds for which it is not asked again after it gave no answer: a request counts several times.
REST_SECONDS = 1.0


class Counters:
    """Counts for one application, by a strategy of limits.

    :param memory: the counters of this process
    :param url: of Redis
    """

    def __init__(self, strategy: type[RateLimiter], memory: Storage, url: str | None) -> None:
        waits: dict[str, Any] = {"socket_connect_timeout": REDIS_SECONDS, "socket_timeout": REDIS_SECONDS}
        self.here = strategy(memory)
        self.shared = strategy(storage_from_string(url, wrap_exceptions=True, **waits)) if url else None
        self._breaker = CircuitBreaker(lambda error: isinstance(error, StorageError), rest=REST_SECONDS)
        self._is_away = False

    def ask(self, question: Callable[[RateLimiter], Result]) -> Result:
        """Return the answer of Redis, or while there is none that of this process."""
        if self.shared is not None:
            try:
                answer = self._breaker.call(partial(question, self.shared))
            except CircuitOpenError:
                pass
            except StorageError as error:
                self._warn(error)
            else:
                self._is_away = False
                return answer
        return question(self.here)

    def _warn(self, error: StorageError) -> None:
        """Log that Redis is away, once until it is back."""
        if not self._is_away:
            self._is_away = True
            logger.warning("Redis does not answer, each process counts for itself: %s", str(error).splitlines()[0])
