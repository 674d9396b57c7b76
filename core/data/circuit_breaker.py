"""Circuit breaker: while a server is unresponsive, one thread at a time retries it."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class CircuitOpenError(Exception):
    """The server did not respond the last time, and it is not this thread's turn to retry."""


class CircuitBreaker:
    """Lets one thread at a time call a server, from a call without a response until one with a response.

    Else each thread of a process would wait for the timeout, and none be left for requests that need no server.
    The others fail at once.

    :param is_silence: whether an error of the call means that there was no response
    :param rest: seconds after a failed call without another one; of a request that calls often, each
        call would take its time
    """

    def __init__(self, is_silence: Callable[[Exception], bool], rest: float = 0.0) -> None:
        self._is_silence = is_silence
        self._rest = rest
        self._is_open = False
        self._retries_at = 0.0
        self._turn = threading.Lock()

    def call(self, function: Callable[[], Result]) -> Result:
        """Return the function's result.

        :raises CircuitOpenError: if the server is known to be unresponsive, and it is not this thread's turn
        """
        if not self._is_open:
            return self._try(function)
        if time.monotonic() < self._retries_at or not self._turn.acquire(blocking=False):
            raise CircuitOpenError("the server gave no answer the last time; it is not asked by all at once")
        try:
            return self._try(function)
        finally:
            self._turn.release()

    def _try(self, function: Callable[[], Result]) -> Result:
        try:
            result = function()
        except Exception as error:
            self._is_open = self._is_silence(error)
            self._retries_at = time.monotonic() + self._rest
            raise
        self._is_open = False
        return result
