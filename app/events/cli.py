"""Commands of the module: ``flask --app run events …``."""

from datetime import timedelta

import click

from core.data.guards import destructive

from . import events
from .moments import now


@click.command()
@click.option("--older-than", "days", type=click.IntRange(1, 3650), required=True, help="days that are kept")
@destructive
def purge(days: int) -> None:
    """Delete the events that occurred longer ago than so many days."""
    click.echo(f"{events.delete_before(now() - timedelta(days=days)):,} events deleted.")
