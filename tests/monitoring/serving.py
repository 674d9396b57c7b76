"""Real servers of ``tests.monitoring.site``, and what they say of themselves. No pytest here."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from config import ROOT
from tests.ports import free_port
from tests.servers import START_SECONDS

TOKEN = "of-the-collector-0123456789"
GUNICORN = (sys.executable, "-m", "gunicorn", "tests.monitoring.site:app", "--no-control-socket", "--bind={address}")
GRANIAN = (sys.executable, "-m", "granian", "--interface=wsgi", "--host=127.0.0.1", "--port={port}")


class Site:
    """A server with several workers.

    :param command: its program; ``{address}`` and ``{port}`` are filled in
    """

    def __init__(self, command: tuple[str, ...], folder: Path, **variables: str) -> None:
        self.port = free_port()
        self.folder = folder
        environ = {"PATH": os.environ["PATH"], "APP_ENV": "testing", "SECRET_KEY": "x" * 40, "LOG_FORMAT": "json"}
        environ |= {"METRICS_TOKEN": TOKEN, "METRICS_FOLDER": str(folder / "metrics"), "RATE_LIMITS": "false"}
        words = [word.format(address=f"127.0.0.1:{self.port}", port=self.port) for word in command]
        with open(folder / "log", "ab") as log:
            self.process = subprocess.Popen(words, cwd=ROOT, env={**environ, **variables}, stdout=log, stderr=log)
        wait(lambda: self.process.poll() is not None or self.answers(), self.log)
        assert self.process.poll() is None, self.log()

    def answers(self) -> bool:
        try:
            return self.ask("/status")[0] == 201
        except OSError:
            return False

    def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - of this machine
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """Return what /metrics says, by name and labels as they stand there."""
        status, text = self.ask("/metrics", {"Authorization": f"Bearer {TOKEN}"})
        assert status == 200, text
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}

    def count(self, endpoint: str, status: int = 200) -> float:
        return self.metrics().get(f'http_requests_total{{endpoint="{endpoint}",method="GET",status="{status}"}}', 0.0)

    def workers(self) -> set[int]:
        """Return the processes that have answered something, and live."""
        return {int(found[1]) for name in self.metrics() if (found := re.search(r'memory_bytes{pid="(\d+)"', name))}

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def stop(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        try:
            self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def wait(done: Callable[[], bool], said: Callable[[], object] = lambda: "", seconds: float = START_SECONDS) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, said()
        time.sleep(0.05)
