"""Fresh authentication for sensitive actions (ASVS 5.0, 7.5.2): within ``SECURITY_FRESHNESS``."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from typing import TypeVar

from flask import current_app
from flask import redirect
from flask import url_for
from flask_login import current_user
from flask_security import auth_required
from flask_security.utils import check_and_update_authn_fresh

View = TypeVar("View", bound=Callable[..., Any])


def _within() -> timedelta:
    found: timedelta = current_app.config["SECURITY_FRESHNESS"]
    return found


#: A page with a form: who has not is led to the password, and back to the page.
fresh = auth_required("session", within=_within)


def fresh_or_back_to(endpoint: str) -> Callable[[View], View]:
    """Return a decorator for what only takes a form: who has not is led to the password, and from there to a page.

    A form cannot be sent again by a link.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def asking(*args: Any, **kwargs: Any) -> Any:
            if is_fresh():
                return view(*args, **kwargs)
            return redirect(url_for("security.verify", next=url_for(endpoint)), 303)

        return asking  # type: ignore[return-value]  # it may also redirect

    return decorate


def is_fresh() -> bool:
    """Return whether the current user has authenticated lately."""
    # Flask-Security knows the method of the sign-in only once the account was looked at.
    return current_user.is_authenticated and check_and_update_authn_fresh(_within(), timedelta(0), "session")
