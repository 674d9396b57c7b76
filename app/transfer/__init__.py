"""Transfer: moves the rows of all modules to a database of another engine.

For a copy of one database on the same engine, :mod:`app.backups` is quicker, and keeps what no model declares.
"""

from flask import Blueprint

__all__ = ["bp"]

bp = Blueprint("transfer", __name__)
