"""Take a backup: written under another name, read back, and only then there."""

import fcntl
import os
import re
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from core.data import guards

from .archives import BackupError
from .archives import Manifest
from .archives import writing
from .engines import ENGINES
from .engines import name_of
from .restoring import rehearse
from .restoring import verify

SUFFIX = ".backup.zip"


def backup(url: URL, target: Path, *, keep: int | None = None, rehearsed: bool = False) -> tuple[Path, Manifest]:
    """Write a backup of a database that may be in use, read it back, and return where it is.

    :param target: a file that is not there yet, or a folder in which one is made
    :param keep: how many of this database the folder keeps; older ones are deleted when the new one is there
    :raises BackupError: if it could not be taken; then there is no file
    """
    path = _path(url, target)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(path.parent)
    with _Part(path) as part:
        manifest = _write(url, part.file, path.parent)
        # Read by its name, as a restore will.
        part.finish()
        verify(part.path)
        if rehearsed:
            rehearse(part.path, url)
        part.publish()
    if keep:
        _forget(path, keep)
    return path, manifest


def _write(url: URL, file: BinaryIO, folder: Path) -> Manifest:
    engine = name_of(url)
    created_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    try:
        with writing(file, engine) as (writer, finish):
            contents = ENGINES[engine].take(url, writer, folder)
            manifest = Manifest(
                engine=engine,
                server=contents.server,
                database=guards.database_name(url),
                created_at=created_at,
                revisions=contents.revisions,
                tables=contents.tables,
                others=contents.others,
                size=writer.size,
                sha256=writer.sha256,
            )
            finish(manifest)
    except DBAPIError as error:
        raise BackupError(f"The database does not answer: {str(error.orig).strip()}") from error
    except OSError as error:
        raise BackupError(f"The backup cannot be written: {error}. Make room, or name another place.") from error
    return manifest


class _Part:
    """The file under the name that it has until it is whole: ``.<name>.part``, for its owner's eyes only."""

    def __init__(self, path: Path) -> None:
        self._final = path
        self.path = path.with_name(f".{path.name}.part")

    def __enter__(self) -> "_Part":
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except FileExistsError as error:
            raise BackupError(f"Another backup is just being written to {self._final}.") from error
        except OSError as error:
            raise BackupError(f"No file can be made in {self._final.parent}: {error.strerror}.") from error
        self.file: BinaryIO = os.fdopen(handle, "w+b")
        # Held until the process ends: distinguishes a part that is written from one that was left.
        fcntl.flock(self.file, fcntl.LOCK_EX)
        return self

    def finish(self) -> None:
        """Bring all of it to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def publish(self) -> None:
        """Give it its name, in one step, if the name is still free."""
        try:
            os.link(self.path, self._final)
        except FileExistsError as error:
            raise _taken(self._final) from error
        except OSError:
            # A disk without links.
            self.path.rename(self._final)
        _sync_folder(self._final.parent)

    def __exit__(self, *error: object) -> None:
        self.path.unlink(missing_ok=True)
        self.file.close()


def _path(url: URL, target: Path) -> Path:
    path = target
    if target.is_dir() or not target.suffix:
        path = target / f"{_stem(url)}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{SUFFIX}"
    if path.exists():
        raise _taken(path)
    return path


def _taken(path: Path) -> BackupError:
    return BackupError(f"{path} is there already, and is not overwritten: name another file, or a folder.")


def _stem(url: URL) -> str:
    return re.sub(r"[^\w.-]", "_", guards.database_name(url).removesuffix(".db"))


def _forget(path: Path, keep: int) -> None:
    """Delete the oldest of those that have such a name; the moment in it is what counts."""
    stem = re.escape(path.name.removesuffix(SUFFIX).rpartition("-")[0])
    own = re.compile(rf"{stem}-\d{{8}}T\d{{6}}Z{re.escape(SUFFIX)}")
    for old in sorted(one for one in path.parent.iterdir() if own.fullmatch(one.name))[:-keep]:
        old.unlink()


def _sweep(folder: Path) -> None:
    """Delete what killed backups have left."""
    for part in folder.glob(f".*{SUFFIX}.part"):
        with part.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
