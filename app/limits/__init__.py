"""Limits: refuses callers of APIs that ask too often, with 429.

Limits are declared by :mod:`core.api.limits`; without this module nothing is counted.
"""

from flask import Blueprint

bp = Blueprint("limits", __name__)

__all__ = ["bp"]
