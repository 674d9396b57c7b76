"""Visitors who ask all the time, and count what they do not get. No pytest here."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count
from types import TracebackType

from tests.processes import until


class HttpLoad:
    """Asks for rows without a break; whatever is no right answer is a fault.

    Half of them open a connection for each request, the others keep theirs until the server announces that it is
    closed: none asks twice for what it did not get.

    :param connect: gives a connection to ask on
    """

    def __init__(self, connect: Callable[[], http.client.HTTPConnection], visitors: int = 6) -> None:
        self.connect = connect
        self.faults: list[str] = []
        self.answers = 0
        self.workers: Counter[int] = Counter()
        self.codes: Counter[str] = Counter()
        self._numbers = count(1)
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._visit, args=(number % 2 == 0,), daemon=True) for number in range(visitors)
        ]

    def __enter__(self) -> "HttpLoad":
        for thread in self._threads:
            thread.start()
        self.answered(50)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(90)

    def answered(self, more: int) -> None:
        """Wait until so many more were answered, or asked in vain."""
        goal = self.answers + len(self.faults) + more
        until(lambda: self.answers + len(self.faults) >= goal, f"{more} more answers")

    def _visit(self, keeps: bool) -> None:
        connection = self.connect()
        while not self._is_over.is_set():
            number = next(self._numbers)
            try:
                fault, found, closes = self._ask(connection, number)
            except (OSError, http.client.HTTPException) as error:
                fault, found, closes = f"{type(error).__name__}: {error}", {}, True
            with self._lock:
                if fault:
                    self.faults.append(f"{'kept' if keeps else 'new'} connection: {fault}")
                else:
                    self.answers += 1
                    self.workers[found["worker"]] += 1
                    self.codes[found["code"]] += 1
            if closes or not keeps:
                connection.close()
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, number: int) -> tuple[str, dict, bool]:
        connection.request("GET", f"/counter/row?number={number}")
        answer = connection.getresponse()
        closes = answer.getheader("Connection", "").lower() == "close"
        text = answer.read()
        if answer.status != 200:
            return f"{answer.status} {text[:200]!r}", {}, closes
        found = json.loads(text)
        return ("" if found["number"] == number else f"{number} got {found}"), found, closes
