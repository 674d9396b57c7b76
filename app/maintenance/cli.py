"""``flask maintenance``: close the site, and open it again."""

from datetime import UTC
from datetime import datetime
from datetime import time
from datetime import timedelta

import click
from flask import current_app

from . import closings
from .refusals import HEADER
from .refusals import PARAMETER


class Moment(click.ParamType[datetime]):
    """A moment that is to come: ``22:30``, ``2026-11-21T22:30`` or with a zone; without one, this machine's."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it."""
        now = datetime.now().astimezone()
        try:
            found = _read(str(value), now)
        except ValueError:
            self.fail(f"{value!r} is no moment: write 22:30, 2026-11-21T22:30 or 2026-11-21T22:30+01:00.", param, ctx)
        if found <= now:
            self.fail(f"{value!r} is over.", param, ctx)
        return found


def _read(text: str, now: datetime) -> datetime:
    if "-" in text:
        return datetime.fromisoformat(text).astimezone()
    found = datetime.combine(now.date(), time.fromisoformat(text)).astimezone()
    return found if found > now else datetime.combine(now.date() + timedelta(days=1), found.time()).astimezone()


@click.command()
@click.option("--message", help=f"Message to visitors; at most {closings.LONGEST_MESSAGE} characters.")
@click.option("--minutes", type=click.IntRange(1, 60 * 24 * 30), help="How long it takes.")
@click.option("--until", type=Moment(), help="When it is over: 22:30, or 2026-11-21T22:30.")
@click.option("--bypass", is_flag=True, help="Print a link that lets you pass.")
def on(message: str | None, minutes: int | None, until: datetime | None, bypass: bool) -> None:
    """Close the site: 503 for all but health and files. Given again, it changes what is given."""
    if minutes is not None and until is not None:
        raise click.UsageError("Give --minutes or --until, not both.")
    message = None if message is None else " ".join(message.split())
    if message is not None and len(message) > closings.LONGEST_MESSAGE:
        raise click.UsageError(f"The message has {len(message)} characters: {closings.LONGEST_MESSAGE} is the most.")
    if minutes is not None:
        until = datetime.now(UTC) + timedelta(minutes=minutes)
    path = current_app.config["MAINTENANCE_FILE"]
    try:
        found, token = closings.begin(path, message, until, bypass)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"The site is closed. Visitors read: {found.text}")
    if token:
        click.echo("This link lets a browser pass until the site is open again (any address of the site will do):")
        click.echo(f"{_site()}/?{PARAMETER}={token}")
        click.echo(f"Programs send the header\n{HEADER}: {token}")


@click.command()
def off() -> None:
    """Open the site again; links from --bypass are worth nothing from now on."""
    path = current_app.config["MAINTENANCE_FILE"]
    try:
        was_closed = closings.end(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be removed: {error.strerror}.") from error
    click.echo("The site is open." if was_closed else "The site was open already.")


@click.command()
def status() -> None:
    """Say whether the site is closed."""
    found = closings.current(current_app.config["MAINTENANCE_FILE"])
    if found is None:
        click.echo("The site is open.")
        return
    click.echo(f"The site is closed since {found.since:%Y-%m-%d %H:%M} UTC. Visitors read: {found.text}")
    left = found.seconds_left()
    if left is not None and left < 0:
        click.echo("That is over. Open it with `flask maintenance off`, or say how much longer it takes.")
    click.echo("A link bypasses it." if found.bypass else "There is no bypass; `--bypass` makes a link.")


def _site() -> str:
    """Return the site's URL, as far as it is configured."""
    config = current_app.config
    if config["APP_ENV"] != "production":
        return f"http://localhost:{config['PORT']}{config['SCRIPT_NAME']}"
    named = [host for host in config["TRUSTED_HOSTS"] or () if not host.startswith(".")]
    return f"{config['PREFERRED_URL_SCHEME']}://{named[0] if named else 'SITE'}{config['SCRIPT_NAME']}"
