"""Commands about roles; :mod:`app.accounts.cli` offers them."""

import click

from core.exceptions import Invalid
from core.exceptions import NotFound
from services import db

from .. import users
from ..models import Role
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
    found = _find(role)
    _try(lambda: granting.grant(found, {*found.permissions, permission}))
    click.echo(f"{role} grants {permission}.")


@click.command()
@click.argument("role")
@click.argument("permission")
def revoke(role: str, permission: str) -> None:
    """Let a role grant a permission no more."""
    found = _find(role)
    if permission not in found.permissions:
        raise click.ClickException(f"{role} does not grant {permission}.")
    if (role, permission) in granting.unknown():
        granting.revoke_unknown(found, permission)
        db.session.commit()
    else:
        _try(lambda: granting.grant(found, {*found.permissions} - {permission}))
    click.echo(f"{role} does not grant {permission} any more.")


@click.command()
@click.argument("email")
@click.argument("role")
def give(email: str, role: str) -> None:
    """Give somebody a role."""
    user = _person(email)
    _try(lambda: granting.give(user, {*_names(user), role}))
    click.echo(f"{user.email}: {', '.join(_names(user))}")


@click.command()
@click.argument("email")
@click.argument("role")
def take(email: str, role: str) -> None:
    """Take a role from somebody."""
    user = _person(email)
    _try(lambda: granting.give(user, {*_names(user)} - {role}))
    click.echo(f"{user.email}: {', '.join(_names(user)) or 'no role'}")


def _names(user: User) -> list[str]:
    return [role.name for role in user.roles]


def _find(name: str) -> Role:
    try:
        return granting.get(name)
    except NotFound as error:
        raise click.ClickException(str(error)) from error


def _person(email: str) -> User:
    try:
        return users.find(email)
    except NotFound as error:
        raise click.ClickException(str(error)) from error


def _try(change) -> None:
    try:
        change()
    except Invalid as error:
        raise click.ClickException(" ".join(text for texts in error.errors.values() for text in texts)) from error
    db.session.commit()
