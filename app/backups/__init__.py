"""Backups: the whole database in one verified file, and its restore.

Rows go from one engine to another with :mod:`app.transfer`. What is here is imported by commands only: the
web process needs none of it.
"""

from flask import Blueprint

__all__ = ["bp"]

bp = Blueprint("backups", __name__)
