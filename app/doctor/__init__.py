"""Doctor: finds what is wrong with a deployment, and what to do about it.

``flask doctor`` makes the checks of the platform, which are here, and those that modules offer in ``checks.py``
(:mod:`core.cli.checks`). It works also where the application cannot start.
"""

from flask import Blueprint

bp = Blueprint("doctor", __name__)

__all__ = ["bp"]
