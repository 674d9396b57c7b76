"""Instructions for a new site without accounts."""

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
def print_first_steps(app: Flask) -> None:
    """Print how to make an administrator, while there is no account."""
    if app.blueprints.get(bp.name) is bp and db.session.scalar(select(User.id).limit(1)) is None:
        click.echo(
            "app.accounts: there is no account yet. Make yourself an administrator:\n"
            f"  {os.path.relpath(sys.executable)} -m flask --app run accounts create-admin you@example.org"
        )
