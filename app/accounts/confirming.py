"""Links that prove the ownership of an address: what they ask for before they take effect.

A registration, or a new address, proves nothing yet. With a button alone, the owner of the address could be made to
confirm it for the account of another person.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask_babel import gettext
from flask_login import current_user
from flask_security import hash_password
from flask_security.change_email import _verify_token_status
from flask_security.confirmable import confirm_email_token_status
from flask_security.confirmable import confirm_user
from flask_security.utils import get_message
from flask_security.utils import logout_user

from . import users
from .forms import ConfirmForm


def choosing(view: Callable[..., Any]) -> Callable[..., Any]:
    """Ask for name and password where Flask-Security's view would confirm; what it refuses it still refuses."""

    @wraps(view)
    def choose(token: str) -> Any:
        expired, invalid, user = confirm_email_token_status(token)
        if expired or invalid or user is None or user.confirmed_at is not None:
            return view(token)
        form = ConfirmForm(user)
        if not form.validate_on_submit():
            return render_template("security/confirm_email.html", form=form, email=user.email)
        users.claim(user)
        user.name, user.password = form.name.data or "", hash_password(form.password.data or "")
        confirm_user(user)
        if current_user.is_authenticated:
            logout_user()
        flash(*get_message("EMAIL_CONFIRMED"))
        return redirect(url_for("security.login"))

    return choose


def owner_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Show the button only to the account that the link is for: the address becomes that account's."""

    @wraps(view)
    def ask(token: str) -> Any:
        *_, user, _ = _verify_token_status(token)
        if user is not None and user != current_user:
            flash(
                gettext("This link is for another account: sign in to that one, then follow the link again."), "error"
            )
            return redirect(url_for("accounts.index"))
        if request.method == "POST":
            return view(token)
        return render_template("security/change_email_confirm.html", button=gettext("Change the address"))

    return ask
