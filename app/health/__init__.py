"""Health: whether the site works, for load balancers, monitors and people."""

from flask import Blueprint

from core.access import PUBLIC
from core.declarations import declare
from core.http.policies import restrict

bp = Blueprint("health", __name__, url_prefix="/health", template_folder="templates")
restrict(bp, PUBLIC)
declare(bp, "stays_open", True)

from . import examination
from . import routes
