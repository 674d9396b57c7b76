"""The folder in which the processes of one service count together: whose files are there, and who is still alive.

Each process holds a lock on a file of its own, ``<process>.alive``, as long as it lives; the kernel lets go of it
however the process ends. A new process takes over the files of one that has ended, and counts on from there: so no
worker's counts are lost, no file is read twice, and there are never more files than there were processes at once.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_ALIVE = ".alive"


class Folder:
    """A folder that is shared, and this process's place in it.

    :raises OSError: if it cannot be made or written
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        #: Of its number alone, a process could be taken for an earlier one.
        self.process = f"{os.getpid()}-{secrets.token_hex(4)}"
        with self.locked():
            # No other process must find the file between its opening and its locking.
            self._alive = _lock(self._alive_path(self.process), fcntl.LOCK_EX)
            self._take_over()

    def leave(self) -> None:
        """Let go, in a child that has inherited all this: its parent still holds the lock."""
        self._alive.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others from reading the folder, or taking over files in it."""
        with _lock(self.path / "lock", fcntl.LOCK_EX):
            yield

    def file(self, kind: str) -> Path:
        """Return the path of one of this process's files."""
        return self.path / f"{kind}_{self.process}.db"

    def files(self) -> list[Path]:
        """Return the files of all processes, of those that have ended only what still counts; when locked."""
        self._forget_gauges()
        return sorted(self.path.glob("*.db"))

    def processes(self) -> list[int]:
        """Return the numbers of the processes that live."""
        dead = self._dead()
        found = [path for path in self.path.glob(f"*{_ALIVE}") if path.stem not in dead]
        return sorted(int(path.stem.partition("-")[0]) for path in found)

    def _alive_path(self, process: str) -> Path:
        return self.path / f"{process}{_ALIVE}"

    def _dead(self) -> set[str]:
        """Return the processes that have ended, and left files."""
        known = {path.stem for path in self.path.glob(f"*{_ALIVE}")}
        known |= {_owner(path) for path in self.path.glob("*.db")}
        return {process for process in known - {self.process} if not self._lives(process)}

    def _lives(self, process: str) -> bool:
        try:
            file = open(self._alive_path(process), "rb")  # noqa: SIM115
        except FileNotFoundError:
            return False
        except OSError:
            return True
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _forget_gauges(self) -> None:
        """Delete what those that have ended do no longer: requests in flight, connections."""
        dead = self._dead()
        for path in self.path.glob("gauge_*.db"):
            if _owner(path) in dead:
                path.unlink(missing_ok=True)

    def _take_over(self) -> None:
        """Count on where one process that has ended stopped; clear away what there is of others."""
        self._forget_gauges()
        by_owner: dict[str, list[Path]] = {process: [] for process in self._dead()}
        for path in self.path.glob("*.db"):
            by_owner.setdefault(_owner(path), []).append(path)
        by_owner.pop(self.process, None)
        dead = self._dead() & by_owner.keys()
        heir_of = next((one for one in sorted(dead) if by_owner[one] and all(map(_is_ours, by_owner[one]))), None)
        for path in by_owner.get(heir_of or "", []):
            path.rename(self.file(path.name.rpartition("_")[0]))
        for process in dead:
            if process == heir_of or not by_owner[process]:
                self._alive_path(process).unlink(missing_ok=True)


def _owner(path: Path) -> str:
    return path.stem.rpartition("_")[2]


def _is_ours(path: Path) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


def _lock(path: Path, how: int) -> IO[str]:
    # Not inherited by programs that are started; a child that is forked has it, until it closes it.
    file = open(path, "a")  # noqa: SIM115
    try:
        fcntl.flock(file, how)
    except OSError:
        file.close()
        raise
    return file
