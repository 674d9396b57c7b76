"""``flask secret``: another ``SECRET_KEY``, without ending sessions."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from datetime import datetime
from pathlib import Path

import click
from flask import Flask
from flask import current_app
from sqlalchemy.exc import DBAPIError

from core.cli import works_without_app
from core.configuration.collected import ROOT
from core.data import drivers

from . import rotating

FILE = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=lambda: ROOT / ".env",
    help="The file that sets SECRET_KEY; by default .env, on a server the service's EnvironmentFile.",
)


@click.command()
@works_without_app
def make() -> None:
    """Print a new secret."""
    click.echo(rotating.make())


@click.command()
@FILE
def rotate(path: Path) -> None:
    """Write a new SECRET_KEY into a file; the one of before is accepted beside it."""
    with _application() as app:
        rotating.rotate(app, path)
    click.echo(f"{path} has a new SECRET_KEY; what the one of before has signed and encrypted still counts.")
    click.echo("Now restart all processes of the application with it. Then run `flask secret reencrypt`.")


@click.command()
def reencrypt() -> None:
    """Encrypt with today's SECRET_KEY what needs an earlier one; it can be interrupted, and run again."""
    with _application() as app:
        is_done = _reencrypt(app)
    sys.exit(0 if is_done else 1)


@click.command()
@FILE
@click.option("--now", "at_once", is_flag=True, help="Also if it signs out users who signed in before the change.")
@click.option("--unchecked", is_flag=True, help="Without the database, which reencrypt has asked as another user.")
def retire(path: Path, at_once: bool, unchecked: bool) -> None:
    """Drop the earlier secrets, once nothing needs them any more."""
    with _application() as app:
        if not app.config["SECRET_KEY_FALLBACKS"]:
            click.echo("There is no earlier secret.")
            return
        until = rotating.last_until(app)
        if not at_once and (until is None or until > datetime.now(UTC)):
            when = f"last until {until:%Y-%m-%d %H:%M} UTC" if until else "may last (SECRET_KEY_ROTATED_AT is not set)"
            raise click.ClickException(f"Sessions that an earlier secret has signed {when}: --now ends them.")
        if not unchecked:
            _reencrypt(app)
        rotating.retire(app, path)
    click.echo(f"{path} has no earlier secrets any more. Restart all processes of the application.")


@contextmanager
def _application() -> Iterator[Flask]:
    """Give the application, and say what goes wrong in a sentence."""
    try:
        yield current_app._get_current_object()  # type: ignore[attr-defined]  # of the proxy
    except rotating.EnvFileError as error:
        raise click.ClickException(str(error)) from error
    except DBAPIError as error:
        what = "is behind: run `alembic upgrade head`." if drivers.is_behind(error) else "cannot be asked."
        raise click.ClickException(f"The database {what} {str(error.orig).strip()}") from error


def _reencrypt(app: Flask) -> bool:
    """Encrypt all columns again; return whether every value could be read."""
    is_done = True
    counts = rotating.count_earlier(app)
    for one in rotating.encrypted_columns(app):
        count = counts.get(one.name, 0)
        if not count:
            continue
        unreadable = 0
        with click.progressbar(length=count, label=one.name, file=sys.stderr) as bar:
            for failed in rotating.reencrypt(one):
                unreadable += failed
                bar.update(min(rotating.BATCH, count - bar.pos))
        click.echo(f"{one.name}: {count - unreadable:,} of {count:,} values encrypted with today's secret.")
        if unreadable:
            is_done = False
            click.echo(f"{unreadable:,} need a secret that SECRET_KEY_FALLBACKS does not have.", err=True)
    if not counts:
        click.echo("Everything is encrypted with today's secret.")
    return is_done
