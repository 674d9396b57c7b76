"""Commands of the module: ``flask --app run api …``."""

import click

from . import loading


@click.command()
def load() -> None:
    """Load the countries and cities of GeoNames; what is there already stays as it is."""
    with click.progressbar(label="Loading places", length=0) as bar:

        def report(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        added = loading.load(report)
    click.echo(f"{added:,} rows added." if added else "Nothing to add: all rows are there.")
