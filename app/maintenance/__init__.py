"""Maintenance: closes the site for a while, except for those with a link.

``flask maintenance on`` closes it, ``off`` opens it. What is served all the same declares
:func:`core.declarations.stays_open`.
"""

from flask import Blueprint

bp = Blueprint("maintenance", __name__)

from . import refusals

bp.record_once(refusals.install)

__all__ = ["bp"]
