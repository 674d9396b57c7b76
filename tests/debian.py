"""A bare Debian that is really booted, for what is done on a server. No pytest here.

debootstrap makes the tree, once, in the system's temporary folder; systemd-nspawn boots a copy of it with its
own systemd, and with a network that has a loopback and nothing else. Needs root.
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from typing import Any
from typing import BinaryIO

from tests.servers import Missing

SUITE = "bookworm"
MAKE = ["debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,ca-certificates", SUITE]
PROGRAMS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
START_SECONDS = 120
PREFIX = "andamio-machine-"
#: Environment of root's login shell, without variables of this test.
SIGNED_IN = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Debian:
    """A machine: run commands in it, read and write its files below :attr:`tree`."""

    def __init__(self) -> None:
        """Boot it.

        :raises Missing: if it cannot be made or does not boot here
        """
        if os.geteuid() != 0:
            raise Missing("a Debian can only be booted by root")
        for program, package in PROGRAMS.items():
            if not shutil.which(program):
                raise Missing(f"{program} is missing: apt install {package}")
        with _alone(Path(tempfile.gettempdir()) / "andamio-machines.lock"):
            _remove_left_behind()
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = open(self.folder / "lock", "w")  # noqa: SIM115
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.tree = self.folder / "tree"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            subprocess.run(["cp", "--archive", "--reflink=auto", _bare_tree(), self.tree], check=True)
            _lend(self.tree)
            self._boot()
        except BaseException:
            self.stop()
            raise

    def _boot(self) -> None:
        # All of it ends with the test, also when that is killed: in a namespace, nothing outlives the first process.
        bound = ["setpriv", "--pdeathsig=KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        booted = ["systemd-nspawn", "--quiet", f"--directory={self.tree}"]
        apart = [f"--machine={self.folder.name.replace('_', '0')}", "--register=no", "--keep-unit"]
        network = ["--private-network", "--resolv-conf=off", "--timezone=off", "--boot"]
        with open(self.folder / "console", "wb") as console:
            self._process = subprocess.Popen(
                [*bound, *booted, *apart, *network],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends and self._process.poll() is None:
            if self._init() and self._runs():
                return
            time.sleep(0.1)
        raise Missing(f"Debian does not boot:\n{(self.folder / 'console').read_text(errors='replace')[-2000:]}")

    def _runs(self) -> bool:
        return self.run("systemctl is-system-running").stdout.strip() in ("running", "degraded")

    def _init(self) -> int:
        """Return the number that its first process has outside, 0 where there is none."""
        assert self._process is not None
        found = [self._process.pid]
        for number in found:
            with suppress(OSError):
                found += map(int, Path(f"/proc/{number}/task/{number}/children").read_text().split())
                status = Path(f"/proc/{number}/status").read_text()
                if "Name:\tsystemd\n" in status and re.search(r"^NSpid:.*\t1$", status, re.M):
                    return number
        return 0

    def reboot(self) -> None:
        """Switch it off and on again: systemd-nspawn ends (133), to be started again."""
        assert self._process is not None
        self.run("systemctl reboot")
        self._process.wait(60)
        self._boot()

    def run(
        self, command: str, *, folder: str = "/root", online: bool = False, seconds: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of a shell in it, as root.

        :param online: with the network of the outside, to fetch what is installed
        """
        words = self._enter(command, folder=folder, online=online)
        # Into files: what a command leaves running would hold a pipe open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": errors}
            # In a group of its own: what is done to a group in there is not to reach this one.
            ran = subprocess.run(words, timeout=seconds, start_new_session=True, **streams)
            texts = [_text(file) for file in (output, errors)]
        return subprocess.CompletedProcess(ran.args, ran.returncode, *texts)

    def start(self, command: str, *, folder: str = "/root") -> subprocess.Popen[str]:
        """Begin a line of a shell in it, and return its process: it goes on beside what follows."""
        words = self._enter(command, folder=folder)
        pipe = subprocess.PIPE
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe}
        return subprocess.Popen(words, text=True, start_new_session=True, **streams)

    def _enter(self, command: str, *, folder: str, online: bool = False) -> list[str]:
        spaces = ["--mount", "--uts", "--ipc", "--pid", *([] if online else ["--net"])]
        environ = {**SIGNED_IN, **(_fetching() if online else {})}
        variables = [f"{name}={value}" for name, value in environ.items()]
        shell = ["bash", "-c", 'cd "$0" && eval "$1"', folder, command]
        return ["nsenter", f"--target={self._init()}", *spaces, "env", "--ignore-environment", *variables, *shell]

    def stop(self) -> None:
        """Pull its plug, and remove its tree."""
        if self._process is not None and self._process.poll() is None:
            # Nothing in it is to be kept: all of it ends with its first process.
            os.kill(self._init() or self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._lock.close()
        _remove(self.folder)


def _remove(folder: Path) -> None:
    """Remove a folder beside what comes next: a busy disk takes half a minute for a gigabyte of small files."""
    nothing = subprocess.DEVNULL
    subprocess.run(["sh", "-c", 'rm -rf "$0" &', folder], stdin=nothing, stdout=nothing, stderr=nothing)


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").replace("\r\n", "\n")


def _remove_left_behind() -> None:
    """Remove the trees of tests that were killed: their locks are free."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        with suppress(BlockingIOError), lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock.parent)


def _bare_tree() -> Path:
    """Return the tree that all begin with; it is made once for this machine."""
    key = hashlib.sha256(" ".join(MAKE).encode()).hexdigest()[:12]
    kept = Path(tempfile.gettempdir()) / f"andamio-debian-{SUITE}-{key}"
    with _alone(kept.with_suffix(".lock")):
        if not kept.exists():
            made = Path(tempfile.mkdtemp(prefix=f"{kept.name}-"))
            ran = subprocess.run([*MAKE, made], capture_output=True, text=True)
            if ran.returncode:
                shutil.rmtree(made, ignore_errors=True)
                raise Missing(f"debootstrap fails:\n{ran.stdout[-1000:]}{ran.stderr[-1000:]}")
            made.chmod(0o755)
            made.rename(kept)
    return kept


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lend(tree: Path) -> None:
    """Let it fetch packages as the machine around it does, and not wait for its disk."""
    (tree / "etc/dpkg/dpkg.cfg.d/hasty").write_text("force-unsafe-io\n")
    # As Debian's installer leaves it, and debootstrap does not: PostgreSQL does not start without a localhost.
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
    if f"VERSION_CODENAME={SUITE}\n" in Path("/etc/os-release").read_text():
        shutil.rmtree(tree / "etc/apt")
        shutil.copytree("/etc/apt", tree / "etc/apt", symlinks=True)
    for path in (Path("/etc/resolv.conf"), Path("/etc/pip.conf")):
        if path.exists():
            shutil.copy(path, tree / path.relative_to("/"))
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, tree / "etc/ssl/outside.crt")


def _fetching() -> dict[str, str]:
    """Return the variables by which this machine fetches packages."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    kept |= {name: os.environ[name] for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ}
    return {**kept, "PIP_CERT": "/etc/ssl/outside.crt"} if CERTIFICATES.exists() else kept
