"""Choose the language and the time zone; a signed-in user's are kept with the account as well."""

from flask import redirect
from flask import render_template
from flask import request
from werkzeug.wrappers import Response

from core.access import identity
from core.http.languages import CHOSEN_TIME_ZONE
from core.http.languages import LANGUAGE
from core.http.redirects import safe_next
from core.signals import preferences_chosen

from . import bp
from .forms import PreferencesForm

#: Browsers keep a cookie for at most 400 days.
SECONDS = 400 * 24 * 3600


@bp.route("/language", methods=["GET", "POST"])
def preferences() -> str | tuple[str, int] | Response:
    """Show the form, or keep what was chosen and go back."""
    known = identity()
    form = PreferencesForm(
        language=known.language or request.cookies.get(LANGUAGE, ""),
        time_zone=known.time_zone or request.cookies.get(CHOSEN_TIME_ZONE, ""),
        next=request.args.get("next", ""),
    )
    if not form.validate_on_submit():
        return render_template("languages/preferences.html", form=form), 422 if form.errors else 200
    preferences_chosen.send(known, language=form.language.data, time_zone=form.time_zone.data)
    response = redirect(safe_next(form.next.data, f"{request.script_root}/"), 303)
    path = f"{request.script_root}/"
    for name, value in ((LANGUAGE, form.language.data), (CHOSEN_TIME_ZONE, form.time_zone.data)):
        if value:
            response.set_cookie(name, value, SECONDS, path=path, secure=request.is_secure, samesite="Lax")
        else:
            response.delete_cookie(name, path=path, secure=request.is_secure, samesite="Lax")
    return response
