"""Bulk operations: many creates, updates and deletes of a collection in one request.

It stands above the modules whose resources it serves. A resource says how many operations it takes, by ``bulk``.
"""

from flask import Blueprint

bp = Blueprint("bulk", __name__)

from . import signals

__all__ = ["bp"]
