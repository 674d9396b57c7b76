"""History: who changed what and when, with undo."""

from flask import Blueprint

bp = Blueprint("history", __name__, url_prefix="/history", template_folder="templates")

from . import api
from . import recorders
from . import routes

bp.register_blueprint(api.v1)
bp.record(recorders.install)

__all__ = ["bp"]
