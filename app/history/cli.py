"""Commands of the history: ``flask --app run history …``."""

from datetime import timedelta

import click

from core.data.guards import destructive
from core.data.models import now

from . import changes


@click.command()
@click.option("--days", type=click.IntRange(1, 36500), required=True, help="days that are kept")
@destructive
def prune(days: int) -> None:
    """Delete the changes that were made longer ago than so many days."""
    click.echo(f"{changes.prune(now() - timedelta(days=days)):,} changes deleted.")
