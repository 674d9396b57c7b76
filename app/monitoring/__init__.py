"""Monitoring: metrics for Prometheus, and plots of the last day for staff.

A module that measures something of its own stands below this one in ``INSTALLED_APPS``.
"""

from typing import cast

from flask import Blueprint
from flask import Flask

from . import sharing

# Before any metric is made: each then counts over all workers.
early = sharing.install()

bp = Blueprint(
    "monitoring", __name__, template_folder="templates", static_folder="static", static_url_path="/monitoring/static"
)

from . import api
from . import recording
from . import routes

bp.register_blueprint(api.metrics)
# Flask declares the application here as the part of one that does no I/O.
bp.record_once(lambda state: recording.install(cast(Flask, state.app), early))

__all__ = ["bp"]
