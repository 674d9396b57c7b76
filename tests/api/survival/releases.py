"""Copies of the platform with a module of their own, as releases of one product follow each other. No pytest here."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from config import ROOT
from tests.ports import free_port
from tests.servers import START_SECONDS
from tests.servers import Missing
from tests.servers import answers_http

#: Files of a release; its history is its own.
PARTS = ("app", "core", "alembic.ini", "alembic/env.py", "alembic/script.py.mako", "config.py", "run.py", "services.py")


class Release:
    """The code of one release in a folder of its own.

    :param package: the text of its module ``shop``
    :param revisions: file name to text
    """

    def __init__(self, folder: Path, package: str, revisions: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._environ = {"PATH": os.environ["PATH"], "FLASK_APP": "run", **environ}
        for name in PARTS:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, target)
        text = (ROOT / "settings.py").read_text()
        (folder / "settings.py").write_text(f'{text}\nINSTALLED_APPS = ["app.home", "app.health", "shop"]\n')
        (folder / "shop.py").write_text(package)
        (folder / "alembic" / "versions").mkdir()
        for name, text in revisions.items():
            (folder / "alembic" / "versions" / f"{name}.py").write_text(text)

    def run(self, *arguments: str) -> str:
        """Run a command of the platform, and return what it says."""
        done = self.begin(*arguments)
        said, _ = done.communicate(timeout=120)
        assert done.returncode == 0, said
        return said

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "flask", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, cwd=self.folder, env=self._environ, text=True, **pipes)

    def serve(self) -> "Served":
        """Start gunicorn, and wait until it answers."""
        return Served(self.folder, self._environ)


class Served:
    """A release that is being served."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.port = free_port()
        bind = ["--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--worker-class", "gthread", "--threads", "4"]
        command = [sys.executable, "-m", "gunicorn", *bind, "--no-control-socket", "--log-level", "error", "run:app"]
        self._log = folder / "log"
        with open(self._log, "wb") as output:
            self._process = subprocess.Popen(command, cwd=folder, env=environ, stdout=output, stderr=output)
        end = time.monotonic() + START_SECONDS
        while not answers_http(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise Missing(f"gunicorn does not start:\n{self.log()}")
            time.sleep(0.05)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End it; requests in flight are answered."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
