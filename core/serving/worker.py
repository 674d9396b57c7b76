"""gunicorn's worker with threads, none of which waits for a request to arrive.

gunicorn's own (27.0, ``gthread``) reads a request in the thread that answers it, without an end: as many clients
that send half of one as there are threads stop the site. And the loop that accepts connections waits up to two
seconds for each client that does not close what was answered. Here that loop gathers each request and gives it to a
thread when it is there; whose time is up is answered with 408.
"""

import errno
import socket
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from . import settings
from .arrivals import MOST_BYTES
from .connections import Connection

#: Of all requests that are not answered yet.
MOST_KEPT = 64 * MOST_BYTES

#: Received at once.
READ_BYTES = 64 * 1024

#: Seconds in which a client may close what was answered for the last time, and a thread may pass over a body that
#: its view did not read; what there is of that is here already.
LEAVE_SECONDS = 2.0
SKIP_SECONDS = 0.1

#: So often the loop looks whose time is up.
SWEEP_SECONDS = 0.5

#: Where no connection can be added, one in so many is ended.
ROOM = 20

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Worker(ThreadWorker):  # type: ignore[misc]  # it has no types
    """Serves with threads, each request when all of it is there."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds = float(settings.read().request_seconds)
        #: Connections with an incomplete request, the longest-waiting first, and whether the loop watches each.
        self.arriving: dict[Connection, bool] = {}
        #: Connections whose last response was sent, and until when they stay open.
        self.leaving: dict[Connection, float] = {}
        self.kept = 0
        self._swept = 0.0
        self._is_full = False

    # --- what gunicorn calls, in the loop -------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection."""
        if self.cfg.is_ssl or self.cfg.http2_cleartext in ("prior-knowledge", "both"):
            super().accept(listener)
            return
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._is_full = True
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        self.enqueue_req(Connection(self, client, address, listener.getsockname()))

    def enqueue_req(self, conn: Any) -> None:
        """Await a request, and give it to a thread when it is there."""
        if not isinstance(conn, Connection):
            super().enqueue_req(conn)
            return
        conn.expect()
        self.kept += len(conn.arrival.data)
        self.arriving[conn] = False
        self._gather(conn)
        if conn in self.arriving:
            self.arriving[conn] = True
            self.poller.register(conn.sock, EVENT_READ, partial(self._gather, conn))

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Go on with a connection whose request was answered."""
        if isinstance(conn, Connection):
            self.kept -= conn.kept
            conn.kept = 0
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """End what takes too long; called each second, and after each event."""
        super().murder_pending()
        now = time.monotonic()
        if now < self._swept + SWEEP_SECONDS and not self._is_full:
            return
        self._swept = now
        for conn in [conn for conn in self.arriving if self._is_late(conn, now)]:
            self._give_up(conn)
        for conn in [conn for conn, end in self.leaving.items() if end <= now]:
            self._left(conn)
        if self._is_full or self.nr_conns >= self.worker_connections:
            self._make_room()

    # --- what gunicorn calls, in a thread -------------------------------------------------------

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Answer a request."""
        if isinstance(conn, Connection):
            if conn.is_late:
                req.force_close()
            conn.sock.begin(req, 0 if conn.is_late else self.seconds, self.seconds)
        return bool(super().handle_request(req, conn))

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        if not isinstance(conn, Connection):
            return bool(super()._keepalive_after(conn, keepalive))
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + SKIP_SECONDS))

    # --- arriving -------------------------------------------------------------------------------

    def _gather(self, conn: Connection, _: Any = None) -> None:
        """Take what has come of a request."""
        if conn not in self.arriving:
            # It was given up for another whose bytes came in the same moment.
            return
        try:
            data = conn.sock.recv(READ_BYTES)
        except BlockingIOError:
            data = None
        except OSError:
            data = b""
        arrival = conn.arrival
        if data:
            arrival.add(data)
            self.kept += len(data)
        if data == b"" and not arrival.data:
            self._drop(conn)
        elif data == b"" or arrival.is_whole:
            self._answer(conn)
        elif data and arrival.expects_continue:
            self._continue(conn)
        elif self.kept > MOST_KEPT:
            self._give_up(next(iter(self.arriving)))

    def _answer(self, conn: Connection) -> None:
        """Give a request to a thread."""
        self._forget(conn)
        conn.kept = len(conn.arrival.data)
        super().enqueue_req(conn)

    def _is_late(self, conn: Connection, now: float) -> bool:
        arrival = conn.arrival
        is_silent = not self.alive and not arrival.data
        return arrival.is_late(now) or (is_silent and arrival.waits(now) > LEAVE_SECONDS)

    def _give_up(self, conn: Connection) -> None:
        """Answer a request that does not come with 408: as the application does, if it is known what was asked."""
        if conn.arrival.head:
            conn.is_late = True
            self._answer(conn)
            return
        if conn.arrival.data:
            self.log.warning("A request did not arrive in time: its connection is closed.")
            with suppress(OSError):
                util.write_error(conn.sock, 408, "Request Timeout", "The request did not arrive in time.")
        self._drop(conn)

    def _make_room(self) -> None:
        """End what does nothing, then what waits longest, so that others can come."""
        self._is_full = False
        for _ in range(self.worker_connections // ROOM):
            if self.keepalived_conns:
                self.keepalived_conns[0].timeout = 0
                self.murder_keepalived()
            elif self.arriving:
                self._give_up(next(iter(self.arriving)))

    def _drop(self, conn: Connection) -> None:
        self._forget(conn)
        self.kept -= len(conn.arrival.data)
        self.nr_conns -= 1
        conn.close(graceful=bool(conn.arrival.data))

    def _forget(self, conn: Connection) -> None:
        if self.arriving.pop(conn):
            self.poller.unregister(conn.sock)

    def _continue(self, conn: Connection) -> None:
        try:
            conn.sock.send(CONTINUE)
        except OSError:
            self._drop(conn)

    # --- leaving --------------------------------------------------------------------------------

    def leave(self, conn: Connection) -> None:
        """Close a connection after its client: what was sent would be lost if unread bytes were left behind."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            conn.close()
            return
        self.nr_conns += 1
        self.leaving[conn] = time.monotonic() + LEAVE_SECONDS
        self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))

    def _drain(self, conn: Connection, _: Any) -> None:
        if conn not in self.leaving:
            return
        try:
            data = conn.sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._left(conn)

    def _left(self, conn: Connection) -> None:
        del self.leaving[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
