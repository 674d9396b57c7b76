"""The engines' own programs: found, checked for their version, given the password in secret, and run."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from typing import Any
from typing import cast

from sqlalchemy import URL

from .archives import CHUNK_BYTES
from .archives import BackupError

#: Where Debian keeps one of each version.
POSTGRESQL_FOLDERS = Path("/usr/lib/postgresql")

#: The words of PyMySQL that MariaDB's programs have as well.
_MARIADB_OPTIONS = {
    **{"host": "host", "port": "port", "user": "user", "password": "password", "unix_socket": "socket"},
    **{"ssl_ca": "ssl-ca", "ssl_cert": "ssl-cert", "ssl_key": "ssl-key"},
}


def postgresql_program(name: str, at_least: int) -> str:
    """Return the program of this version or a newer one: an older one does not understand the server.

    :raises BackupError: naming the package
    """
    folders = sorted(POSTGRESQL_FOLDERS.glob(f"*/bin/{name}"), key=lambda path: _number(path.parts[-3]))
    found = [program for program in (shutil.which(name), *map(str, folders)) if program]
    for program in found:
        if _number(_run([program, "--version"])) >= at_least:
            return program
    if found:
        version = _number(_run([found[0], "--version"]))
        raise BackupError(
            f"{name} {version} is older than PostgreSQL {at_least} and cannot read it: "
            f"apt install postgresql-client-{at_least}"
        )
    raise BackupError(f"{name} is missing: apt install postgresql-client")


def mariadb_program(name: str) -> str:
    """Return a program of MariaDB, by its old name where that is all there is.

    :raises BackupError: naming the package
    """
    old = {"mariadb": "mysql", "mariadb-dump": "mysqldump"}[name]
    program = shutil.which(name) or shutil.which(old)
    if program is None:
        raise BackupError(f"{name} is missing: apt install mariadb-client")
    return program


def mariadb_sandbox(program: str) -> list[str]:
    """Return what keeps the client from running programs of this machine, as a dump may ask it to.

    Empty for one that is too old to have it (before 10.5.25, 10.6.18 and 10.11.8).
    """
    return ["--sandbox"] if "--sandbox" in _run([program, "--help"]) else []


@contextmanager
def postgresql_environment(url: URL) -> Iterator[dict[str, str]]:
    """Yield variables by which libpq finds the server: nothing of it is in the list of processes."""
    # Of the driver's dialect, so that what stands behind the ? of the address counts as well.
    _, words = url.get_dialect()().create_connect_args(url)
    words.pop("context", None)
    password = words.pop("password", None)
    lines = [f"{name}={value}\n" for name, value in words.items()]
    with _private_file(["[andamio]\n", *lines]) as path:
        environment = {**os.environ, "PGSERVICEFILE": path, "PGSERVICE": "andamio", "PGCONNECT_TIMEOUT": "10"}
        yield {**environment, **({"PGPASSWORD": str(password)} if password else {})}


@contextmanager
def mariadb_options(url: URL) -> Iterator[str]:
    """Yield the first argument of MariaDB's programs: a file with the server and the password in it."""
    _, words = url.get_dialect()().create_connect_args(url)
    words.update({f"ssl_{name}": value for name, value in words.pop("ssl", {}).items()})
    if not words.get("unix_socket"):
        # Their "localhost" is a socket; the driver's is the address.
        words["host"] = "127.0.0.1" if words.get("host") == "localhost" else words.get("host")
    lines = [
        f"{_MARIADB_OPTIONS[name]}={_quoted(value)}\n" for name, value in words.items() if name in _MARIADB_OPTIONS
    ]
    with _private_file(["[client]\n", "default-character-set=utf8mb4\n", "max-allowed-packet=1G\n", *lines]) as path:
        # Alone: what ~/.my.cnf says of a server would count more, and a restore end up in another.
        yield f"--defaults-file={path}"


def _quoted(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


@contextmanager
def _private_file(lines: Iterable[str]) -> Iterator[str]:
    # mkstemp makes it 0600.
    handle, path = tempfile.mkstemp(prefix="andamio-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(lines)
        yield path
    finally:
        Path(path).unlink()


@contextmanager
def running(
    command: list[str], *, source: Iterable[bytes] | None = None, env: dict[str, str] | None = None
) -> Iterator[IO[bytes]]:
    """Run a program, feed it, and yield what it prints.

    :param source: what it reads, if it reads; an error that it raises counts more than the program's own
    :raises BackupError: with what it complained of, if it fails
    """
    with tempfile.TemporaryFile() as complaints:
        stdin = subprocess.DEVNULL if source is None else subprocess.PIPE
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=complaints, env=env)
        stdout = cast(IO[bytes], process.stdout)
        feeder = _Feeder(process.stdin, source)
        try:
            yield stdout
            while stdout.read(CHUNK_BYTES):
                pass
            feeder.join()
            process.wait()
        finally:
            process.kill()
            process.wait()
            feeder.join()
            stdout.close()
        if feeder.error is not None:
            raise feeder.error
        if process.returncode:
            complaints.seek(0)
            text = complaints.read().decode(errors="replace").strip()
            raise BackupError(f"{Path(command[0]).name} failed: {text or f'exit code {process.returncode}'}")


class _Feeder(threading.Thread):
    """Writes into a program while another thread reads from it."""

    def __init__(self, target: IO[bytes] | None, source: Iterable[bytes] | None) -> None:
        super().__init__(daemon=True)
        self._into = target
        self._source = source
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        if self._into is None or self._source is None:
            return
        try:
            with self._into as target:
                for piece in self._source:
                    target.write(piece)
        except BrokenPipeError:
            # It has ended; its exit code shows why.
            pass
        except BaseException as error:
            self.error = error


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 0
