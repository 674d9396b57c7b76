"""The pages of a user's own tokens: to see, to make and to revoke them."""

from flask import flash
from flask import make_response
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # new in 3.3

from core.access import identity
from core.crud import transaction
from core.data.models import now
from core.exceptions import Invalid
from core.http.hosts import origin

from .. import bp
from ..freshness import fresh
from . import issuing
from . import scopes
from .forms import TokenForm

Answer = str | Response | tuple[str, int]

#: The greatest key that the table's column has.
MOST_KEYS = 2**31 - 1


@bp.get("/tokens")
def token_list() -> str:
    """Show what tokens there are, and never their texts."""
    return render_template("accounts/tokens/list.html", tokens=issuing.of(current_user), moment=now())


@bp.route("/tokens/new", methods=["GET", "POST"])
@fresh
def token_create() -> Answer:
    """Ask what for, make a token, and show it this once.

    It is shown by the answer to the form itself: a redirect would have to keep it somewhere.
    """
    form = TokenForm()
    offered = scopes.offered(identity())
    form.scopes.choices = [SelectChoice(scope.name, scope.words) for group in offered for scope in group.scopes]
    if form.validate_on_submit():
        try:
            with transaction():
                token, text = issuing.make(current_user, form.name.data or "", form.scopes.data or (), form.days.data)
        except Invalid as error:
            _show(form, error)
        else:
            site = f"{origin()}{request.script_root}/"
            answer = make_response(render_template("accounts/tokens/created.html", token=token, text=text, site=site))
            answer.headers["Cache-Control"] = "no-store"
            return answer
    return render_template("accounts/tokens/form.html", form=form, groups=offered), 422 if form.errors else 200


@bp.route(f"/tokens/<int(max={MOST_KEYS}):token_id>/revoke", methods=["GET", "POST"])
def token_revoke(token_id: int) -> Answer:
    """Ask whether to revoke a token, or revoke it."""
    token = issuing.get(current_user, token_id)
    if request.method == "POST":
        with transaction():
            issuing.revoke(token)
        return _done(f"Revoked “{token.name}”.")
    return render_template("accounts/tokens/revoke.html", token=token)


@bp.route("/tokens/revoke", methods=["GET", "POST"])
def token_revoke_all() -> Answer:
    """Ask whether to revoke all tokens, or revoke them."""
    if request.method == "POST":
        with transaction():
            count = issuing.revoke_all(current_user)
        return _done(f"Revoked {count} tokens." if count != 1 else gettext("Revoked one token."))
    return render_template("accounts/tokens/revoke_all.html", tokens=issuing.of(current_user))


def _done(message: str) -> Response:
    flash(message, "success")
    return redirect(url_for(".token_list"), 303)


def _show(form: TokenForm, error: Invalid) -> None:
    for name, messages in error.errors.items():
        if name in form:
            form[name].errors = [*form[name].errors, *messages]
        else:
            form.form_errors.extend(messages)
