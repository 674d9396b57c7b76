"""Commands about roles; :mod:`app.accounts.cli` offers them."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from core.crud import transaction
from core.exceptions import Invalid
from core.exceptions import NotFound

from .. import users
from ..models import User
from . import granting


@click.command("roles")
def show_roles() -> None:
    """List the roles with what they grant, and name what no installed module asks for."""
    for name, granted in granting.grants().items():
        click.echo(f"{name}: {', '.join(sorted(granted)) or 'nothing'}")
    for name, permission in granting.unknown():
        click.secho(f"{name} grants {permission}, which no installed module asks for.", fg="yellow", err=True)


@click.command()
@click.argument("role")
@click.argument("permission")
def grant(role: str, permission: str) -> None:
    """Let a role grant a permission."""
    with as_click_error(), transaction():
        found = granting.get(role)
        granting.grant(found, {*found.permissions, permission})
    click.echo(f"{role} grants {permission}.")


@click.command()
@click.argument("role")
@click.argument("permission")
def revoke(role: str, permission: str) -> None:
    """Let a role grant a permission no more."""
    with as_click_error(), transaction():
        found = granting.get(role)
        if permission not in found.permissions:
            raise click.ClickException(f"{role} does not grant {permission}.")
        if (role, permission) in granting.unknown():
            granting.revoke_unknown(found, permission)
        else:
            granting.grant(found, {*found.permissions} - {permission})
    click.echo(f"{role} does not grant {permission} any more.")


@click.command()
@click.argument("email")
@click.argument("role")
def give(email: str, role: str) -> None:
    """Grant a role to a user."""
    with as_click_error(), transaction():
        user = users.find(email)
        granting.give(user, {*_names(user), role})
    click.echo(f"{user.email}: {', '.join(_names(user))}")


@click.command()
@click.argument("email")
@click.argument("role")
def take(email: str, role: str) -> None:
    """Take a role from a user."""
    with as_click_error(), transaction():
        user = users.find(email)
        if role not in _names(user):
            raise click.ClickException(f"{user.email} does not have the role {role!r}.")
        granting.give(user, {*_names(user)} - {role})
    click.echo(f"{user.email}: {', '.join(_names(user)) or 'no role'}")


def _names(user: User) -> list[str]:
    return [role.name for role in user.roles]


@contextmanager
def as_click_error() -> Iterator[None]:
    """End the command with a sentence where something cannot be done."""
    try:
        yield
    except NotFound as error:
        raise click.ClickException(str(error)) from error
    except Invalid as error:
        raise click.ClickException(" ".join(text for texts in error.errors.values() for text in texts)) from error
