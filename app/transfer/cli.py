"""``flask transfer``: dump the rows of the modules, load them into another database, set its sequences."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask import current_app

import services
from core.data import guards

from . import dumping
from . import loading
from .faults import TransferError
from .sequences import catch_up


def _says_why(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show what is wrong as a sentence."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TransferError as error:
            raise click.ClickException(str(error)) from error

    return command


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--module", "modules", multiple=True, metavar="LABEL", help="Only the tables of this module; repeatable.")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; repeatable.")
@_says_why
def dump(folder: Path, modules: tuple[str, ...], tables: tuple[str, ...]) -> None:
    """Write the rows of all modules into a folder, as they are at one moment.

    If it is broken off, the same command goes on where it was.
    """
    manifest = dumping.dump(current_app, folder, modules, tables)
    click.echo(f"{folder}: {len(manifest.tables)} tables, {manifest.rows:,} rows, revision {manifest.revisions[0]}.")
    if len(manifest.snapshots) > 1:
        click.secho(
            f"It was broken off, and shows {len(manifest.snapshots)} moments: {', '.join(manifest.snapshots)}. What "
            "was changed between them may not fit together: a load reports it. For one moment, dump again.",
            fg="yellow",
        )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--replace", is_flag=True, help="Let the rows go that are in the tables of the dump.")
@click.option("--database", "named", metavar="NAME", help="In production, with --replace: the database that is meant.")
@_says_why
def load(folder: Path, replace: bool, named: str | None) -> None:
    """Load a dump into a database that has the tables; then compare all rows with the dump.

    If it is broken off, the same command goes on where it was.
    """
    url = services.db.engine.url
    refusal = guards.refuse(url, named, "--database NAME", current_app.config["APP_ENV"]) if replace else None
    if refusal:
        raise click.UsageError(refusal)
    manifest = loading.load(current_app, folder, replace=replace)
    click.echo(f"Loaded {manifest.rows:,} rows in {len(manifest.tables)} tables; they are those of the dump.")


@click.command()
def sequences() -> None:
    """Set each sequence that is behind after the highest number that a row of its table has."""
    with services.db.engine.begin() as connection:
        found = catch_up(connection, current_app)
    for one in found:
        click.echo(f"{one}: set.")
    click.echo(f"{len(found)} of the sequences were behind." if found else "No sequence is behind.")
