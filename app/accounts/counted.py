"""Forms that count an attempt when it is made: with all fields filled in, before a password is compared or a mail sent.

What is misspelt is no attempt: it is refused by the form, and neither guesses nor sends anything.
"""

from typing import Any

from flask_security import UserMixin
from wtforms import Form

from . import attempts


class Guess(Form):
    """Count a guess once its fields are complete, before it is compared."""

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether the guess is right."""
        if not Form.validate(self, *args, **kwargs):
            return False
        attempts.begin()
        return super().validate(*args, **kwargs)


class AskForMail(Form):
    """Count a mail once the form is accepted, or looks so, before it is sent."""

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether a mail is to be sent."""
        is_valid = super().validate(*args, **kwargs)
        if is_valid or (set(self.errors) == {"email"} and self.hides_fault()):
            attempts.begin()
        return is_valid

    def hides_fault(self) -> bool:
        """Return whether the answer is the same as without the fault, so that it reveals no account."""
        return True


class AskForNewAddress(AskForMail):
    """The same, where only an address that is taken looks accepted."""

    #: Found by the checks of Flask-Security's form.
    existing_email_user: UserMixin | None

    def hides_fault(self) -> bool:
        """Return whether the address is another account's."""
        return self.existing_email_user is not None
