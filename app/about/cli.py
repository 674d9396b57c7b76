"""``flask about``."""

import click
from flask import current_app

from . import sections


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print an object for programs.")
def about(as_json: bool) -> None:
    """Show what this deployment is made of, and how it is set: versions, database, modules, configuration."""
    sections.show(current_app._get_current_object(), as_json=as_json)  # type: ignore[attr-defined]  # of the proxy
