"""SQLite: its online backup, which copies a database that others write to meanwhile."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from core import migrations
from core.cli.progress import Advance
from core.cli.progress import progress
from core.migrations import locks

from .archives import CHUNK_BYTES
from .archives import BackupError
from .archives import Manifest
from .archives import Writer
from .archives import extract
from .contents import Contents
from .contents import compare

#: Pages between two looks at the clock.
STEP_PAGES = 1000

#: How long a writer may hold the database before a restore gives up.
PATIENCE_SECONDS = 20.0


def take(url: URL, writer: Writer, folder: Path) -> Contents:
    """Write the database as it is at one moment, and return what is in it then.

    :param folder: where a copy lies meanwhile
    """
    path = _path(url)
    if not path.is_file():
        raise BackupError(f"There is no database {path}: correct DATABASE_URL.")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".backup-") as place:
        copy = Path(place) / "copy"
        with closing(_open(path)) as source:
            # While it reads, others' commits do not restart the copy.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            _copy(source, copy, "Writing the backup")
        contents = _examine(copy)
        with copy.open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                writer.write(piece)
    return contents


def read_back(path: Path, manifest: Manifest, advance: Advance) -> dict[str, int]:
    """Read the whole archive as a restore would, and count the rows of each table."""
    with _extracted(path, advance) as copy:
        return _examine(copy).tables


def existing(url: URL) -> list[str]:
    """Return the tables that there are."""
    path = _path(url)
    if not path.is_file():
        return []
    with closing(_open(path)) as connection:
        return _tables(connection)


def restore(url: URL, path: Path, manifest: Manifest, *, replace: bool) -> None:
    """Put the backup in the place of all that there is, in one transaction."""
    with locks.exclusive(migrations.make_engine(url)), _extracted(path, lambda size: None, _path(url).parent) as copy:
        compare(manifest.tables, _examine(copy).tables)
        with closing(_open(copy)) as source:
            _copy(source, _path(url), "Restoring")
        with closing(_open(_path(url))) as connection:
            compare(manifest.tables, _counts(connection))


def create(url: URL, name: str) -> None:
    """Do nothing: a file is made when it is written to."""


def drop(url: URL, name: str) -> None:
    """Delete the file that a rehearsal has made."""
    for path in Path(name).parent.glob(f"{Path(name).name}*"):
        path.unlink()


def _path(url: URL) -> Path:
    if url.database in (None, "", ":memory:") or str(url.database).startswith("file:"):
        raise BackupError("DATABASE_URL names no file, and what is in memory only cannot be backed up.")
    return Path(str(url.database))


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=10, isolation_level=None)


def _copy(source: sqlite3.Connection, target: Path, label: str) -> None:
    total = source.execute("PRAGMA page_count").fetchone()[0]
    # The last page that was copied, and when.
    place = [total, time.monotonic()]
    with progress(label, total) as advance, closing(_open(target)) as connection:

        def look(status: int, remaining: int, pages: int) -> None:
            if remaining < place[0]:
                advance(int(place[0] - remaining))
                place[:] = [remaining, time.monotonic()]
            elif time.monotonic() - place[1] > PATIENCE_SECONDS and remaining:
                raise BackupError(f"Others hold {target}: stop the site, then run this again. Nothing was changed.")

        try:
            source.backup(connection, pages=STEP_PAGES, progress=look)
        except sqlite3.Error as error:
            raise BackupError(f"SQLite could not copy the database ({error}). Nothing was changed.") from error


@contextmanager
def _extracted(path: Path, advance: Advance, folder: Path | None = None) -> Iterator[Path]:
    # Beside the database or the backup, not in /tmp, which may be small.
    with tempfile.TemporaryDirectory(dir=folder or path.parent, prefix=".backup-") as place:
        copy = Path(place) / "copy"
        extract(path, copy, lambda piece: advance(len(piece)))
        yield copy


def _examine(path: Path) -> Contents:
    try:
        with closing(_open(path)) as connection:
            # A copy of a WAL database would want a second file.
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            faults = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            if faults != ["ok"]:
                raise BackupError(f"The database is damaged: {'; '.join(faults)}. Restore an older backup.")
            tables = _counts(connection)
            asked = "SELECT version_num FROM alembic_version ORDER BY 1"
            revisions = [row[0] for row in connection.execute(asked)] if "alembic_version" in tables else []
            kinds = "SELECT type || 's', count(*) FROM sqlite_master WHERE type IN ('view', 'trigger') GROUP BY 1"
            return Contents(sqlite3.sqlite_version, revisions, tables, dict(connection.execute(kinds).fetchall()))
    except sqlite3.DatabaseError as error:
        raise BackupError(f"This is no SQLite database that can be read ({error}).") from error


def _tables(connection: sqlite3.Connection) -> list[str]:
    asked = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1"
    return [row[0] for row in connection.execute(asked)]


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    found = {}
    for name in _tables(connection):
        quoted = name.replace('"', '""')
        found[name] = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0]  # noqa: S608 - quoted
    return found
