"""The current identity: the account that this session, or this token, belongs to."""

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
from core.access import set_identity_loader
from core.access import set_role_loader
from core.crud.transactions import transaction
from core.http.headers import forget_pages
from core.http.sessions import has_cookie
from core.signals import preferences_chosen

from .models import User
from .roles import granting
from .roles.permissions import granted
from .sessions import lifetimes
from .tokens import bearer


def init_app(app: Flask) -> None:
    """Let the platform ask us who sends a request."""
    set_identity_loader(app, find)
    set_role_loader(app, granting.grants)
    app.before_request(bearer.check)


def find() -> Identity:
    """Return the identity of this request: anonymous without a query, a user with one."""
    if bearer.is_sent():
        return bearer.find()
    if not has_cookie() or "_user_id" not in session:
        return ANONYMOUS
    if "accounts_changed" in g:
        # The record is committed with the rest of the request: nothing outside of its transaction sees it.
        return identity_of(current_user, "session") if current_user.is_authenticated else ANONYMOUS
    return lifetimes.find() or ANONYMOUS


def identity_of(user: User, via: str, scopes: frozenset[str] | None = None) -> Identity:
    """Return an account as the rest of the platform knows it."""
    names = frozenset(role.name for role in user.roles)
    permissions = granted(names, (grant.permission for role in user.roles for grant in role.grants))
    return Identity(user.key, user.name, permissions, scopes, names, via, user.language, user.time_zone)


@user_logged_in.connect
@user_logged_out.connect
def reload_identity(app: Flask, **details: object) -> None:
    """Let the rest of this request see the user who has just signed in, or an anonymous visitor."""
    g.accounts_changed = True
    forget()


def look_again() -> None:
    """Determine the sender of this request again: the sign-in or sign-out failed."""
    g.pop("accounts_changed", None)


@preferences_chosen.connect
def keep_preferences(identity: Identity, language: str, time_zone: str) -> None:
    """Keep the language and the time zone that a user has chosen with their account."""
    if identity.via == "session":
        with transaction():
            current_user.language, current_user.time_zone = language, time_zone
        forget()


@user_logged_out.connect
def drop_pages(app: Flask, **details: object) -> None:
    """Let the browser drop the pages of the user who has just signed out."""
    after_this_request(forget_pages)
