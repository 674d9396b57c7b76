"""The start page: what is installed; and a status for programs."""

from flask import Blueprint

bp = Blueprint("home", __name__, template_folder="templates")

from . import routes  # noqa: E402, F401 - the routes need the blueprint
