"""Where a server says nothing, one waits for it, and not all."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class Closed(Exception):
    """The server gave no answer the last time, and it is not this thread's turn to try again."""


class Door:
    """Lets one at a time ask a server, from a question that got no answer until one that did.

    Else each thread of a process would wait in vain, and none be left for what needs no server. Who is
    refused hears so at once: only silence takes time.

    :param is_silence: whether an error of the question means that nothing was answered
    :param rest: seconds after a question in vain in which nobody asks; of a request that asks often, each
        question would take its time
    """

    def __init__(self, is_silence: Callable[[Exception], bool], rest: float = 0.0) -> None:
        self._is_silence = is_silence
        self._rest = rest
        self._is_suspect = False
        self._opens_at = 0.0
        self._turn = threading.Lock()

    def ask(self, question: Callable[[], Result]) -> Result:
        """Return the answer.

        :raises Closed: if the server is known to be silent, and somebody else waits for it
        """
        if not self._is_suspect:
            return self._try(question)
        if time.monotonic() < self._opens_at or not self._turn.acquire(blocking=False):
            raise Closed("the server gave no answer the last time; it is not asked by all at once")
        try:
            return self._try(question)
        finally:
            self._turn.release()

    def _try(self, question: Callable[[], Result]) -> Result:
        try:
            answer = question()
        except Exception as error:
            self._is_suspect = self._is_silence(error)
            self._opens_at = time.monotonic() + self._rest
            raise
        self._is_suspect = False
        return answer
