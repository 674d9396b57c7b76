"""Deprecation: announces deprecated endpoints, and logs who still calls them.

Deprecations are declared by :mod:`core.api.deprecation`; without this module they are not announced.
"""

from flask import Blueprint

bp = Blueprint("deprecation", __name__)

__all__ = ["bp"]
