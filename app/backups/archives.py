"""The file of a backup: a ZIP with the engine's own dump, and a manifest with its expected contents.

A ZIP because it can be written in one pass, notices when its end is missing, and is opened by tools that will
still be there when this code is not: ``unzip -p FILE database.dump | pg_restore …``.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from typing import Any

#: Changes when an older code could not restore it.
FORMAT = 1

MANIFEST = "manifest.json"

#: Name of the engine's part, chosen so that it says how it is opened by hand.
MEMBERS = {"postgresql": "database.dump", "mariadb": "database.sql", "sqlite": "database.sqlite"}

CHUNK_BYTES = 256 * 1024

#: No manifest is longer: 100,000 tables.
MOST_MANIFEST_BYTES = 16 * 1024**2

#: Is called with each piece that passes.
Watch = Callable[[bytes], object]


class BackupError(Exception):
    """A backup cannot be written, trusted or restored; the message says why, and what to do."""


@dataclass(frozen=True)
class Manifest:
    """Manifest of a backup.

    :param server: the server's version, of SQLite the library's
    :param revisions: where alembic had brought the database; more than one if its history forked
    :param tables: the rows of each, counted in the snapshot that was written
    :param others: what there is besides tables: views, triggers, routines
    :param size: bytes of the engine's part, before compression
    """

    engine: str
    server: str
    database: str
    created_at: str
    revisions: list[str]
    tables: dict[str, int]
    others: dict[str, int]
    size: int
    sha256: str
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


class Writer:
    """The engine's part of an archive while it is written; counts and digests what passes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add a piece."""
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@contextmanager
def writing(file: IO[bytes], engine: str) -> Iterator[tuple[Writer, Callable[[Manifest], None]]]:
    """Yield what takes the engine's part, and what takes the manifest after it."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        member = archive.open(MEMBERS[engine], "w", force_zip64=True)

        def finish(manifest: Manifest) -> None:
            member.close()
            archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))

        try:
            yield Writer(member), finish
        finally:
            member.close()


def read_manifest(path: Path) -> Manifest:
    """Return what a backup says of itself.

    :raises BackupError: if the file is none, or not whole
    """
    with _opened(path) as archive:
        return _manifest(path, archive)


@contextmanager
def reading(path: Path) -> Iterator[Iterator[bytes]]:
    """Yield the pieces of the engine's part; the last one is followed by the comparison with the manifest.

    :raises BackupError: if they are not what was written
    """
    with _opened(path) as archive:
        manifest = _manifest(path, archive)
        yield _pieces(path, archive, manifest)


def extract(path: Path, target: Path, watch: Watch) -> None:
    """Write the engine's part into a file of its own."""
    with reading(path) as pieces, target.open("wb") as file:
        for piece in pieces:
            file.write(piece)
            watch(piece)


def _pieces(path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(MEMBERS[manifest.engine]) as member:
            while piece := member.read(CHUNK_BYTES):
                digest.update(piece)
                size += len(piece)
                if size > manifest.size:
                    # A few bytes can be packed so that they fill any disk.
                    break
                yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, error) from error
    if size != manifest.size or digest.hexdigest() != manifest.sha256:
        raise _damaged(path, "what is in it is not what was written")


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise BackupError(
            f"{path} is no backup, or not the whole of one ({error}): take another, or copy it again."
        ) from error
    with archive:
        yield archive


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        if archive.getinfo(MANIFEST).file_size > MOST_MANIFEST_BYTES:
            raise _damaged(path, "its manifest is too long to be one")
        found: dict[str, Any] = json.loads(archive.read(MANIFEST))
        if found.get("format") != FORMAT:
            raise BackupError(f"{path} has format {found.get('format')!r}, this code reads {FORMAT}: use newer code.")
        manifest = Manifest(**found)
        if not _is_plausible(manifest):
            raise _damaged(path, "its manifest does not say what one says")
        archive.getinfo(MEMBERS[manifest.engine])
    except KeyError as error:
        raise BackupError(f"{path} is no backup of this platform: it has no {error}.") from error
    except (
        *(zipfile.BadZipFile, zlib.error, ValueError, TypeError, AttributeError),
        *(EOFError, NotImplementedError, RuntimeError, OSError),
    ) as error:
        raise _damaged(path, error) from error
    return manifest


def _is_plausible(manifest: Manifest) -> bool:
    texts = (manifest.engine, manifest.server, manifest.database, manifest.created_at, manifest.sha256)
    counts = (manifest.size, *manifest.tables.values(), *manifest.others.values())
    return (
        all(isinstance(text, str) for text in (*texts, *manifest.revisions, *manifest.tables))
        and all(type(count) is int and count >= 0 for count in counts)
        and isinstance(manifest.revisions, list)
        and manifest.server[:1].isdigit()
    )


def _damaged(path: Path, cause: object) -> BackupError:
    return BackupError(f"{path} is damaged ({cause}): take another backup. Nothing was changed.")
