"""The rendered files, looked at by the programs that read them, and by their linters."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import Result
from flask import Blueprint
from flask import Flask

import config
from app.deploy import site
from tests.nginx import NGINX
from tests.nginx import make_certificate

UNITS = "server/etc/systemd/system"


def program(name: str, require_program: Callable[[object, str], None], package: str = "") -> str:
    """Find a program, of this venv or of the system."""
    places = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
    found = shutil.which(name, path=":".join(places))
    require_program(found, f"{name} is missing: apt install {package or name}")
    return str(found)


def run(*command: str | Path, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run a program; its output is in ``stdout``, all of it."""
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 120}
    return subprocess.run(list(map(str, command)), **{**output, **options})


@pytest.fixture
def require_program(request: pytest.FixtureRequest) -> Callable[[object, str], None]:
    """Skip where a program is missing; in CI fail."""
    found: Callable[[object, str], None] = request.config.pluginmanager.get_plugin(
        str(config.ROOT / "tests" / "conftest.py")
    ).require
    return found


# --- nginx --------------------------------------------------------------------------------------


@pytest.fixture
def both_sites(rendered: Path, render: Callable[..., Result], tmp_path: Path) -> Path:
    """Return the configuration of an nginx with two sites, and the one for unknown hosts."""
    other = tmp_path / "other"
    assert render(other, "--name", "second-site", "--domain", "c.example.org", "--rate", "0", "--no-tls").exit_code == 0
    make_certificate(tmp_path)
    (tmp_path / "sites").mkdir()
    folder = "server/etc/nginx/sites-available"
    for path in (rendered / folder / "andamio", other / folder / "second-site", rendered / folder / "unknown-hosts"):
        text = re.sub(r"/etc/letsencrypt/live/[^;]*/fullchain.pem", f"{tmp_path}/certificate.pem", path.read_text())
        text = re.sub(r"/etc/letsencrypt/live/[^;]*/privkey.pem", f"{tmp_path}/key.pem", text)
        text = re.sub(r"/var/log/[a-z-]+/", f"{tmp_path}/{path.name}-", text)
        text = re.sub(r"listen (\[::\]:)?(\d+)", r"listen unix:" + str(tmp_path) + r"/\2\1.sock", text)
        (tmp_path / "sites" / path.name).write_text(text.replace("[::]:", "-six"))
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path))
    return tmp_path / "nginx.conf"


def test_nginx_serves_two_sites(both_sites: Path, require_program: Callable[[object, str], None]) -> None:
    tried = run(program("nginx", require_program), "-t", "-c", both_sites, "-p", both_sites.parent, "-e", "stderr")

    assert tried.returncode == 0, tried.stdout
    assert "warn" not in tried.stdout


def test_gixy_finds_nothing(both_sites: Path, require_program: Callable[[object, str], None]) -> None:
    looked = run(program("gixy", require_program), both_sites)

    assert (looked.returncode, "No issues found" in looked.stdout) == (0, True), looked.stdout


def test_gixy_would_find_something(both_sites: Path, require_program: Callable[[object, str], None]) -> None:
    path = both_sites.parent / "sites" / "andamio"
    path.write_text(path.read_text().replace("Host $host", "Host $http_host"))

    assert "host_spoofing" in run(program("gixy", require_program), both_sites).stdout


def test_watched_blueprint_files_left_alone(tmp_path: Path) -> None:
    app = Flask("guarded", static_folder=str(tmp_path), static_url_path="/files")
    app.config["SCRIPT_NAME"] = ""
    folders = {"static_folder": str(tmp_path), "static_url_path": "/files"}
    open_one = Blueprint("open", __name__, url_prefix="/open", **folders)
    watched = Blueprint("watched", __name__, url_prefix="/watched", **folders)
    inner = Blueprint("inner", __name__, url_prefix="/inner", **folders)
    any_language = Blueprint("languages", __name__, url_prefix="/<language>", **folders)
    watched.before_request(lambda: "No.")
    watched.register_blueprint(inner)
    for blueprint in (open_one, watched, any_language):
        app.register_blueprint(blueprint)

    assert [static.url for static in site.static_folders(app, "/srv/x")] == ["/open/files/", "/files/"]


# --- systemd ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def machine(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a machine that has systemd's own units, and ours."""
    root = tmp_path_factory.mktemp("machine")
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    shutil.copytree(rendered / "server", root, dirs_exist_ok=True)
    for path in ("srv/andamio/.venv/bin/python", "srv/andamio/.venv/bin/gunicorn", "bin/sh"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("#!/bin/sh\n")
        (root / path).chmod(0o755)
    return root


@pytest.fixture
def analyze(require_program: Callable[[object, str], None]) -> str:
    return program("systemd-analyze", require_program, "systemd")


def test_systemd_takes_the_units(machine: Path, analyze: str) -> None:
    units = sorted(path.name for path in (machine / "etc/systemd/system").iterdir())
    assert len(units) == 7

    looked = run(analyze, "verify", "--man=no", f"--root={machine}", *units)

    assert (looked.returncode, looked.stdout) == (0, "")


@pytest.mark.parametrize("unit", ["andamio", "andamio-migrate", "andamio-backup", "andamio-daily"])
def test_exposure_is_small(machine: Path, analyze: str, unit: str) -> None:
    looked = run(analyze, "security", "--offline=true", "--no-pager", f"--root={machine}", f"{unit}.service")

    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", looked.stdout)
    assert level, looked.stdout
    assert float(level[1]) <= 2.0


def test_application_serves_on_unit_socket(
    rendered: Path, require_program: Callable[[object, str], None], tmp_path: Path
) -> None:
    """The line of the unit, with a socket as systemd holds it, notifies when it is ready, reloads and ends."""
    unit = (rendered / UNITS / "andamio.service").read_text()
    assert "\nExecStart=/srv/andamio/.venv/bin/gunicorn\n" in unit
    assert "\nExecReload=/bin/sh -c 'kill -HUP ${MAINPID}'\n" in unit
    gunicorn = [sys.executable, str(Path(sys.executable).with_name("gunicorn"))]
    seen = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    seen.bind(str(tmp_path / "notify"))
    seen.settimeout(60)
    address = str(tmp_path / "gunicorn.sock")
    environ = {"APP_ENV": "testing", "SECRET_KEY": "only-for-tests-0123456789-abcdefghij", "DATABASE_URL": "sqlite://"}
    environ |= {"NOTIFY_SOCKET": f"{tmp_path}/notify", "PATH": "/usr/bin:/bin", "WEB_CONCURRENCY": "1"}
    holder = [program("systemd-socket-activate", require_program, "systemd"), f"--listen={address}"]
    holder += [f"--setenv={name}={value}" for name, value in environ.items()]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [*holder, *gunicorn], cwd=config.ROOT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        assert ask(address) == 200, (tmp_path / "log").read_text()
        assert b"READY=1" in seen.recv(4096)
        process.send_signal(signal.SIGHUP)
        assert [ask(address) for _ in range(5)] == [200] * 5
        process.terminate()
        assert process.wait(60) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        seen.close()


def ask(address: str) -> int:
    """Ask for the start page on a unix socket, as soon as there is one."""
    end = time.monotonic() + 60
    while True:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            try:
                connection.connect(address)
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
                continue
            connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return int(connection.recv(4096).split()[1])


def test_command_has_service_environment(rendered: Path, tmp_path: Path) -> None:
    """systemd-run stands in for itself: what it is asked for is what the unit says."""
    (tmp_path / "systemd-run").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "systemd-run").chmod(0o755)
    script = rendered / "server/usr/local/sbin/andamio"

    ran = run(script, "flask", "accounts", "two words", env={"PATH": f"{tmp_path}:/usr/bin:/bin"})

    unit = (rendered / UNITS / "andamio.service").read_text().splitlines()
    asked = ran.stdout.splitlines()
    assert asked[-5] == "/usr/bin/env"
    assert asked[-4] == "PATH=/srv/andamio/.venv/bin:/usr/bin:/bin"
    assert asked[-3:] == ["flask", "accounts", "two words"]
    for option, line in (("--uid=", "User="), ("--gid=", "Group="), ("--working-directory=", "WorkingDirectory=")):
        (value,) = (one.removeprefix(option) for one in asked if one.startswith(option))
        assert f"{line}{value}" in unit
    for line in ("EnvironmentFile=/etc/andamio/env", "UMask=0027"):
        assert line in unit
        assert f"--property={line}" in asked
    assert run(script).returncode == 2


# --- the rest -----------------------------------------------------------------------------------


def test_logrotate_takes_its_file(
    rendered: Path, require_program: Callable[[object, str], None], tmp_path: Path
) -> None:
    tried = run(
        program("logrotate", require_program),
        "-d",
        "-s",
        tmp_path / "state",
        rendered / "server/etc/logrotate.d/andamio",
    )

    assert (tried.returncode, "error:" in tried.stdout) == (0, False), tried.stdout
    assert "/var/log/andamio/*.log" in tried.stdout


def test_hadolint_finds_nothing(rendered: Path, require_program: Callable[[object, str], None]) -> None:
    looked = run(program("hadolint", require_program), rendered / "project/Dockerfile")

    assert (looked.returncode, looked.stdout) == (0, "")


def test_compose_takes_its_file(rendered: Path, require_program: Callable[[object, str], None]) -> None:
    read = run(program("docker-compose", require_program), "config", cwd=rendered / "project")

    assert read.returncode == 0, read.stdout
    password = re.findall(r"POSTGRES_PASSWORD: (\S+)", read.stdout)
    # The application, its migrations and the database have the same; the database knows no key of the application's.
    assert (len(password), len(set(password)), read.stdout.count("SECRET_KEY")) == (3, 1, 2)


def test_image_has_no_operator_files(rendered: Path) -> None:
    """Check ``COPY . .``: without the secrets, the data, the history."""
    ignored = (rendered / "project/.dockerignore").read_text().split()

    assert {".*", "instance", "compose", "**/env", "**/*.env", "**/.env*"} <= set(ignored)
    assert {"app", "core", "alembic", "alembic.ini", "run.py", "gunicorn.conf.py"}.isdisjoint(ignored)
