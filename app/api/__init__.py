"""The decoupled way: countries and cities of the world as a REST API."""

from flask import Blueprint

from . import api
from . import routes

bp = Blueprint("api", __name__, url_prefix="/api", template_folder="templates")
bp.add_url_rule("/", view_func=routes.index)
bp.register_blueprint(api.v1)

__all__ = ["bp"]
