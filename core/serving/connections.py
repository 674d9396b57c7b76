"""A connection of gunicorn's with time limits: for the arrival of a request, and for the reading of an answer.

Head and body are gathered before a thread is given to a request (:mod:`serving.worker`). What a thread must
still wait for it waits for by :class:`Socket`: for the rest of a long body, and for room to send.
"""

import errno
import logging
import select
import socket
import time
from typing import TYPE_CHECKING
from typing import Any

from gunicorn.workers.gthread import TConn
from werkzeug.exceptions import RequestTimeout

from .arrivals import Arrival
from .arrivals import Patience

if TYPE_CHECKING:
    from .worker import Worker

logger = logging.getLogger("gunicorn.error")


class Socket(socket.socket):
    """A socket whose other end has only so long. What has set a time limit of its own keeps it."""

    def begin(self, request: Any, reads: float, writes: float) -> None:
        """Begin a request.

        :param request: gunicorn's, whose connection is closed if its body does not come in time
        :param reads: seconds of patience with its body, where not all of it has come
        :param writes: seconds of patience with its answer
        """
        self.request = request
        self.reading, self.writing = Patience(reads), Patience(writes)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive what there is.

        :raises RequestTimeout: 408 if it does not come in time
        """
        if self.gettimeout() is not None:
            return super().recv(size, flags)
        while True:
            try:
                data = super().recv(size, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                if self._wait(self.reading, select.POLLIN):
                    continue
                if self.request is not None:
                    self.request.force_close()
                raise RequestTimeout("The body did not arrive in time.") from None
            self.reading.earn(len(data))
            return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it.

        :raises BrokenPipeError: if the other end does not take it in time
        """
        if self.gettimeout() is not None:
            return super().sendall(data, flags)
        view = memoryview(data).cast("B")
        while view:
            try:
                sent = super().send(view, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                if self._wait(self.writing, select.POLLOUT):
                    continue
                logger.warning("An answer was not taken in time: its connection is closed.")
                raise BrokenPipeError(errno.EPIPE, "The answer was not taken in time.") from None
            self.writing.earn(sent)
            view = view[sent:]
        return None

    def _wait(self, patience: Patience, event: int) -> bool:
        """Wait until more can be received or sent; return whether it can."""
        if patience.left <= 0:
            return False
        begun, poll = time.monotonic(), select.poll()
        poll.register(self, event)
        is_ready = bool(poll.poll(patience.left * 1000))
        patience.spend(time.monotonic() - begun)
        return is_ready


def _own(client: socket.socket) -> Socket:
    return Socket(client.family, client.type, client.proto, client.detach())


class Connection(TConn):  # type: ignore[misc]  # it has no types
    """A connection whose next request is gathered before a thread looks at it."""

    def __init__(self, worker: "Worker", client: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, _own(client), address, server)
        self.worker = worker
        # No thread waits for the first bytes.
        self.data_ready = True
        self.arrival = Arrival(worker.seconds)
        self.sock.begin(None, worker.seconds, worker.seconds)
        #: True if the time of its request is up.
        self.is_late = False
        #: Bytes of its request that are in memory while it is answered.
        self.kept = 0

    def expect(self) -> None:
        """Expect a request; the one before may have been sent together with its beginning."""
        self.sock.setblocking(False)
        self.is_late = False
        self.arrival = Arrival(self.worker.seconds, self.parser.unreader.take_buffered() if self.parser else b"")

    def init(self) -> None:
        """Hand what was gathered to the parser, in a thread."""
        super().init()
        self.parser.unreader.unread(bytes(self.arrival.data))
        self.arrival.data = bytearray()

    def close(self, graceful: bool = False) -> None:
        """Close it; gracefully, without waiting for the other end."""
        if graceful:
            self.worker.leave(self)
        else:
            super().close()
