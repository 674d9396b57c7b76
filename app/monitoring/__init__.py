"""Monitoring: what the site does, for Prometheus at /metrics and for staff in plots of the last day.

A module that measures something of its own stands below this one in ``INSTALLED_APPS``.
"""

from flask import Blueprint

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
bp.record_once(lambda state: recording.install(state.app, early))

__all__ = ["bp"]
