"""The start page: what is installed; and a status for programs."""

from flask import Blueprint

bp = Blueprint("home", __name__, template_folder="templates")

from . import routes
