"""``flask access``: who may do what (:mod:`core.access.matrix`)."""

import click
from flask import current_app
from sqlalchemy.exc import DBAPIError

from ..access.matrix import matrix


@click.command()
@click.option("--undeclared", is_flag=True, help="Only what is open without a declared policy.")
def access(undeclared: bool) -> None:
    """Show who may do what: every endpoint and method with its policy, role by role."""
    try:
        found = matrix(current_app)
    except DBAPIError as error:
        raise click.ClickException(f"The roles cannot be read. {str(error.orig).strip()}") from error
    lines = [line for line in found.lines if line.asked.policy is None or not undeclared]
    rows = [("WHAT", "ENDPOINT", *map(str.upper, found.columns), "WHY")]
    rows += [(f"{one.asked.verb} {one.asked.address}", one.asked.place, *one.cells, one.asked.reason) for one in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.secho(text, fg="yellow" if row[-1] == "undeclared" else None)
