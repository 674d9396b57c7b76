"""What whoever starts a new site is told."""

import os
import sys

import click
from flask import Flask
from sqlalchemy import select

from core.signals import prepared
from services import db

from . import bp
from .models import User


@prepared.connect
def tell_first_steps(app: Flask) -> None:
    """Say how to make an administrator, as long as nobody has an account."""
    if app.blueprints.get(bp.name) is bp and db.session.scalar(select(User.id).limit(1)) is None:
        click.echo(
            "app.accounts: nobody has an account yet. Make yourself an administrator:\n"
            f"  {os.path.relpath(sys.executable)} -m flask --app run accounts create-admin you@example.org"
        )
