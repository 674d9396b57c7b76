"""Doctor: finds what is wrong with a deployment, and names the remedy.

``flask doctor`` makes the checks of the platform, which are here, and those that modules offer in ``checks.py``
(:mod:`app.doctor.findings`). It works also where the application cannot start. What is worth a line at each start is
logged then (:mod:`app.doctor.starting`).
"""

from flask import Blueprint

from .findings import Check
from .findings import Deployment
from .findings import Finding
from .findings import Level
from .findings import Needs
from .findings import check

bp = Blueprint("doctor", __name__)

from . import starting

bp.record(starting.install)

__all__ = ["Check", "Deployment", "Finding", "Level", "Needs", "bp", "check"]
