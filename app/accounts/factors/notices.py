"""Reactions to a changed factor: its owner gets a mail, and other browsers are signed out.

The mail is sent for Flask-Security's signals and for recovery codes, so that an owner soon learns that another
person has added a key (OWASP ASVS 5.0, 6.3.7); sessions that began before end (7.4.3).
"""

from typing import Any

from flask import Flask
from flask import render_template
from flask_security import tf_disabled
from flask_security import tf_profile_changed
from flask_security import wan_deleted
from flask_security import wan_registered

from core.access.security_log import record

from ..mails import send
from ..models import User
from ..sessions import lifetimes


@tf_profile_changed.connect
def app_is_set_up(app: Flask, user: User, **more: Any) -> None:
    """Notify the owner of a new authenticator app."""
    changed(user, "An authenticator app was set up", "signing in now asks for its codes")


@tf_disabled.connect
def app_is_turned_off(app: Flask, user: User, **more: Any) -> None:
    """Notify the owner that codes are no longer asked for."""
    changed(user, "The authenticator app was turned off", "signing in does not ask for its codes any more")
    drop_unused_codes(user, has_app=False)


@wan_registered.connect
def passkey_is_made(app: Flask, user: User, **more: Any) -> None:
    """Report a new passkey; its name was typed by a person, and goes into no mail."""
    changed(user, "A passkey was added", "one more passkey now opens it")


@wan_deleted.connect
def passkey_is_deleted(app: Flask, user: User, name: str, **more: Any) -> None:
    """Notify the owner of a deleted passkey."""
    changed(user, "A passkey was deleted", "a passkey was deleted")
    drop_unused_codes(user, without=name)


def codes_are_made(user: User) -> None:
    """Record new recovery codes."""
    record("recovery-codes.made", who=user.key)
    changed(user, "New recovery codes were made", "the earlier recovery codes no longer work")


def code_is_used(user: User, left: int) -> None:
    """Notify the owner that a recovery code was used."""
    record("recovery-code.used", who=user.key)
    notify(user, "A recovery code was used", f"a sign-in used a recovery code; {left or 'none'} are left")


def changed(user: User, subject: str, what: str) -> None:
    """Write to the owner, and end all sessions but this one."""
    lifetimes.end_others(user, "factor changed")
    notify(user, subject, what)


def notify(user: User, subject: str, what: str) -> None:
    """Write to the owner."""
    send(user.email, subject, render_template("security/email/factor_changed.txt", user=user, what=what))


def drop_unused_codes(user: User, *, has_app: bool | None = None, without: str = "") -> None:
    """Drop the recovery codes with the last second factor: the next one shall not begin with old codes.

    :param has_app: whether there is an app, if that is just changing
    :param without: a passkey that is just being deleted
    """
    has_app = user.tf_primary_method is not None if has_app is None else has_app
    if not has_app and all(key.usage != "secondary" or key.name == without for key in user.webauthn):
        user.mf_recovery_codes = None
