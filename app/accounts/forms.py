"""The forms of sign-in and of one's own account: Flask-Security's, in our words.

Their checks are its own. A button is in the template, so that no form has a field for it.
"""

import re
from collections.abc import Callable
from typing import Any

from flask import current_app
from flask_babel import gettext
from flask_babel import lazy_gettext
from flask_security import ChangeEmailForm as BaseChangeEmailForm
from flask_security import ChangePasswordForm as BaseChangePasswordForm
from flask_security import ForgotPasswordForm as BaseForgotPasswordForm
from flask_security import LoginForm
from flask_security import RegisterFormV2
from flask_security import ResetPasswordForm as BaseResetPasswordForm
from flask_security import SendConfirmationForm as BaseSendConfirmationForm
from flask_security import VerifyForm as BaseVerifyForm
from flask_security.forms import EmailValidation
from flask_security.forms import EqualToLocalize
from flask_security.forms import email_required
from flask_security.forms import password_required
from flask_security.forms import unique_user_email
from flask_security.forms import valid_user_email
from flask_security.utils import get_message
from flask_wtf import FlaskForm
from wtforms import BooleanField
from wtforms import EmailField
from wtforms import Field
from wtforms import Form
from wtforms import PasswordField
from wtforms import StringField
from wtforms.validators import DataRequired
from wtforms.validators import Length
from wtforms.validators import ValidationError

from . import attempts
from .counted import AskForMail
from .counted import AskForNewAddress
from .counted import Guess
from .models import LONGEST_NAME
from .models import User
from .passwords import LONGEST
from .passwords import SHORTEST
from .timing import ConstantTimeMixin

ADVICE = lazy_gettext(
    "At least %(shortest)s characters. A few words in a row are good; spaces count.", shortest=SHORTEST
)


def _email(*checks: Callable[..., object], autocomplete: str = "email", label: str = "Email address") -> EmailField:
    return EmailField(label, [email_required, Length(max=254), *checks], render_kw={"autocomplete": autocomplete})


def _password(label: str = "Password") -> PasswordField:
    """Make the field for an existing password."""
    return PasswordField(
        label, [password_required, Length(max=LONGEST)], render_kw={"autocomplete": "current-password"}
    )


def _new_password(label: str = "Password") -> PasswordField:
    return PasswordField(label, [password_required], description=ADVICE, render_kw={"autocomplete": "new-password"})


def _again(name: str) -> PasswordField:
    """Make the field in which a new password is typed once more."""
    same = EqualToLocalize(name, message="RETYPE_PASSWORD_MISMATCH")
    return PasswordField(
        gettext("Repeat the password"), [same, password_required], render_kw={"autocomplete": "new-password"}
    )


#: Characters that make a name look like more than one, or like another: line breaks, and right-to-left marks.
_MISLEADING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def is_one_line(form: Form, field: Field) -> None:
    """Refuse what cannot be read as it is written."""
    if _MISLEADING.search(field.data or ""):
        raise ValidationError(gettext("Use letters, digits, spaces and punctuation."))


def _name() -> StringField:
    return StringField(
        gettext("Name"),
        [DataRequired(gettext("Enter your name.")), Length(max=LONGEST_NAME), is_one_line],
        description=gettext("Visible to other users."),
        render_kw={"autocomplete": "name"},
    )


class ButtonInTemplate:
    """Takes the field of the button out of a form."""

    #: WTForms takes a field out where its name stands for ``None``, which its types do not know.
    submit: Any = None


class SignInForm(ButtonInTemplate, Guess, LoginForm):
    email = _email(EmailValidation(verify=False), autocomplete="username")
    password = _password()
    # Not Flask-Login's cookie for it, which no sign-out ends; see `sessions/lifetimes.py`.
    remember = BooleanField(
        lazy_gettext("Stay signed in when the browser is closed"), description=lazy_gettext("Only on your own device.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Theirs is a link, which the template has.
        self.password.description = ""


class VerifyForm(ButtonInTemplate, Guess, BaseVerifyForm):
    password = _password()


class RegisterForm(ButtonInTemplate, AskForNewAddress, RegisterFormV2):
    """Makes an account at once, where no address is confirmed."""

    name = _name()
    email = _email(EmailValidation(verify=True), unique_user_email)
    password = _new_password()
    password_confirm = _again("password")


class RegisterByMailForm(ButtonInTemplate, AskForNewAddress, RegisterFormV2):
    """Ask for the address alone: the password is chosen by the link in the mail; see :class:`ConfirmForm`."""

    email = _email(EmailValidation(verify=True), unique_user_email)
    # As with the button: no field.
    password: Any = None
    password_confirm: Any = None

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether the address is one that has no account; Flask-Security would look at the password, too."""
        is_valid = Form.validate(self, *args, **kwargs)
        if is_valid or self.hides_fault():
            attempts.begin()
        return is_valid

    def to_dict(self, only_user: bool) -> dict[str, Any]:
        """Return what the account begins with; its owner says their name later."""
        return super().to_dict(only_user) | {"name": (self.email.data or "").partition("@")[0], "password": None}


class ConfirmForm(FlaskForm):
    """Ask for the name and the password, from the link in the mail.

    :param user: the account that waits for it
    """

    name = _name()
    password = _new_password()
    password_confirm = _again("password")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether the account can be theirs with it."""
        if not super().validate(*args, **kwargs):
            return False
        known = {"email": self.user.email, "name": self.name.data}
        check = current_app.extensions["security"].password_util.validate
        faults, self.password.data = check(self.password.data, True, **known)
        self.password.errors = [*self.password.errors, *(faults or ())]
        return not faults


class SendConfirmationForm(ButtonInTemplate, ConstantTimeMixin, AskForMail, BaseSendConfirmationForm):
    email = _email(EmailValidation(verify=False), valid_user_email)


class ForgotPasswordForm(ButtonInTemplate, AskForMail, BaseForgotPasswordForm):
    email = _email(EmailValidation(verify=False), valid_user_email, autocomplete="username")


class ResetPasswordForm(ButtonInTemplate, BaseResetPasswordForm):
    password = _new_password("New password")
    password_confirm = _again("password")


class ChangePasswordForm(ButtonInTemplate, Guess, BaseChangePasswordForm):
    password = _password("Current password")
    new_password = _new_password("New password")
    new_password_confirm = _again("new_password")

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether the current password is right and the new one is good; a bad one was no wrong guess."""
        is_valid = super().validate(*args, **kwargs)
        if not is_valid and get_message("INVALID_PASSWORD")[0] not in self.password.errors:
            attempts.password_was_right()
        return is_valid


class ChangeEmailForm(ButtonInTemplate, ConstantTimeMixin, AskForNewAddress, BaseChangeEmailForm):
    email = _email(EmailValidation(verify=True), unique_user_email, label="New email address")


class ProfileForm(FlaskForm):
    """Form of a user's own profile."""

    name = _name()
