"""``flask resources``: the declared resources (:mod:`core.resources`)."""

import click
from flask import current_app

from ..resources import registered
from ..resources.writing import write


@click.group()
def resources() -> None:
    """Show the declared resources."""


@resources.command("list")
def list_resources() -> None:
    """Name every resource, with its model and where it is served."""
    for module, resource in registered(current_app):
        click.echo(f"{module}.{type(resource).__name__}  {resource.model.__name__}  {', '.join(resource.allow)}")


@resources.command()
@click.argument("name")
def show(name: str) -> None:
    """Write the declaration of a resource in full, as code to paste and change: shop.Invoices."""
    found = {f"{module}.{type(resource).__name__}": resource for module, resource in registered(current_app)}
    if name not in found:
        raise click.ClickException(f"There is no resource {name!r}. There are {', '.join(found) or 'none'}.")
    click.echo(write(found[name]), nl=False)
