"""API documents: OpenAPI of everything that is installed, with a page to try it."""

from flask import Blueprint

from core.access import PUBLIC
from core.access import restrict

bp = Blueprint("apidocs", __name__, template_folder="templates", static_folder="static", static_url_path="/docs/static")
restrict(bp, PUBLIC)

from . import api
from . import routes

bp.register_blueprint(api.openapi)
