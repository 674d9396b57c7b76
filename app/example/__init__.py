"""The monolithic way: a catalogue with pages made on the server from the models' declarations."""

from flask import Blueprint

bp = Blueprint("example", __name__, url_prefix="/example", template_folder="templates")

from . import resources
from . import routes
