"""``flask backups``: take a backup of the whole database, list and verify backups, and restore one."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask import current_app
from sqlalchemy import URL

import services
from core.data import guards

from . import restoring
from .archives import BackupError
from .archives import read_manifest
from .taking import SUFFIX
from .taking import backup

#: Where backups are kept, below the project's folder, unless another place is named.
FOLDER = "backups"


def _says_why(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show what is wrong as a sentence."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BackupError as error:
            raise click.ClickException(str(error)) from error

    return command


@click.command()
@click.argument("target", required=False, metavar="[FILE|DIR|-]")
@click.option("--keep", type=click.IntRange(min=1), help="Delete all but the newest N of this database in the folder.")
@click.option("--rehearse", is_flag=True, help="Restore it into a database that is made for that, and count.")
@_says_why
def take(target: str | None, keep: int | None, rehearse: bool) -> None:
    """Write the database into one file, while it is used, and read that back.

    Without a name it is in instance/backups/. The file has all that the database has, secrets as well: it can be
    read by its owner only. "-" writes it to standard output, for age or gpg.
    """
    place = Path(target) if target else _default_folder()
    if target == "-":
        with tempfile.TemporaryDirectory(prefix="andamio-") as folder:
            path, _ = backup(_url(), Path(folder), rehearsed=rehearse)
            with path.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
        return
    if keep and not (place.is_dir() or not place.suffix):
        raise click.UsageError("--keep is for a folder: name one instead of a file.")
    path, manifest = backup(_url(), place, keep=keep, rehearsed=rehearse)
    size = path.stat().st_size
    click.echo(f"{path}: {len(manifest.tables)} tables, {manifest.rows:,} rows, {size:,} bytes; read back and counted.")


@click.command("list")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]")
def list_backups(folder: Path | None) -> None:
    """List the backups in a folder, by default instance/backups/, the oldest first.

    Only what they say of themselves is read: "verify" reads all of one.
    """
    place, lines = folder or _default_folder(), []
    for path in place.glob(f"*{SUFFIX}"):
        try:
            manifest = read_manifest(path)
        except BackupError as error:
            click.secho(str(error), fg="red", err=True)
            continue
        size = f"{path.stat().st_size:,} bytes"
        lines.append(f"{manifest.created_at}  {manifest.database}  {manifest.rows:,} rows  {size}  {path}")
    click.echo("\n".join(sorted(lines)) or f"There is no backup in {place}.")


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option("--rehearse", is_flag=True, help="Restore it into a database that is made for that, and count.")
@_says_why
def verify(file: str, rehearse: bool) -> None:
    """Read the whole of a backup, count its rows, and print its manifest."""
    with _given(file) as path:
        manifest = restoring.verify(path)
        if rehearse:
            restoring.rehearse(path, _url())
    click.echo(f"{file}: {manifest.engine} {manifest.server}, database {manifest.database}, {manifest.created_at}")
    click.echo(f"Revision {', '.join(manifest.revisions) or 'none'}; {manifest.rows:,} rows:")
    for name, count in manifest.tables.items():
        click.echo(f"  {name}  {count:,}")
    click.echo("It is whole" + (", and was restored on trial." if rehearse else "."))


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option("--replace", is_flag=True, help="Let what is in the database go.")
@click.option("--any-revision", is_flag=True, help="Also if this code does not have the backup's revision.")
@click.option("--database", "named", metavar="NAME", help="In production, with --replace: the database that is meant.")
@_says_why
def restore(file: str, replace: bool, any_revision: bool, named: str | None) -> None:
    """Put a backup back: all of it, or nothing is changed.

    It is read and counted before anything is touched, and counted again after.
    """
    refusal = guards.refuse(_url(), named, "--database NAME", current_app.config["APP_ENV"]) if replace else None
    if refusal:
        raise click.UsageError(refusal)
    services.db.engine.dispose()
    with _given(file) as path:
        manifest = restoring.restore(_url(), path, replace=replace, any_revision=any_revision)
    click.echo(f"Restored {manifest.rows:,} rows in {len(manifest.tables)} tables, as of {manifest.created_at}.")
    todo = None if any_revision else restoring.next_steps(manifest)
    if todo:
        click.secho(todo, fg="yellow")


@contextmanager
def _given(file: str) -> Iterator[Path]:
    """Yield a path for what is read: of standard input, a copy."""
    if file != "-":
        yield Path(file)
        return
    with tempfile.TemporaryDirectory(prefix="andamio-") as folder:
        path = Path(folder) / "backup.zip"
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield path


def _default_folder() -> Path:
    return Path(current_app.instance_path) / FOLDER


def _url() -> URL:
    return services.db.engine.url
