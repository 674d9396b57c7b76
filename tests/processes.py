"""A server as a process of its own: start it, send it signals, see its workers. No pytest here."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 90

#: The program, as it is started on a server: `python -m gunicorn` cannot restart itself at USR2, because
#: gunicorn's folder, with an `http` in it, comes to stand before Python's own.
GUNICORN = [sys.executable, str(Path(sys.executable).with_name("gunicorn"))]
GRANIAN = [sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1"]


def until(is_so: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Ask until the answer is something, and return it.

    :raises AssertionError: if it is not within the time
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := is_so():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} seconds")


def children(pid: int) -> list[int]:
    """Return the processes that one has started and that run, the oldest first; zombies do not."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(child) for child in found if _state(int(child)) not in ("Z", "")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


class UnixConnection(http.client.HTTPConnection):
    """HTTP by a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class ServerProcess:
    """A server that runs, on a free port or a unix socket of its own."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        at: Sequence[str] = ("--bind", "127.0.0.1:{port}"),
        target: Sequence[str] = ("run:app",),
        asks: str = "/status",
    ) -> None:
        """Start it, and wait until it answers.

        :param at: what says where it listens, with ``{port}`` or ``{path}`` of a socket
        :param asks: the path that it must answer
        """
        self.folder = Path(tempfile.mkdtemp(prefix="andamio-server-"))
        self.port, self.path = free_port(), self.folder / "socket"
        self.is_unix = any("{path}" in word for word in at)
        where = [word.format(port=self.port, path=self.path) for word in at]
        self.log_path = self.folder / "log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*command, *where, *target],
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", **environ},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self.process.pid
        try:
            until(lambda: self._answers(asks) or self.process.poll() is not None, "an answer")
        except AssertionError:
            self.kill()
            raise
        if self.process.poll() is not None:
            raise AssertionError(f"{command} does not start:\n{self.log()}")

    def _answers(self, path: str) -> bool:
        try:
            return self.ask(path)[0] < 500
        except (OSError, http.client.HTTPException):
            return False

    def connection(self, timeout: float = 60) -> http.client.HTTPConnection:
        """Return a connection that opens with its first request."""
        if self.is_unix:
            return UnixConnection(self.path, timeout)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Ask once, on a new connection.

        :return: (status, what the JSON says or the text)
        """
        with contextlib.closing(self.connection()) as connection:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(text)
        return answer.status, text

    def say(self, request: bytes, seconds: float = 30) -> bytes:
        """Send bytes as they are, and return what comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            connection.sendall(request)
            with contextlib.suppress(ConnectionResetError):
                return b"".join(iter(lambda: connection.recv(65536), b""))
        return b""

    def workers(self) -> list[int]:
        """Return the workers that run now, the oldest first."""
        return children(self.pid)

    def all_workers(self, count: int = 2) -> list[int]:
        """Wait until so many workers run, and return them."""
        found: list[int] = until(lambda: len(self.workers()) == count and self.workers(), f"{count} workers")
        return found

    def signal(self, number: int, pid: int | None = None) -> None:
        """Send a signal to the master, or to one of its processes."""
        os.kill(pid or self.pid, number)

    def wait(self, seconds: float = SECONDS) -> int:
        """Wait until it has ended, and return its exit code."""
        return self.process.wait(seconds)

    def log(self) -> str:
        """Return what it has said."""
        return self.log_path.read_text(errors="replace")

    def kill(self) -> None:
        """End all that was started here, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
            if self.pid == self.process.pid:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(40)
        self.kill()
