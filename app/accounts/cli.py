"""Commands for operators: ``flask --app run accounts …``.

No password is ever an argument: it would be in the shell's history, and in the list of processes.
"""

from urllib.parse import urlsplit

import click
from flask import Flask
from flask import current_app
from flask_security.recoverable import generate_reset_link
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from werkzeug.sansio.utils import host_is_trusted

from core.crud import transaction
from core.http.hosts import SITE as SAID
from services import db

from . import users
from .models import User
from .roles.commands import as_click_error
from .roles.commands import give
from .roles.commands import grant
from .roles.commands import revoke
from .roles.commands import show_roles
from .roles.commands import take
from .tokens import issuing

__all__ = ["give", "grant", "revoke", "show_roles", "take"]

SITE = click.option("--site", metavar="URL", help="Where the site is: https://www.example.org.")


@click.command("create-admin")
@click.argument("email")
@click.option("--name", help="By default the beginning of the address.")
@SITE
def create_admin(email: str, name: str | None, site: str | None) -> None:
    """Make an administrator, and print a link to choose the password."""
    base = _where(site)
    with as_click_error(), transaction():
        user = users.create(email, name or email.partition("@")[0], None, ["administrator"])
    click.echo(f"{user.email} is an administrator.")
    _show_link(user, base)


@click.command()
@click.argument("email")
@SITE
def reset(email: str, site: str | None) -> None:
    """Print a link for choosing a new password."""
    base = _where(site)
    with as_click_error():
        user = users.find(email)
    if not user.active:
        raise click.ClickException(f"{user.email} is disabled: `accounts enable` lets them in again.")
    _show_link(user, base)


@click.command()
@click.argument("email")
def disable(email: str) -> None:
    """Disable an account, at once."""
    with as_click_error(), transaction():
        user = users.find(email)
        users.disable(user)
    click.echo(f"{user.email} cannot sign in any more, and is signed out everywhere.")


@click.command()
@click.argument("email")
def enable(email: str) -> None:
    """Enable an account again."""
    with as_click_error(), transaction():
        user = users.find(email)
        users.enable(user)
    click.echo(f"{user.email} can sign in again.")


@click.command()
@click.argument("email")
@click.option("--name", required=True, help="What it is for.")
@click.option("--scope", "scopes", required=True, multiple=True, help="What it may do: a permission; may be repeated.")
@click.option("--days", default=issuing.DAYS, show_default=True, help="How long it counts.")
def token(email: str, name: str, scopes: tuple[str, ...], days: int) -> None:
    """Make a token for a machine, and print it; it is never seen again."""
    with as_click_error(), transaction():
        made, text = issuing.make(users.find(email), name, scopes, days)
    click.echo(f"It counts until {made.expires_at:%Y-%m-%d %H:%M} UTC:", err=True)
    # Alone on the standard output, for a pipe into wherever secrets are kept.
    click.echo(text)


@click.command("list")
def show() -> None:
    """List all accounts, with their roles."""
    for user in db.session.scalars(select(User).options(selectinload(User.roles)).order_by(User.email)):
        notes = [role.name for role in user.roles]
        notes += [] if user.active else ["disabled"]
        notes += [] if user.confirmed_at else ["not confirmed"]
        click.echo(f"{user.email:40} {user.name:24} {', '.join(notes)}")


def _show_link(user: User, base: str) -> None:
    with current_app.test_request_context(base_url=base, environ_overrides={SAID: _origin(base)}):
        url, _ = generate_reset_link(user)
    hours = current_app.config["SECURITY_RESET_PASSWORD_WITHIN"].total_seconds() / 3600
    click.echo(f"Choose a password within {hours:.0f} hours:\n{url}")


def _origin(base: str) -> str:
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}"


def _where(site: str | None) -> str:
    """Return the site's URL: the given one, or that of the configuration.

    :raises click.UsageError: if it does not, or if a link that begins so would not be answered
    """
    base = site or _address(current_app)
    try:
        parts = urlsplit(base)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment:
        raise click.BadParameter(f"{base!r} is no address: write https://www.example.org.", param_hint="--site")
    host = parts.netloc.lower()
    if not _is_served(host):
        raise click.UsageError(f"A link to {host} would not be answered: add it to TRUSTED_HOSTS.")
    path = parts.path.rstrip("/") or current_app.config["SCRIPT_NAME"]
    return f"{parts.scheme}://{host}{path}"


def _address(app: Flask) -> str:
    if app.config["APP_ENV"] == "development":
        # A browser makes passkeys for a name only.
        host = "localhost" if _is_served("localhost") else app.config["HOST"]
        return f"http://{host}:{app.config['PORT']}"
    named = [host for host in app.config["TRUSTED_HOSTS"] or () if not host.startswith(".")]
    if not named:
        raise click.UsageError("TRUSTED_HOSTS does not name the site: pass its URL as --site https://…")
    return f"{app.config['PREFERRED_URL_SCHEME']}://{named[0]}"


def _is_served(host: str) -> bool:
    return host_is_trusted(host, current_app.config["TRUSTED_HOSTS"])
