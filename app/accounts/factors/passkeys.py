"""Passkeys (WebAuthn): what they are asked for, and what is checked beyond Flask-Security.

A passkey is of one of two uses. ``first`` signs in alone: it proves that its owner has it, and the
authenticator asks for a PIN or a finger, so that it counts for two factors. ``secondary`` follows
the password, and a touch is enough.
"""

import secrets
import time
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from flask import session
from flask_babel import gettext
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_security import UserMixin
from flask_security import WebauthnUtil
from flask_security.utils import get_message
from flask_security.webauthn import WebAuthnDeleteForm
from flask_security.webauthn import WebAuthnRegisterForm
from flask_security.webauthn import WebAuthnRegisterResponseForm
from flask_security.webauthn import WebAuthnSigninResponseForm
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers import parse_registration_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import AuthenticatorSelectionCriteria
from webauthn.helpers.structs import ResidentKeyRequirement
from webauthn.helpers.structs import UserVerificationRequirement
from wtforms import Field
from wtforms import HiddenField
from wtforms import RadioField
from wtforms import StringField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # new in 3.3
from wtforms.validators import InputRequired
from wtforms.validators import Length

from services import db

from ..forms import ButtonInTemplate
from ..models import Passkey
from ..models import User

#: Errors that a broken credential makes the libraries raise; Flask-Security expects some of it. The last is of JSON
#: within JSON within JSON.
_BROKEN = (WebAuthnException, ValueError, KeyError, TypeError, RecursionError)

_UNREADABLE = "What the browser sent could not be read. Try again."


class PasskeyRules(WebauthnUtil):
    """Requirements of a passkey."""

    def generate_challenge(self, nbytes: int | None = None) -> str:
        """Return a challenge that contains its time of creation; the state around it is signed."""
        return f"{time.time_ns() // 1000}.{secrets.token_urlsafe(nbytes)}"

    def authenticator_selection(self, user: UserMixin, usage: str) -> AuthenticatorSelectionCriteria:
        """Return what a new passkey must be able to do, wherever it is kept."""
        if usage == "first":
            return AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            )
        return AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.DISCOURAGED
        )

    def user_verification(self, user: UserMixin | None, usage: list[str]) -> UserVerificationRequirement:
        """Return whether the authenticator must ask for a PIN or a finger."""
        if "secondary" in usage:
            return UserVerificationRequirement.DISCOURAGED
        return UserVerificationRequirement.REQUIRED

    def name_svn(self, value: str) -> tuple[str | None, str | None]:
        """Return ``(None, name)``, or what is wrong with the name."""
        # Flask-Security's own takes it for HTML, and would show “Tom &amp; Ada” where pages escape.
        name = unicodedata.normalize("NFC", value).strip()
        if not name or not name.isprintable():
            return gettext("Use letters, digits, spaces and punctuation."), None
        return None, name


class NewPasskeyForm(ButtonInTemplate, WebAuthnRegisterForm):
    """Names a passkey before it is made."""

    name = StringField(
        lazy_gettext("Name"),
        validators=[InputRequired(lazy_gettext("Give it a name.")), Length(max=64)],
        description=lazy_gettext("To distinguish it from others, such as “Phone” or “Blue key”."),
        render_kw={"autocomplete": "off"},
    )
    usage = RadioField(
        lazy_gettext("Use it"),
        choices=[
            SelectChoice("first", lazy_gettext("Instead of the password: it will ask for a PIN, a finger or a face")),
            SelectChoice("secondary", lazy_gettext("After the password, as the second factor")),
        ],
        default="first",
        validators=[InputRequired(lazy_gettext("Choose one."))],
    )


class CreatedPasskeyForm(ButtonInTemplate, WebAuthnRegisterResponseForm):
    """Takes the passkey that the browser has made."""

    credential = HiddenField()

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether it is one, and keep no more of it than is shown later."""
        is_valid = (
            _is_readable(self, parse_registration_credential_json)
            and self._has_free_name()
            and _checked(self, partial(super().validate, *args, **kwargs))
        )
        # It keeps what the browser says of extensions as it came, whatever its length.
        self.extensions = None  # type: ignore[assignment]  # the column may be empty
        return is_valid

    def _has_free_name(self) -> bool:
        """Return whether no passkey is called so; of two that are made at once the second waits, and sees."""
        user_id = current_user.id
        db.session.execute(sa.select(User.id).where(User.id == user_id).with_for_update())
        names = db.session.scalars(sa.select(Passkey.name).where(Passkey.user_id == user_id).with_for_update()).all()
        if self.name in names:
            return _refuse(self.credential, get_message("WEBAUTHN_NAME_INUSE", name=self.name)[0])
        return True


class UsedPasskeyForm(ButtonInTemplate, WebAuthnSigninResponseForm):
    """Takes what the browser has signed with a passkey."""

    credential = HiddenField()

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether its owner may now go on."""
        if not _is_readable(self, parse_authentication_credential_json):
            return False
        is_valid = _checked(self, partial(super().validate, *args, **kwargs))
        return is_valid and self._may_sign_in() and self._is_first_use()

    def _may_sign_in(self) -> bool:
        # Flask-Security 5.9 names the fault, and goes on to sign in an account that is disabled.
        if self.user is None or not self.user.is_active:
            return False
        # It also takes any account's key after any account's password, and signs in the owner of the
        # key: who has found one would need their own password only.
        if self.is_secondary and self.user.fs_uniquifier != session["tf_user_id"]:
            return _refuse(self.credential, gettext("This passkey belongs to another account."))
        return True

    def _is_first_use(self) -> bool:
        """Return whether the challenge was made after the passkey's last use: none is answered twice.

        The counter within a passkey would show it as well, but those that are copied between devices have none.
        """
        if self.cred is None:
            return False
        db.session.refresh(self.cred, with_for_update=True)
        made_at = int(self.challenge.partition(".")[0])
        if made_at <= self.cred.lastuse_datetime.timestamp() * 1_000_000:
            return _refuse(self.credential, gettext("This was used already. Start again."))
        return True


class PasskeyDeletionForm(ButtonInTemplate, WebAuthnDeleteForm):
    """Names the passkey that is to be deleted."""

    name = HiddenField(validators=[InputRequired()])


#: A form that takes what a browser has made.
_Answer = CreatedPasskeyForm | UsedPasskeyForm


def _is_readable(form: _Answer, parse: Callable[[str], Any]) -> bool:
    """Return whether a credential can be read; Flask-Security's word for one that cannot is of links."""
    try:
        parse(form.credential.data or "")
    except _BROKEN:
        return _refuse(form.credential, _UNREADABLE)
    return True


def _checked(form: _Answer, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except _BROKEN:
        return _refuse(form.credential, _UNREADABLE)


def _refuse(field: Field, message: str) -> bool:
    field.errors = [*field.errors, message]
    return False
