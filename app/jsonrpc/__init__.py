"""JSON-RPC 2.0: the modules' methods, called by name, with a page to try them."""

from flask import Blueprint

from core.access import PUBLIC
from core.access import restrict

bp = Blueprint(
    "jsonrpc",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/docs/rpc/static",
)
restrict(bp, PUBLIC)

from . import api
from . import routes
from . import signals

bp.register_blueprint(api.bp)
