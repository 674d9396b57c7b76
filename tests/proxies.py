"""A way to take a database away from an application, and to give it back. No pytest here."""

import socket
import threading
from contextlib import suppress

from tests.ports import free_port


class Proxy:
    """Stands between an application and its database, can be cut, and can hold back what is said."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.port = free_port()
        self.flows = threading.Event()
        self.flows.set()
        self.restore()

    def freeze(self) -> None:
        """Let both sides believe that the other is there, and thinks."""
        self.flows.clear()

    def thaw(self) -> None:
        self.flows.set()

    def restore(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        self.thaw()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self.pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            self.pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.flows.wait()
                sink.sendall(data)
        except OSError:
            pass
