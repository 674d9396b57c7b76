"""The start of the catalogue."""

from flask import redirect
from flask import url_for
from werkzeug.wrappers import Response

from core.access import PUBLIC
from core.access import access

from . import bp


@bp.get("/")
@access(PUBLIC)
def index() -> Response:
    """Redirect to the products."""
    return redirect(url_for(".product_list"))
