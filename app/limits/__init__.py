"""Rate limits: refuse callers who ask too often.

Limits are declared by :mod:`core.api.limits`; without this module nothing is counted.
"""

from flask import Blueprint

bp = Blueprint("limits", __name__)

__all__ = ["bp"]
