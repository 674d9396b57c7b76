"""A way to make a server say nothing, without hurting it: what is sent to it arrives nowhere. No pytest here."""

import select
import socket
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from typing import Any
from unittest.mock import patch

from core.data.circuit_breaker import CircuitBreaker


class Turns:
    """Threads that call a server at the same time: now, and at most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def change(self, number: int) -> None:
        with self._lock:
            self.now += number
            self.most = max(self.most, self.now)


@contextmanager
def turns() -> Iterator[Turns]:
    """Count the threads that pass the circuit breakers of this process at the same time."""
    counted = Turns()
    call = CircuitBreaker._try

    def count(breaker: CircuitBreaker, function: Callable[[], Any]) -> Any:
        counted.change(1)
        try:
            return call(breaker, function)
        finally:
            counted.change(-1)

    with patch.object(CircuitBreaker, "_try", count):
        yield counted


class StallingProxy:
    """Stands before a server that others use too; it takes connections in any case, as a kernel does."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._speaks = threading.Event()
        self._speaks.set()
        self._ends = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self) -> None:
        """Pass nothing on any more."""
        self._speaks.clear()

    def end(self) -> None:
        """Pass on what has been sent, and all that follows."""
        self._speaks.set()

    def stop(self) -> None:
        self._ends = True
        self._speaks.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._ends:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        self._speaks.wait()
        with client, suppress(OSError), socket.create_connection(self._target) as server:
            while not self._ends:
                for source in select.select([client, server], [], [], 0.5)[0]:
                    self._speaks.wait()
                    data = source.recv(65536)
                    if not data:
                        return
                    (server if source is client else client).sendall(data)
