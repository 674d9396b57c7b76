"""Events of the security log, and receivers of Flask-Security's signals: they begin and end sessions, and write it."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask import g
from flask import has_request_context
from flask import request
from flask_login import user_logged_out
from flask_security import change_email_confirmed
from flask_security import change_email_instructions_sent
from flask_security import login_user
from flask_security import password_changed
from flask_security import password_reset
from flask_security import reset_password_instructions_sent
from flask_security import tf_disabled
from flask_security import tf_profile_changed
from flask_security import user_authenticated
from flask_security import user_confirmed
from flask_security import user_failed_authn
from flask_security import user_registered
from flask_security import wan_deleted
from flask_security import wan_registered

from core.access.security_log import FAILURE
from core.access.security_log import record
from core.data.models import now

from . import attempts
from . import throttles
from . import users
from .models import User
from .sessions import lifetimes

#: Events of the security log, and their meaning.
EVENTS = {
    "account.registered": "an account was made by registration",
    "account.confirmed": "the owner of an account confirmed its address",
    "account.created": "an operator made an account",
    "account.disabled": "an account was closed, its sessions ended",
    "account.enabled": "an account was opened again",
    "sign-in.succeeded": "a user signed in; `by` says with what",
    "sign-in.failed": "a password, code or passkey was wrong; `by` says which",
    "sign-in.throttled": "too many attempts: this one was not tried; `by` says of what",
    "sign-out": "a user signed out",
    "reauthenticated": "a signed-in user authenticated again",
    "sessions.ended": "sessions were ended from elsewhere; `count` says how many, `reason` why",
    "session.refused": "a cookie named a session that has ended; a copy, or one that was left too long",
    "password.changed": "a user changed their password",
    "password.reset": "a password was set by a link from a mail",
    "password.reset-asked": "a mail with such a link was sent",
    "email.changed": "the address of an account was changed",
    "email.change-asked": "a link was sent to a new address",
    "second-factor.changed": "a second factor was set up or replaced",
    "second-factor.removed": "a second factor was taken away",
    "recovery-codes.made": "new recovery codes replace the old ones",
    "recovery-code.used": "a recovery code was used up",
    "passkey.added": "a passkey was added",
    "passkey.removed": "a passkey was taken away",
    "token.made": "a personal access token was made; `target` is its number",
    "token.revoked": "a personal access token was revoked",
    "token.refused": "a token was sent that does not count",
    "role.changed": "a role was given or taken away; `role`, `target`",
    "permission.changed": "what a role grants was changed; `role`, `permission`",
}

#: Second factor by the view that ends the sign-in: Flask-Security's signal does not contain it.
SECOND_FACTORS = {"two_factor_token_validation": "code", "mf_recovery": "recovery", "wan_signin_response": "webauthn"}


@user_authenticated.connect
def signed_in(app: Flask, user: User, authn_via: list[str] | None = None, **more: Any) -> None:
    """Begin a session under a new id."""
    lifetimes.start(user)
    attempts.signed_in(user.email)
    if authn_via != ["change"]:
        record("sign-in.succeeded", who=user.key, by="+".join(authn_via or _both_factors()))


def _both_factors() -> list[str]:
    return ["password", SECOND_FACTORS[(request.endpoint or "").rpartition(".")[2]]]


@user_logged_out.connect
def signed_out(app: Flask, user: Any = None, **more: Any) -> None:
    """End the session."""
    if getattr(user, "is_authenticated", False):
        record("sign-out", who=user.key)
    lifetimes.end()


@user_failed_authn.connect
def failed(app: Flask, user: User, auth_type: str, tfa: bool = False, **more: Any) -> None:
    """Record a failed sign-in at an account."""
    g.accounts_failure_recorded = True
    record("sign-in.failed", FAILURE, who=user.key, by=auth_type)


@password_changed.connect
def password_is_changed(app: Flask, user: User, **more: Any) -> None:
    """End all sessions but this one."""
    record("password.changed", who=user.key)
    if has_request_context():
        lifetimes.end_others(user, "password changed")
    else:
        lifetimes.end_all(user, "password changed")


@password_reset.connect
def password_is_reset(app: Flask, user: User, **more: Any) -> None:
    """End all sessions, and know this browser from now on: the link proves the ownership of the address."""
    record("password.reset", who=user.key)
    if user.confirmed_at is None:
        chosen = user.password
        users.claim(user)
        user.password, user.confirmed_at = chosen, now()
        record("account.confirmed", who=user.key)
    lifetimes.end_all(user, "password reset")
    throttles.remember_browser(throttles.mark(user.email))


@user_confirmed.connect
def address_is_confirmed(app: Flask, user: User, **more: Any) -> None:
    """Remember the browser in which the owner's mail was read."""
    record("account.confirmed", who=user.key)
    throttles.remember_browser(throttles.mark(user.email))


@change_email_confirmed.connect
def address_is_changed(app: Flask, user: User, **more: Any) -> None:
    """End all sessions but this one, and know the browser by the new address, too."""
    record("email.changed", who=user.key)
    login_user(user, authn_via=["change"])
    lifetimes.end_others(user, "address changed")
    throttles.remember_browser(throttles.mark(user.email))


@wan_registered.connect
def passkey_is_added(app: Flask, user: User, **more: Any) -> None:
    """Record it without the passkey's name."""
    record("passkey.added", who=user.key)


@wan_deleted.connect
def passkey_is_removed(app: Flask, user: User, **more: Any) -> None:
    """Record it."""
    record("passkey.removed", who=user.key)


#: Signals that are only recorded.
RECORDED = {
    user_registered: "account.registered",
    reset_password_instructions_sent: "password.reset-asked",
    change_email_instructions_sent: "email.change-asked",
    tf_profile_changed: "second-factor.changed",
    tf_disabled: "second-factor.removed",
}


def _recorder(event: str) -> Callable[..., None]:
    def receiver(app: Flask, user: User, **more: Any) -> None:
        record(event, who=user.key)

    return receiver


for _signal, _event in RECORDED.items():
    # The signal is all that holds it.
    _signal.connect(_recorder(_event), weak=False)
