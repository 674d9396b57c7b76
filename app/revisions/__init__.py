"""Portable revisions: the same migrations on SQLite, PostgreSQL and MariaDB.

Autogenerate compares what Alembic does not (server defaults by their meaning, enums, generated columns, indexes over
expressions), names renames and what earlier code does not survive, and writes lines that run on each engine. SQLite
rebuilds a table with all that it has, and a lock on a table is waited for with pauses. Without this module Alembic is
as it comes.
"""

from flask import Blueprint

from .strays import warn_in_development

bp = Blueprint("revisions", __name__)
bp.record_once(warn_in_development)

__all__ = ["bp"]
