"""Health checks: for load balancers, monitors and people.

Modules offer checks in ``health.py`` (:mod:`app.health.terms`).
"""

from flask import Blueprint

from core.access import PUBLIC
from core.access import restrict
from core.declarations import declare

from .terms import CheckFailed
from .terms import check

bp = Blueprint("health", __name__, url_prefix="/health", template_folder="templates")
restrict(bp, PUBLIC)
declare(bp, "stays_open", True)

from . import examination
from . import routes

__all__ = ["CheckFailed", "bp", "check"]
