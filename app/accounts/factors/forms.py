"""The forms of the second factor, and the one that asks who is there again before something is changed."""

from typing import Any

from flask import current_app
from flask_babel import gettext
from flask_babel import lazy_gettext
from flask_security.forms import TwoFactorRescueForm
from flask_security.forms import TwoFactorSetupForm
from flask_security.forms import TwoFactorVerifyCodeForm
from flask_security.recovery_codes import MfRecoveryForm
from flask_security.tf_plugin import TwoFactorSelectForm
from wtforms import HiddenField
from wtforms import RadioField
from wtforms import StringField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # new in 3.3
from wtforms.validators import InputRequired
from wtforms.validators import Length

from core.access.security_log import DENIED
from core.access.security_log import record

from .. import attempts
from .. import throttles
from ..counted import Guess
from ..forms import ButtonInTemplate
from ..forms import VerifyForm
from ..models import User
from .app_codes import WINDOW_SECONDS

_WRONG_CODE = lazy_gettext("This code is not valid, or was used already. Enter the one that the app shows now.")


def _code_field() -> StringField:
    return StringField(
        gettext("Code"),
        validators=[InputRequired(gettext("Enter the code.")), Length(max=20)],
        description=gettext("The six digits that your authenticator app shows now."),
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"},
    )


class CodeForm(ButtonInTemplate, Guess, TwoFactorVerifyCodeForm):
    """Takes a code of the app: to sign in, or to finish setting it up."""

    code = _code_field()

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether the code is right."""
        is_valid = super().validate(*args, **kwargs)
        if not is_valid and self.code.data and len(self.code.data) <= 20:
            self.code.errors = [str(_WRONG_CODE)]
        return is_valid


class RecoveryCodeForm(ButtonInTemplate, Guess, MfRecoveryForm):
    """Takes a recovery code instead."""

    code = StringField(
        lazy_gettext("Recovery code"),
        validators=[InputRequired(lazy_gettext("Enter a recovery code.")), Length(max=60)],
        description=lazy_gettext("Each works once. Case, spaces and dashes do not matter."),
        render_kw={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"},
    )

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether this is a code of the user; a wrong one counts like a wrong code of the app."""
        is_valid = super().validate(*args, **kwargs)
        if not is_valid and self.code.data and self.user:
            self.user.track_failed_authn("recovery", True)
        return is_valid


class SetupForm(ButtonInTemplate, TwoFactorSetupForm):
    """Sets an app up, or turns it off: each by a button of its own."""

    # Of another kind than Flask-Security's: the buttons of the template choose.
    setup: Any = HiddenField()
    phone: Any = HiddenField()


#: Second factors to choose between, in words.
_WAYS = {"authenticator": lazy_gettext("A code of the authenticator app"), "webauthn": lazy_gettext("A passkey")}

#: A property since WTForms 3.3; its types have an attribute still.
_CHOICES: Any = RadioField.choices


class _Ways(RadioField):
    """Takes the ways as Flask-Security sets them, in the form that WTForms 3.3 gives up."""

    @property
    def choices(self) -> Any:
        return _CHOICES.fget(self)

    @choices.setter
    def choices(self, ways: Any) -> None:
        _CHOICES.fset(self, [SelectChoice(name, _WAYS[name]) for name, _ in ways])


class FactorForm(ButtonInTemplate, TwoFactorSelectForm):
    """Chooses between an app and a passkey, for who has both."""

    which = _Ways(lazy_gettext("Second factor"), validators=[InputRequired(lazy_gettext("Choose one."))])


class HelpForm(ButtonInTemplate, TwoFactorRescueForm):
    """Offers no help: a code by mail would be as weak as the mailbox, a mail to the administrator proves nothing."""

    # Of another kind than Flask-Security's: there is no choice.
    help_setup: Any = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Flask-Security adds to it what there is.
        self.help_setup.choices = []

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return that there is nothing to ask for."""
        return False


class AgainForm(VerifyForm):
    """Asks for the password again, and for a code of the app where there is one."""

    code = _code_field()
    user: User

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        if not (user.tf_totp_secret and current_app.config["ACCOUNTS_TOTP"]):
            del self.code

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether both are right."""
        if not super().validate(*args, **kwargs):
            return False
        if "code" not in self:
            return True
        # The view counts attempts at the password; a code has counters of its own.
        attempts.password_was_right()
        return self._has_right_code()

    def _has_right_code(self) -> bool:
        account = throttles.mark(self.user.email)
        wait = throttles.attempt(throttles.CODES, account)
        if wait:
            record("sign-in.throttled", DENIED, who=self.user.key, by=throttles.CODES.name)
            self.code.errors = [gettext("Too many codes were tried. Wait %(time)s.", time=attempts.in_words(wait))]
            return False
        codes = current_app.extensions["security"].totp_factory
        if codes.verify_totp(self.code.data, self.user.tf_totp_secret, self.user, WINDOW_SECONDS):
            throttles.succeeded(throttles.CODES, account)
            return True
        throttles.failed(throttles.CODES, account)
        self.user.track_failed_authn("code", True)
        self.code.errors = [str(_WRONG_CODE)]
        return False
