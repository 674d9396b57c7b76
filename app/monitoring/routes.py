"""The page for staff."""

import platform
from time import time

from flask import current_app
from flask import render_template
from flask_babel import gettext

from core.access import access
from core.access import permission
from core.exceptions import BadQuery
from core.http.links import single_args

from . import bp
from . import overviews
from . import sharing
from .minutes import Minutes

VIEW = permission("monitoring.page.view")


@bp.get("/monitoring")
@access(VIEW)
def index() -> str:
    """Show what the site has done in the last hours."""
    asked = single_args().get("hours", "24")
    if asked not in {str(hours) for hours in overviews.RANGES}:
        raise BadQuery({"hours": [gettext("Write one of %(names)s.", names=", ".join(map(str, overviews.RANGES)))]})
    minutes: Minutes = current_app.extensions["monitoring"]
    moment = time() / 60
    hours = int(asked)
    overview = overviews.of(minutes.read(int(moment) + 1 - hours * 60), hours, moment)
    return render_template(
        "monitoring/index.html",
        overview=overview,
        ranges=list(overviews.RANGES),
        host=platform.node(),
        is_shared=sharing.state.folder is not None,
    )
