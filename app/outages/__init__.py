"""Outages: time limits for a silent database, and recovery of its connections.

Each statement of a request has ``DATABASE_STATEMENT_SECONDS``; while a server is unresponsive, one thread at a time
retries it. Without this module a request waits as long as the driver does.
"""

from flask import Blueprint

from . import connections
from . import deadlines

bp = Blueprint("outages", __name__)
bp.record_once(deadlines.install)
bp.record_once(connections.install)

__all__ = ["bp"]
