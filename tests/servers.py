"""Find the servers that the tests use, or start private ones. No pytest here."""

import getpass
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from core.configuration.databases import DRIVERS
from tests.ports import free_port

#: A server that has not answered by then does not start; long, because other tests may keep the machine busy.
START_SECONDS = 120


class Missing(Exception):
    """There is no such server, and no program to start one; the message says what to install."""


@dataclass
class Server:
    """A server that answers.

    :param url: of a connection that may create databases
    :param stop: ends it, if it was started here
    """

    url: URL
    stop: Callable[[], None] = field(default=lambda: None)


def find(engine_name: str, *, is_hasty: bool = False) -> Server:
    """Return the server the environment names, else one on this machine's usual port, else a private one.

    :param is_hasty: rather a private one, which never waits for the disk
    :raises Missing: if there is none of these
    """
    named = os.environ.get(f"TEST_{engine_name.upper()}_URL")
    if named:
        url = make_url(named)
        return Server(url.set(drivername=DRIVERS.get(url.drivername, url.drivername)))
    start = {"postgresql": _start_postgresql, "mariadb": _start_mariadb}[engine_name]
    if is_hasty:
        with suppress(Missing):
            return start()
    for url in _usual(engine_name):
        if _answers(url):
            return Server(url)
    return start()


def _usual(engine_name: str) -> Iterator[URL]:
    if engine_name == "postgresql":
        for user in ("postgres", getpass.getuser()):
            yield _postgresql_url(5432, user)
        return
    yield _mariadb_url(3306)
    for path in ("/run/mysqld/mysqld.sock", "/tmp/mysql.sock"):
        if os.path.exists(path):
            yield make_url("mysql+pymysql://root@localhost").update_query_dict({"unix_socket": path})


def _postgresql_url(port: int, user: str = "postgres") -> URL:
    return URL.create("postgresql+psycopg", user, host="127.0.0.1", port=port, database="postgres")


def _mariadb_url(port: int) -> URL:
    return URL.create("mysql+pymysql", "root", host="127.0.0.1", port=port)


def _answers(url: URL) -> bool:
    """Return whether this user may connect, and create databases as far as one can ask."""
    if url.get_backend_name() == "redis":
        return _pongs(url)
    questions = {
        "postgresql": "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user",
        "mysql": "SELECT VERSION() LIKE '%MariaDB%'",
    }
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(text(questions[url.get_backend_name()])))
    except DBAPIError:
        return False


def answers_http(port: int) -> bool:
    """Return whether something takes connections on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _pongs(url: URL) -> bool:
    try:
        with socket.create_connection((url.host, url.port or 0), timeout=3) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False


# --- private servers ----------------------------------------------------------------------------


def start_durable(engine_name: str) -> "PrivateServer":
    """Start a private server that keeps what it has acknowledged, whatever happens to it: tests kill and stop it.

    :raises Missing: if there is no program to start
    """
    return {"postgresql": _start_postgresql, "mariadb": _start_mariadb}[engine_name](is_durable=True)


def _start_postgresql(*, is_durable: bool = False) -> "PrivateServer":
    folders = ["", *sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=_version, reverse=True)]
    initdb, postgres = _program("initdb", folders), _program("postgres", folders)
    if not (initdb and postgres):
        raise Missing("PostgreSQL is missing: apt install postgresql, or set TEST_POSTGRESQL_URL")
    user = _unprivileged("postgres")
    folder = _folder("postgresql", user)
    port = free_port()
    data = folder / "data"
    init = [initdb, "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    # Settings that make it quick, and unfit for data that must be kept.
    hasty = [] if is_durable else ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200", *hasty]
    serve = [postgres, "-D", data, "-p", str(port), *(word for setting in settings for word in ("-c", setting))]
    return _start(folder, user, init, serve, _postgresql_url(port))


def _start_mariadb(*, is_durable: bool = False) -> "PrivateServer":
    install = _program("mariadb-install-db") or _program("mysql_install_db")
    mariadbd = _program("mariadbd", ["", "/usr/sbin"]) or _program("mysqld", ["", "/usr/sbin"])
    if not (install and mariadbd):
        raise Missing("MariaDB is missing: apt install mariadb-server, or set TEST_MARIADB_URL")
    user = _unprivileged("mysql")
    folder = _folder("mariadb", user)
    port = free_port()
    place = ["--no-defaults", f"--datadir={folder / 'data'}", *([f"--user={user}"] if user else [])]
    init = [install, *place, "--auth-root-authentication-method=normal", "--skip-test-db"]
    hasty = [] if is_durable else ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]
    address = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder / 'socket'}"]
    names = [f"--pid-file={folder / 'pid'}", "--skip-name-resolve", "--character-set-server=utf8mb4"]
    return _start(
        folder, user, init, [mariadbd, *place, *address, *names, "--skip-log-bin", *hasty], _mariadb_url(port)
    )


def start_redis(port: int | None = None) -> "PrivateServer":
    """Start a private Redis, always: one that is found may hold needed data, and tests end theirs.

    :param port: by default a free one
    :raises Missing: if there is no program to start
    """
    program = _program("redis-server")
    if not program:
        raise Missing("Redis is missing: apt install redis-server")
    user = _unprivileged("redis")
    folder = _folder("redis", user)
    port = port or free_port()
    serve: list[str | Path] = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    return _start(folder, user, ["true"], serve, URL.create("redis", host="127.0.0.1", port=port, database="0"))


class PrivateServer(Server):
    """A server of the tests' own, which they may hurt.

    :param serve: the command that runs it
    """

    def __init__(self, folder: Path, user: str | None, serve: list[str | Path], url: URL) -> None:
        super().__init__(url, self._stop)
        self.folder = folder
        self._log = folder / "log"
        self._serve = serve
        self._options: dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL, **_identity(user)}
        self._process: subprocess.Popen[bytes] | None = None

    def make(self, init: list[str | Path]) -> None:
        """Make the data folder."""
        with open(self._log, "ab") as output:
            made = subprocess.run(init, stdout=output, stderr=output, **self._options).returncode == 0
        if not made:
            raise self._missing()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with open(self._log, "ab") as output:
            # A session of its own: Ctrl-C is for pytest, which stops the server when the tests are done with it.
            options = {**self._options, "stdout": output, "stderr": output, "start_new_session": True}
            self._process = subprocess.Popen(self._serve, **options)
        end = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            if _answers(self.url):
                return
            time.sleep(0.05)
        raise self._missing()

    def kill(self) -> None:
        """End it as a loss of power does: no process of it gets a chance to write anything."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def end(self, number: int) -> None:
        """Ask it to end, and wait until it has."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_SECONDS)

    def signal(self, number: int) -> None:
        """Send a signal to each of its processes: SIGSTOP makes it silent, SIGCONT brings it back."""
        if self._process is not None:
            # Its own first: it would restart others.
            for pid in (self._process.pid, *children(self._process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _stop(self) -> None:
        if self._process is not None:
            self.signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _missing(self) -> Missing:
        report = self._log.read_text(errors="replace")[-2000:]
        self._stop()
        return Missing(f"{self._serve[0]} is installed but does not start:\n{report}")


def _start(folder: Path, user: str | None, init: list[str | Path], serve: list[str | Path], url: URL) -> PrivateServer:
    server = PrivateServer(folder, user, serve, url)
    server.make(init)
    server.start()
    return server


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def _program(name: str, folders: list[str] | None = None) -> str | None:
    for folder in folders or [""]:
        found = shutil.which(os.path.join(folder, name))
        if found:
            return found
    return None


def _version(folder: str) -> tuple[int, ...]:
    return tuple(int(part) for part in Path(folder).parent.name.split(".") if part.isdigit())


def _unprivileged(name: str) -> str | None:
    """Return the user to run as: both servers refuse to be root."""
    if os.geteuid() != 0:
        return None
    for user in (name, "nobody"):
        try:
            pwd.getpwnam(user)
        except KeyError:
            continue
        return user
    raise Missing(f"a server cannot run as root, and there is no user {name!r} nor 'nobody'")


def _identity(user: str | None) -> dict[str, Any]:
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def _folder(name: str, user: str | None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"andamio-{name}-"))
    if user:
        shutil.chown(folder, user)
    return folder
