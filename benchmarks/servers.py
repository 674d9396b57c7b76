"""The applications that are measured, each under gunicorn with one worker."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Server:
    """An application under gunicorn.

    :param target: as gunicorn names it
    """

    name: str
    target: str
    environ: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, environ: Mapping[str, str], core: int | None) -> None:
        """Start it on a free port with one worker, and wait until it answers."""
        self.port = free_port()
        # Without gunicorn.conf.py: each of them is served alike, by a worker that stays.
        options = ["--config", "python:benchmarks", "--workers", "1", "--worker-class", "sync"]
        options += ["--no-control-socket", "--log-level", "warning"]
        command = [sys.executable, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{self.port}", self.target]
        self.process = subprocess.Popen(command, cwd=ROOT, env={**environ, **self.environ})
        if core is not None:
            os.sched_setaffinity(self.process.pid, {core})
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.ask("GET", "/api/v1/cities?limit=50")
                return
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not start: see above")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def ask(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request.

        :return: (status, headers, body)
        """
        sent = {"Content-Type": "application/json"} if body else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, url, body or None, sent | dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    def cpu_seconds(self) -> float:
        """Read how long the worker has computed so far, for itself and in the kernel."""
        assert self.process is not None  # noqa: S101
        pid = self.process.pid
        return cpu_seconds(int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]))


OURS = Server("Andamio", "run:app")
BARE = Server("bare Flask", "benchmarks.bare:app")
AUTOCOMMIT = Server("bare Flask, autocommit", "benchmarks.bare:app", {"AUTOCOMMIT": "1"})
DRF = Server("Django REST framework", "benchmarks.drf:app")
STARTPROJECT = Server("Django REST framework, startproject", "benchmarks.drf:app", {"STARTPROJECT": "1"})
EMPTY = Server("gunicorn alone", "benchmarks.empty:app")
SERVERS = (OURS, BARE, AUTOCOMMIT, DRF, STARTPROJECT, EMPTY)


@contextlib.contextmanager
def running(servers: Sequence[Server], environ: Mapping[str, str]) -> Iterator[int | None]:
    """Run the servers on one core.

    :return: another core, which the client may have; ``None`` where there is only one
    """
    cores = sorted(os.sched_getaffinity(0))
    server_core, client_core = (cores[-1], cores[0]) if len(cores) > 1 else (None, None)
    try:
        for server in servers:
            server.start(environ, server_core)
        yield client_core
    finally:
        for server in servers:
            server.stop()


def cpu_seconds(pid: int) -> float:
    """Read how long a process has computed so far, for itself and in the kernel."""
    # In nanoseconds, thread by thread; /proc/<pid>/stat counts in hundredths of a second.
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in threads) / 1e9


def free_port() -> int:
    """Find a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
