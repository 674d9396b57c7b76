"""Reactions to a changed factor: its owner gets a mail, and other browsers are signed out.

The mail is sent for Flask-Security's signals and for recovery codes, so that an owner soon learns that another
person has added a key (OWASP ASVS 5.0, 6.3.7); sessions that began before end (7.4.3).
"""

from typing import Any

from flask import Flask
from flask import render_template
from flask_babel import gettext
from flask_babel import lazy_gettext
from flask_babel import ngettext
from flask_security import tf_disabled
from flask_security import tf_profile_changed
from flask_security import wan_deleted
from flask_security import wan_registered

from core.access.security_log import record

from ..mails import send
from ..models import User
from ..sessions import lifetimes

_APP_SET_UP = lazy_gettext("An authenticator app was set up"), lazy_gettext("signing in now asks for its codes")
_APP_OFF = (
    lazy_gettext("The authenticator app was turned off"),
    lazy_gettext("signing in does not ask for its codes any more"),
)
_PASSKEY_ADDED = lazy_gettext("A passkey was added"), lazy_gettext("one more passkey now opens it")
_PASSKEY_DELETED = lazy_gettext("A passkey was deleted"), lazy_gettext("a passkey was deleted")
_CODES_MADE = (
    lazy_gettext("New recovery codes were made"),
    lazy_gettext("the earlier recovery codes no longer work"),
)


@tf_profile_changed.connect
def app_is_set_up(app: Flask, user: User, **more: Any) -> None:
    """Notify the owner of a new authenticator app."""
    changed(user, _APP_SET_UP)


@tf_disabled.connect
def app_is_turned_off(app: Flask, user: User, **more: Any) -> None:
    """Notify the owner that codes are no longer asked for."""
    changed(user, _APP_OFF)
    drop_unused_codes(user, has_app=False)


@wan_registered.connect
def passkey_is_made(app: Flask, user: User, **more: Any) -> None:
    """Report a new passkey; its name was typed by a person, and goes into no mail."""
    changed(user, _PASSKEY_ADDED)


@wan_deleted.connect
def passkey_is_deleted(app: Flask, user: User, name: str, **more: Any) -> None:
    """Notify the owner of a deleted passkey."""
    changed(user, _PASSKEY_DELETED)
    drop_unused_codes(user, without=name)


def codes_are_made(user: User) -> None:
    """Record new recovery codes."""
    record("recovery-codes.made", who=user.key)
    changed(user, _CODES_MADE)


def code_is_used(user: User, left: int) -> None:
    """Notify the owner that a recovery code was used."""
    record("recovery-code.used", who=user.key)
    what = gettext("a sign-in used a recovery code; none are left")
    if left:
        what = ngettext(
            "a sign-in used a recovery code; %(num)s are left", "a sign-in used a recovery code; %(num)s are left", left
        )
    notify(user, gettext("A recovery code was used"), what)


def changed(user: User, notice: tuple[str, str]) -> None:
    """Write to the owner, and end all sessions but this one.

    :param notice: subject, and what has changed
    """
    lifetimes.end_others(user, "factor changed")
    notify(user, *notice)


def notify(user: User, subject: str, what: str) -> None:
    """Write to the owner."""
    text = render_template("security/email/factor_changed.txt", user=user, what=what)
    send(user.email, str(subject), text)


def drop_unused_codes(user: User, *, has_app: bool | None = None, without: str = "") -> None:
    """Drop the recovery codes with the last second factor: the next one shall not begin with old codes.

    :param has_app: whether there is an app, if that is just changing
    :param without: a passkey that is just being deleted
    """
    has_app = user.tf_primary_method is not None if has_app is None else has_app
    if not has_app and all(key.usage != "secondary" or key.name == without for key in user.webauthn):
        user.mf_recovery_codes = None
