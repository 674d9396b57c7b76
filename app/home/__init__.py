"""Start page: what is installed, and a status for programs."""

from flask import Blueprint

from core.access import PUBLIC
from core.access import restrict

bp = Blueprint("home", __name__, template_folder="templates")
restrict(bp, PUBLIC)

from . import routes
