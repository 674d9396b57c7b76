"""Read a backup, prove it, and put it back."""

import secrets
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from core.cli.progress import progress
from core.data import revisions

from .archives import BackupError
from .archives import Manifest
from .archives import read_manifest
from .contents import compare
from .engines import ENGINES
from .engines import name_of


def verify(path: Path) -> Manifest:
    """Read the whole of a backup, as a restore would, and count its rows.

    :raises BackupError: if it is not what was written
    """
    manifest = read_manifest(path)
    with progress("Reading it back", manifest.size) as advance:
        found = ENGINES[manifest.engine].read_back(path, manifest, advance)
    compare(manifest.tables, found)
    return manifest


def rehearse(path: Path, url: URL) -> None:
    """Restore a backup into a database that is made for that, and dropped after it.

    :raises BackupError: if that fails, or we may not make one
    """
    manifest = read_manifest(path)
    engine = ENGINES[_same_engine(manifest, url)]
    name = f"{url.database}_rehearsal_{secrets.token_hex(3)}"
    try:
        engine.create(url, name)
    except DBAPIError as error:
        raise BackupError(
            f"A rehearsal takes a database {name}, which {url.username} may not make: let them (ALTER ROLE … CREATEDB; "
            f"GRANT ALL ON `{url.database}\\_%`.* TO …), or rehearse elsewhere. ({str(error.orig).strip()})"
        ) from error
    try:
        engine.restore(url.set(database=name), path, manifest, replace=False)
    finally:
        engine.drop(url, name)


def restore(url: URL, path: Path, *, replace: bool = False, any_revision: bool = False) -> Manifest:
    """Verify a backup, then put it into a database; on failure that is as it was.

    :param replace: whether what is in the database may go
    :param any_revision: whether it may be of a revision that this code does not know
    :raises BackupError: what is in the way
    """
    manifest = read_manifest(path)
    engine = ENGINES[_same_engine(manifest, url)]
    if not any_revision:
        next_steps(manifest)
    try:
        there = engine.existing(url)
        if there and not replace:
            raise BackupError(
                f"The database has {len(there)} tables ({', '.join(there[:3])} …): restore into an empty one, or "
                "let this one go with --replace."
            )
        verify(path)
        engine.restore(url, path, manifest, replace=replace)
    except (DBAPIError, CommandError) as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        raise BackupError(f"The database cannot be restored: {cause}") from error
    return manifest


def next_steps(manifest: Manifest) -> str | None:
    """Return what has to be run after a restore, ``None`` if nothing has.

    :raises BackupError: if this code does not know the backup's revision
    """
    distance = revisions.distance_from(manifest.revisions)
    if distance.unknown:
        raise BackupError(
            f"The backup is of revision {', '.join(manifest.revisions)}, which this code does not have: restore it "
            "with the code that it is from (check that out first), or give --any-revision."
        )
    if not distance.pending:
        return None
    return f"The backup is {len(distance.pending)} revisions behind this code: run `alembic upgrade head` now."


def _same_engine(manifest: Manifest, url: URL) -> str:
    engine = name_of(url)
    if manifest.engine != engine:
        raise BackupError(
            f"This is a backup of {manifest.engine}, and DATABASE_URL is {engine}: from one engine to another, use "
            "`flask transfer dump` there and `flask transfer load` here."
        )
    return engine
