"""Languages: the page on which a visitor chooses the language and the time zone."""

from flask import Blueprint

from core.access import PUBLIC
from core.access import restrict

bp = Blueprint("languages", __name__, template_folder="templates")
restrict(bp, PUBLIC)

from . import routes
