"""Health: whether the site works, for load balancers, monitors and people."""

from flask import Blueprint

from core.access import PUBLIC
from core.access import restrict
from core.declarations import declare

bp = Blueprint("health", __name__, url_prefix="/health", template_folder="templates")
restrict(bp, PUBLIC)
declare(bp, "stays_open", True)

from . import examination
from . import routes
