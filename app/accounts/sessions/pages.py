"""The page that lists a user's sessions, and ends them."""

from flask import abort
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask_babel import gettext
from flask_babel import ngettext
from flask_login import current_user
from werkzeug.wrappers import Response

from core.crud import transaction

from .. import bp
from ..freshness import fresh_or_back_to
from .agents import describe
from .lifetimes import current
from .lifetimes import end_one
from .lifetimes import end_others
from .lifetimes import of


@bp.get("/sessions", endpoint="sessions")
def list_sessions() -> str:
    """List the sessions of the current user; this browser first, then the latest used."""
    found = of(current_user)
    mine = current()
    ordered = sorted(found, key=lambda record: record.handle != mine)
    return render_template("accounts/sessions.html", records=ordered, mine=mine, describe=describe)


@bp.post("/sessions/end")
@fresh_or_back_to(".sessions")
def end_session() -> Response:
    """Sign out of one other browser."""
    handle = request.form.get("handle", "")
    if handle == current():
        abort(400, gettext("This is the browser that you are using: sign out instead."))
    with transaction():
        ended = end_one(current_user, handle)
    return _done(gettext("Signed out there.") if ended else gettext("That session had ended already."))


@bp.post("/sessions/end-others")
@fresh_or_back_to(".sessions")
def end_other_sessions() -> Response:
    """Sign out everywhere else."""
    with transaction():
        count = end_others(current_user, "all others by the owner")
    return _done(ngettext("Signed out of %(num)s other browser.", "Signed out of %(num)s other browsers.", count))


def _done(message: str) -> Response:
    flash(message, "success")
    return redirect(url_for(".sessions"), 303)
