"""The lines with which Flask applications are started everywhere start this one, by the real programs."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import ROOT
from tests.processes import GUNICORN
from tests.processes import ServerProcess

#: The address in each is changed to a free one; all else stands as people write it.
LINES = {
    "gunicorn -b 0.0.0.0:8000 app:app": ("0.0.0.0:8000", "127.0.0.1:{port}"),
    "gunicorn --workers 3 --bind unix:x.sock -m 007 wsgi:app": ("unix:x.sock", "unix:{path}"),
    "gunicorn --workers 4 --bind 0.0.0.0:5000 wsgi:app": ("0.0.0.0:5000", "127.0.0.1:{port}"),
    "gunicorn --workers 4 --bind 0.0.0.0:5000 run:app": ("0.0.0.0:5000", "127.0.0.1:{port}"),
}
WORKERS = {"--workers 3": 3, "--workers 4": 4}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "APP_ENV": "testing",
        "SECRET_KEY": "only-for-tests-0123456789-abcdefghij",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'site.db'}",
        "GUNICORN_CMD_ARGS": "--no-control-socket",
    }


@pytest.fixture
def start_server(environ: dict[str, str]) -> Iterator[Callable[[str], ServerProcess]]:
    running = []

    def launch(line: str) -> ServerProcess:
        written, free = LINES[line]
        program, *words = shlex.split(line.replace(written, free))
        assert program == "gunicorn"
        running.append(ServerProcess(GUNICORN, environ, at=words, target=()))
        return running[-1]

    yield launch
    for server in running:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.mark.parametrize("line", LINES)
def test_line_starts_application(start_server: Callable[[str], ServerProcess], line: str) -> None:
    server = start_server(line)
    assert server.ask("/status")[0] == 201
    count = next((count for words, count in WORKERS.items() if words in line), None)
    assert count is None or len(server.all_workers(count)) == count
    assert not server.is_unix or server.path.stat().st_mode & 0o777 == 0o770


@pytest.mark.parametrize("name", ["run", "wsgi", "wsgi.py", "wsgi:app", "app", "app:app"])
def test_flask_app_names_application(environ: dict[str, str], name: str) -> None:
    found = {**environ, "PATH": os.environ["PATH"], "FLASK_APP": name, "FLASK_SKIP_DOTENV": "1"}
    command = [sys.executable, "-m", "flask", "routes"]
    ran = subprocess.run(command, cwd=ROOT, env=found, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert "home.index" in ran.stdout


def test_names_are_one_application(environ: dict[str, str]) -> None:
    code = (
        "import app.home, sys; assert 'run' not in sys.modules; import run, wsgi; assert run.app is wsgi.app is app.app"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environ}, timeout=120)
    assert ran.returncode == 0


def test_broken_configuration_ends_line(environ: dict[str, str]) -> None:
    command = [*GUNICORN, "--bind", "127.0.0.1:0", "app:app"]
    found = {"PATH": os.environ["PATH"], **environ, "APP_ENV": "production", "PROXY_HOPS": "many"}
    ran = subprocess.run(command, cwd=ROOT, env=found, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 3
    assert "PROXY_HOPS is 'many'" in ran.stderr
