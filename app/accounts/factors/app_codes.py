"""Codes of an authenticator app (TOTP, RFC 6238): each is taken once, and by one request only."""

import json
import logging
from typing import Any
from typing import cast

from flask import Flask
from flask import current_app
from flask import has_request_context
from flask import session
from flask_security import Totp
from flask_security import UserMixin
from flask_security import tf_code_confirmed
from passlib.exc import TokenError
from passlib.totp import TOTP
from passlib.totp import AppWallet
from sqlalchemy import ColumnElement
from sqlalchemy import CursorResult
from sqlalchemy import or_
from sqlalchemy import update

import settings
from core.fields.encryption import derive
from services import db

from ..models import User

log = logging.getLogger(__name__)

#: A step before this moment and one after it: a phone's clock is seldom wrong by more.
WINDOW_SECONDS = 30

#: Purpose of the derived key that encrypts the secrets of the apps.
USE = "accounts: totp"


class AppCodes(Totp):
    """Flask-Security's codes, with the memory of the last one that it leaves to the application.

    :param secrets: tag to secret; the first encrypts, the others still decrypt
    """

    def __init__(self, secrets: dict[str, str], issuer: str) -> None:
        # Its own constructor encrypts with the greatest tag; ours are no numbers.
        wallet = AppWallet(secrets, default_tag=next(iter(secrets)))
        self._totp = TOTP.using(issuer=issuer, wallet=wallet)

    def generate_totp_secret(self) -> str:
        """Return the secret that is being set up, or a new one: a mistyped code costs no second scan."""
        begun = session.get("tf_totp_secret") if has_request_context() else None
        return begun or super().generate_totp_secret()

    def verify_totp(self, token: str, totp_secret: str, user: UserMixin, window: int = 0) -> bool:
        """Return whether a code is right, and take it: no code counts twice (RFC 6238, section 5.2)."""
        try:
            match = self._totp.verify(token, totp_secret, window=window)
        except TokenError:
            return False
        except KeyError:
            log.error("the secret of an authenticator app cannot be read: is a key missing in SECRET_KEY_FALLBACKS?")
            return False
        return _take(user, match.counter, is_new=totp_secret != user.tf_totp_secret)

    @property
    def tag(self) -> str:
        """The name of the key of today."""
        return self._totp.wallet.default_tag

    def is_of_an_earlier_key(self, totp_secret: str) -> bool:
        """Return whether a secret is encrypted with a key that is being rotated out."""
        return bool(json.loads(totp_secret)["enckey"]["t"] != self.tag)

    def reencrypted(self, totp_secret: str) -> str:
        """Return a secret, encrypted with the key of today."""
        return self._totp.from_source(totp_secret).to_json(encrypt=True)


@tf_code_confirmed.connect
def keep_readable(app: Flask, user: UserMixin, **more: Any) -> None:
    """Encrypt the secret with the key of today, so that an earlier one can be forgotten one day."""
    codes = app.extensions["security"].totp_factory
    if codes.is_of_an_earlier_key(user.tf_totp_secret):
        user.tf_totp_secret = codes.reencrypted(user.tf_totp_secret)


# --- all of them at once, by `flask secret reencrypt` -------------------------------------------


def of_an_earlier_key() -> ColumnElement[bool]:
    """Return the condition of what is not encrypted with the key of today."""
    return User.tf_totp_secret.not_like(f'%"t":"{_all_codes().tag}"%')


def reencrypted(totp_secret: str) -> str | None:
    """Return a secret, encrypted with the key of today; ``None`` where its own is not known."""
    try:
        return _all_codes().reencrypted(totp_secret)
    except (KeyError, ValueError):
        return None


def _all_codes() -> AppCodes:
    # Flask-Security has none where codes are switched off; they may be switched on again.
    return AppCodes(derive(current_app, USE), settings.SITE_NAME)


# --- one at a time ------------------------------------------------------------------------------


def _take(user: UserMixin, counter: int, *, is_new: bool) -> bool:
    """Note down the code's number; of two requests with the same code the database lets one through.

    :param is_new: whether it is of an app that is being set up, to which earlier numbers say nothing
    """
    statement = update(User).where(User.id == user.id).values(tf_totp_counter=counter)
    if not is_new:
        statement = statement.where(or_(User.tf_totp_counter.is_(None), User.tf_totp_counter < counter))
    # The session's types know no result of an UPDATE.
    result = cast(CursorResult[Any], db.session.execute(statement))
    return result.rowcount == 1
