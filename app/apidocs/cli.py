"""Commands: write the OpenAPI document, and list what has changed since it was written."""

import json
import sys
from pathlib import Path

import click
from flask import current_app

from . import documents
from .changes import Change
from .differences import compare

#: Place of the document under version control.
WRITTEN = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"

file_option = click.option(
    "--file", type=click.Path(path_type=Path), default=WRITTEN, help="Instead of docs/openapi.json."
)


@click.command()
@file_option
@click.option("--breaking", is_flag=True, help="Write it even if that breaks those who call.")
def write(file: Path, breaking: bool) -> None:
    """Write the document of what is installed."""
    document = documents.build(current_app)
    changes = _changes(file, document) if file.exists() else []
    _print(changes)
    if any(change.is_breaking for change in changes) and not breaking:
        raise click.ClickException("Breaking changes: offer them as a new version beside the old, or use --breaking.")
    file.write_text(documents.text(document), encoding="utf-8")
    click.echo(f"Wrote {file}.")


@click.command()
@file_option
def check(file: Path) -> None:
    """List changes since the document was written; exit with 0 for none, 1 for compatible, 2 for breaking ones."""
    if not file.exists():
        raise click.ClickException(f"{file} is missing: flask --app run apidocs write")
    changes = _changes(file, documents.build(current_app))
    _print(changes)
    if changes:
        click.echo("Accept it with: flask --app run apidocs write", err=True)
    sys.exit(2 if any(change.is_breaking for change in changes) else 1 if changes else 0)


def _changes(file: Path, document: documents.Document) -> list[Change]:
    return compare(json.loads(file.read_text(encoding="utf-8")), document)


def _print(changes: list[Change]) -> None:
    for change in changes:
        click.secho(str(change), fg="red" if change.is_breaking else None)
