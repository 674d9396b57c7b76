"""Rate limits of sign-in attempts: the requests that count, and the response when there were too many.

They are counted by `throttles.py`: by the forms (`counted.py`), just before a password is compared or a mail is
sent, and after Flask-Security's view, when it is known what came of it.
"""

import math
from collections.abc import Mapping

from flask import Flask
from flask import Response
from flask import abort
from flask import g
from flask import make_response
from flask import render_template
from flask import request
from flask import session
from flask_babel import ngettext
from flask_login import current_user

from core.access import security_log

from . import throttles
from .throttles import CODES
from .throttles import LINKS
from .throttles import MAILS
from .throttles import PASSWORDS
from .throttles import Throttle
from .users import identify

#: Throttles of Flask-Security's views.
THROTTLES: Mapping[str, Throttle] = {
    "login": PASSWORDS,
    "verify": PASSWORDS,
    "change_password": PASSWORDS,
    "two_factor_token_validation": CODES,
    "mf_recovery": CODES,
    "forgot_password": LINKS,
    "send_confirmation": MAILS,
    "register": MAILS,
    "change_email": MAILS,
}

#: Throttles that count for the submitted address, in any session and with any outcome.
TYPED = (LINKS, MAILS)

#: Views of a signed-in user, at which a redirect means success.
OWN_VIEWS = ("verify", "change_password")

#: Session key of the user whose second factor is asked for, once the password was right.
HALF_WAY = "tf_account"


def init_app(app: Flask, blueprint: str) -> None:
    """Count the attempts at the views of a blueprint."""
    app.after_request_funcs.setdefault(blueprint, []).append(finish)


def begin() -> None:
    """Count an attempt just before it is made; what a form refuses for its own faults is none.

    :raises HTTPException: 429 if it is one too many
    """
    throttle = THROTTLES.get((request.endpoint or "").rpartition(".")[2])
    account = _account(throttle) if throttle else ""
    if throttle is None or not account:
        return
    seconds = throttles.attempt(throttle, account)
    if seconds:
        abort(_too_many(throttle, seconds))
    g.accounts_attempt = throttle, account


def _too_many(throttle: Throttle, seconds: int) -> Response:
    who = current_user.key if current_user.is_authenticated else None
    security_log.record("sign-in.throttled", security_log.DENIED, who=who, by=throttle.name)
    response = make_response(render_template("accounts/throttled.html", throttle=throttle, wait=in_words(seconds)))
    response.status_code = 429
    response.headers["Retry-After"] = str(seconds)
    response.headers["Cache-Control"] = "no-store"
    return response


def finish(response: Response) -> Response:
    """Count what came of an attempt."""
    if "accounts_attempt" not in g:
        return response
    throttle, account = g.pop("accounts_attempt")
    view = (request.endpoint or "").rpartition(".")[2]
    went_well = 300 <= response.status_code < 400
    if response.status_code >= 500 or g.get("accounts_signed_in") or (went_well and view in OWN_VIEWS):
        # An error of the server reveals nothing about the guess, and no mail was sent.
        throttles.succeeded(throttle, account)
    elif throttle in TYPED:
        throttles.failed(throttle, account)
    elif not went_well:
        throttles.failed(throttle, account)
        if not g.get("accounts_failure_recorded"):
            # No such account; what was typed may be a password in the wrong field.
            security_log.record("sign-in.failed", security_log.FAILURE, by=throttle.name)
    elif view == "login":
        session[HALF_WAY] = account
    return response


def signed_in(email: str) -> None:
    """Know the browser from now on, and forget what it got wrong before."""
    account = throttles.mark(email)
    g.accounts_signed_in = True
    throttles.remember_browser(account)
    for throttle in (PASSWORDS, CODES):
        throttles.succeeded(throttle, account)
    session.pop(HALF_WAY, None)


def password_was_right() -> None:
    """Count this attempt as one that went well, whatever comes of what is asked for beside the password."""
    if "accounts_attempt" in g:
        throttles.succeeded(*g.pop("accounts_attempt"))


def _account(throttle: Throttle) -> str:
    """Return the mark of the account that a request is about; of the submitted address, without a session."""
    if throttle not in TYPED and current_user.is_authenticated:
        return throttles.mark(current_user.email)
    if throttle is CODES:
        half_way: str = session.get(HALF_WAY, "")
        return half_way
    # However it is spelt: an account that can be named in many ways has not so many more attempts.
    typed = request.form.get("email", "").strip()
    return throttles.mark(identify(typed) or typed) if typed else ""


def in_words(seconds: int) -> str:
    """Write how long to wait."""
    minutes, hours = math.ceil(seconds / 60), math.ceil(seconds / 3600)
    if seconds <= 90:
        return ngettext("a second", "%(num)s seconds", seconds)
    if minutes < 100:
        return ngettext("%(num)s minute", "%(num)s minutes", minutes)
    return ngettext("%(num)s hour", "%(num)s hours", hours)
