"""``flask messages``: keep the catalogues of translations."""

from pathlib import Path

import click
from flask import current_app

from core.cli import CommandGroup

from .catalogues import catalogues

#: The folder of the project.
ROOT = Path(__file__).parents[2]


@click.group(cls=CommandGroup)
def messages() -> None:
    """Keep the translations of the core and of each module."""


@messages.command()
def update() -> None:
    """Extract the texts, update the catalogues, compile them, and count what is to be translated."""
    for file in catalogues(current_app, ROOT, also_missing=True):
        file.write()
        missing = sum("not translated" in fault for fault in file.faults())
        click.echo(
            f"{file.path.relative_to(ROOT)}: {len(file.template)} texts" + f", {missing} missing" * bool(missing)
        )


@messages.command()
def check() -> None:
    """List what is missing, wrong or out of date."""
    faults = [fault.removeprefix(f"{ROOT}/") for file in catalogues(current_app, ROOT) for fault in file.faults()]
    for fault in faults:
        click.echo(fault)
    if faults:
        raise click.exceptions.Exit(1)
