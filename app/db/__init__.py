"""Migrations: Alembic's commands, as users of Flask-Migrate know them.

``flask db`` has its names and defaults. The program ``alembic`` runs the same commands without this module.
"""

from flask import Blueprint

bp = Blueprint("db", __name__)

__all__ = ["bp"]
