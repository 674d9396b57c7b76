"""Between the password and the second factor: the next page, and when a half-done sign-in expires."""

import time
from typing import Any

from flask import Flask
from flask import current_app
from flask import redirect
from flask import request
from flask import session
from flask import url_for
from flask_login import current_user
from flask_security import UserMixin
from flask_security import user_authenticated
from flask_security.tf_plugin import TfPlugin
from flask_security.twofactor import CodeTfPlugin
from flask_security.webauthn import WebAuthnTfPlugin
from werkzeug.wrappers import Response

SINCE = "tf_since"

#: Flask-Security's session keys meanwhile, and when the password was right.
HALF_WAY = ("tf_state", "tf_user_id", "tf_primary_method", "tf_remember_login", "tf_totp_secret", "tf_select", SINCE)

#: How long it may take from the password to the second factor.
SECONDS = 600


def _asked_for() -> str | None:
    """Return the page that was asked for before sign-in; Flask-Security would lead back to the sign-in page."""
    return request.values.get("next") or None


class AppStep(CodeTfPlugin):
    """A code of the authenticator app."""

    def tf_login(self, user: UserMixin, json_payload: dict[str, Any], next_loc: str | None) -> Any:
        """Go on to the page that asks for it."""
        return super().tf_login(user, json_payload, _asked_for())


class PasskeyStep(WebAuthnTfPlugin):
    """A passkey that follows the password."""

    def tf_login(self, user: UserMixin, json_payload: dict[str, Any], next_loc: str | None) -> Any:
        """Go on to the page that asks for it."""
        return super().tf_login(user, json_payload, _asked_for())


class Steps(TfPlugin):
    """All of them.

    :param steps: as Flask-Security has made them
    """

    def __init__(self, steps: TfPlugin) -> None:
        self._tf_impls = steps._tf_impls

    def tf_enter(self, user: UserMixin, remember_me: bool | None, primary_authn_via: str, next_loc: str | None) -> Any:
        """Ask for the second factor, where the account has one."""
        answer = super().tf_enter(user, remember_me, primary_authn_via, _asked_for())
        session[SINCE] = int(time.time())
        return answer


def check_step() -> Response | None:
    """Forget who has waited too long, and lead away from the page of codes, which would sign them out, who is in."""
    if "tf_user_id" in session and time.time() - session.get(SINCE, 0) > SECONDS:
        forget(current_app)
    if request.endpoint == "security.two_factor_token_validation" and current_user.is_authenticated:
        return redirect(url_for("accounts.index"), 303)
    return None


@user_authenticated.connect
def forget(app: Flask, **details: object) -> None:
    """Leave nothing of a sign-in half-way behind: where apps are switched off, Flask-Security does."""
    for name in HALF_WAY:
        session.pop(name, None)
