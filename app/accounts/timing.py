"""Answers that take as long whether or not there is an account: each hashes as often, which is what takes long.

A link holds a hash, made as a password's is (`security.py`). Flask-Security hashes for a sign-in that cannot
succeed, and for most requests about unknown addresses; the rest is here.
"""

from typing import Any

from flask import Flask
from flask_security import hash_password
from flask_security import reset_password_instructions_sent
from flask_security import user_not_registered
from flask_security import user_registered
from wtforms import Form

from .models import User


class ConstantTimeMixin(Form):
    """Takes as long to refuse an address as to send it a link."""

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether a link is to be sent."""
        is_valid = super().validate(*args, **kwargs)
        if not is_valid:
            _hash(1)
        return is_valid


@user_registered.connect
def is_new(app: Flask, **more: Any) -> None:
    """Hash two times more: the link to confirm is one, and there is no password yet."""
    if app.config["SECURITY_CONFIRMABLE"]:
        _hash(2)


@user_not_registered.connect
def is_known(app: Flask, user: User, **more: Any) -> None:
    """Hash as often as the links lack that make it three: whose address is confirmed gets none to confirm it."""
    if app.config["SECURITY_CONFIRMABLE"]:
        _hash((user.confirmed_at is not None) + (user.password is None))


@reset_password_instructions_sent.connect
def link_is_sent(app: Flask, user: User, **more: Any) -> None:
    """Hash for a user without a password: their link holds none."""
    if user.password is None:
        _hash(1)


def _hash(times: int) -> None:
    for _ in range(times):
        hash_password("not-a-password")
