"""Who is asking: the account that this session, or this token, belongs to."""

from flask import Flask
from flask import after_this_request
from flask import g
from flask import session
from flask_login import current_user
from flask_login import user_logged_in
from flask_login import user_logged_out

from core.access import ANONYMOUS
from core.access import Identity
from core.access import forget
from core.access import tell
from core.access import tell_roles
from core.http.headers import forget_pages
from core.http.sessions import has_cookie

from .models import User
from .roles import granting
from .roles.permissions import granted
from .sessions import lifetimes
from .tokens import bearer


def init_app(app: Flask) -> None:
    """Let the platform ask us who sends a request."""
    tell(app, find)
    tell_roles(app, granting.grants)
    app.before_request(bearer.check)


def find() -> Identity:
    """Find out who sends this request: nobody without a query, somebody with one."""
    if bearer.is_sent():
        return bearer.find()
    if not has_cookie() or "_user_id" not in session:
        return ANONYMOUS
    if "accounts_anew" in g:
        # The record is committed with the rest of the request: nothing outside of its transaction sees it.
        return identity_of(current_user, "session") if current_user.is_authenticated else ANONYMOUS
    return lifetimes.find() or ANONYMOUS


def identity_of(user: User, via: str, scopes: frozenset[str] | None = None) -> Identity:
    """Return an account as the rest of the platform knows it."""
    names = frozenset(role.name for role in user.roles)
    permissions = granted(names, (grant.permission for role in user.roles for grant in role.grants))
    return Identity(user.key, user.name, permissions, scopes, names, via)


@user_logged_in.connect
@user_logged_out.connect
def start_anew(app: Flask, **details: object) -> None:
    """Let the rest of this request see who has just signed in, or that nobody is."""
    g.accounts_anew = True
    forget()


def look_again() -> None:
    """Determine the sender of this request again: the sign-in or sign-out failed."""
    g.pop("accounts_anew", None)


@user_logged_out.connect
def drop_pages(app: Flask, **details: object) -> None:
    """Let the browser forget what it has shown to whoever has just signed out."""
    after_this_request(forget_pages)
