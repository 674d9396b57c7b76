"""The decoupled way: countries and cities of the world as a REST API."""

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/api", template_folder="templates")

from . import api
from . import routes

bp.register_blueprint(api.v1)
