import shutil
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import GRANIAN
from tests.processes import GUNICORN
from tests.processes import ServerProcess
from tests.serving import counter
from tests.serving.counter import TARGET


@pytest.fixture(scope="module")
def code_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that stands for the application's code."""
    path = tmp_path_factory.mktemp("code") / "code"
    path.write_text("old")
    return path


@pytest.fixture(scope="module")
def environ(databases: Any, code_file: Path) -> Iterator[dict[str, str]]:
    """Return the environment of a server on a PostgreSQL database."""
    url = databases.make("postgresql")
    found = {
        "APP_ENV": "testing",
        "SECRET_KEY": "only-for-tests",
        "COUNTER_CODE": str(code_file),
        "RATE_LIMITS": "false",
    }
    yield {**found, "DATABASE_URL": url.render_as_string(hide_password=False)}
    databases.drop(url)


@pytest.fixture
def launch(environ: dict[str, str]) -> Iterator[Callable[..., ServerProcess]]:
    """Start gunicorn: ``launch("--workers", "2", KEY="value")`` gives a ServerProcess."""
    running = []
    Path(environ["COUNTER_CODE"]).write_text("old")

    def start(*arguments: str, **changes: Any) -> ServerProcess:
        how = {name: changes.pop(name) for name in ("at", "target", "asks", "command") if name in changes}
        command = [*how.pop("command", GUNICORN), *arguments]
        how = {"target": TARGET, "asks": "/counter/who", **how}
        running.append(ServerProcess(command, {**environ, **changes}, **how))
        return running[-1]

    yield start
    for server in running:
        # Granian's threads that wait for work hold a stop up for half a minute.
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def launch_granian(launch: Callable[..., ServerProcess]) -> Callable[..., ServerProcess]:
    """Start Granian by the command line of docs/performance.md."""
    target = ("--factory", f"{counter.__name__}:make")
    return lambda *arguments, **changes: launch(
        *(
            "--workers",
            "2",
            "--blocking-threads",
            "4",
            "--respawn-failed-workers",
            "--workers-kill-timeout",
            "30",
            "--blocking-threads-idle-timeout",
            "5",
        ),
        *arguments,
        **{"command": GRANIAN, "at": ("--port", "{port}"), "target": target, **changes},
    )
