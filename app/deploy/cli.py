"""``flask deploy``."""

import sys
from pathlib import Path
from typing import Any

import click
from flask import current_app

from . import render as files
from .values import Deployment
from .values import Unusable

PORT = click.IntRange(1, 65535)
COUNT = click.IntRange(0, 100_000)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--domain", "domains", multiple=True, default=["localhost"], show_default=True, help="Repeatable.")
@click.option("--name", default="andamio", show_default=True, help="Of units, site, socket and database.")
@click.option("--user", default="", help="User that the application runs as.  [default: the name]")
@click.option("--group", default="", help="The user's group.  [default: the user]")
@click.option("--root", default="", help="Where the project lies on the server.  [default: /srv/<name>]")
@click.option("--certificate", default="", help="Path of the TLS certificate.  [default: Let's Encrypt's]")
@click.option("--key", default="", help="Path of its key.")
@click.option("--webroot", default="/var/www/html", show_default=True, help="Where certbot lays its proofs.")
@click.option("--tls/--no-tls", default=True, show_default=True, help="Whether the site is reached by https.")
@click.option("--upstream", default="", metavar="HOST:PORT", help="Where a container listens, instead of a unit.")
@click.option("--http-port", default=80, type=PORT, show_default=True, help="Where nginx listens.")
@click.option("--https-port", default=443, type=PORT, show_default=True, help="The same, for TLS.")
@click.option("--rate", default=50, type=COUNT, show_default=True, help="Requests/s of one address, 0 for any.")
@click.option("--metrics-from", multiple=True, default=["127.0.0.1", "::1"], help="Who may ask /metrics; repeatable.")
@click.option("--backups", default=14, type=click.IntRange(1, 10_000), show_default=True, help="How many are kept.")
@click.option("--daily", multiple=True, metavar="COMMAND", help="What flask is to do each day; repeatable.")
@click.option("--check", is_flag=True, help="Write nothing; the exit code is 1 if something would change.")
def render(folder: Path, check: bool, **values: Any) -> None:
    """Write the files of a deployment into DIR, to be looked at and copied.

    Rendered again, only what has changed is written; the files with secrets never are.
    """
    try:
        deployment = Deployment(**values)
        outcomes = list(files.render(current_app, deployment, folder, check=check))
    except Unusable as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or folder}: {error.strerror}.") from error
    for outcome in outcomes:
        click.echo(f"{outcome.state:9}  {folder / outcome.path}")
    if check and any(outcome.state in (files.MISSING, files.DIFFERENT) for outcome in outcomes):
        sys.exit(1)
