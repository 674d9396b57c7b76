"""``flask prepare``: what has to be so before the application serves."""

import click
from flask import current_app
from sqlalchemy.exc import OperationalError

import services

from .. import migrations
from .. import signals
from ..modules import offers


@click.command()
@click.option("--contract", is_flag=True, help="Also run what was held back: no earlier code runs any more.")
def prepare(contract: bool) -> None:
    """Bring the database to head and, in development, load the demo data.

    Revisions that take away what earlier code uses are held back: that code still runs, until this one does.
    """
    in_development = current_app.config["APP_ENV"] == "development"
    try:
        held = migrations.upgrade(services.db.engine.url, contract=contract or in_development)
    except (OperationalError, migrations.CommandError) as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        raise click.ClickException(f"The database cannot be brought to head. {cause}") from error
    if held:
        ids = ", ".join(held)
        click.echo(f"Held back: {ids}. Once no earlier code runs any more: flask prepare --contract")
    if in_development:
        _load_demo()
    signals.prepared.send(current_app._get_current_object())  # type: ignore[attr-defined]  # of the proxy


def _load_demo() -> None:
    for module, file in offers(current_app, "demo"):
        added = file.load()
        if added:
            click.echo(f"{module.name}: loaded {added:,} rows of demo data.")
