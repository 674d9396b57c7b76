"""Flask-Security as this platform has it: our tables, our words, our layout, our contract of errors.

It signs people in and out. It does not decide who may do what: that is ``core.access``.
"""

from collections.abc import Iterator
from collections.abc import MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from flask import Flask
from flask import Response
from flask import abort
from flask import render_template
from flask import request
from flask_babel import get_babel
from flask_babel import gettext
from flask_login import current_user
from flask_principal import identity_changed
from flask_security import RegisterFormV2
from flask_security import Security
from flask_security import change_email_confirmed
from itsdangerous import Serializer

from core.access import PUBLIC
from core.access import SIGNED_IN
from core.data.models import now
from core.declarations import declaring
from core.exceptions import Unauthenticated
from core.http.redirects import is_own_path
from core.http.sign_in import sign_in_at
from core.platform import platform_of
from services import db

from . import attempts
from . import commits
from . import factors
from . import forms
from . import identities
from . import throttles
from .confirming import choosing
from .confirming import owner_only
from .mails import Mails
from .mails import send
from .messages import MESSAGES
from .messages import SUBJECTS
from .models import Passkey
from .models import Role
from .models import User
from .passwords import Passwords
from .sessions import lifetimes
from .state import Accounts
from .users import Datastore
from .users import identify

#: OWASP's Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes and one lane.
ARGON2 = {"argon2__type": "ID", "argon2__memory_cost": 19456, "argon2__time_cost": 2, "argon2__parallelism": 1}

#: The name of Flask-Security's blueprint: `url_for("security.login")`.
BLUEPRINT = "security"

FORMS = {
    "login_form": forms.SignInForm,
    "verify_form": forms.VerifyForm,
    "send_confirmation_form": forms.SendConfirmationForm,
    "forgot_password_form": forms.ForgotPasswordForm,
    "reset_password_form": forms.ResetPasswordForm,
    "change_password_form": forms.ChangePasswordForm,
    "change_email_form": forms.ChangeEmailForm,
}

URLS = {
    "LOGIN_URL": "/sign-in",
    "LOGOUT_URL": "/sign-out",
    "REGISTER_URL": "/register",
    "CONFIRM_URL": "/confirm",
    "RESET_URL": "/reset",
    "CHANGE_URL": "/password",
    "CHANGE_EMAIL_URL": "/email",
    "VERIFY_URL": "/verify",
}

#: Where Flask-Security redirects afterwards.
VIEWS = {
    "POST_LOGIN_VIEW": "accounts.index",
    "POST_LOGOUT_VIEW": f"{BLUEPRINT}.login",
    "POST_REGISTER_VIEW": f"{BLUEPRINT}.login",
    "POST_CHANGE_VIEW": "accounts.index",
    "POST_VERIFY_VIEW": "accounts.index",
    "POST_CHANGE_EMAIL_VIEW": "accounts.index",
    "CHANGE_EMAIL_ERROR_VIEW": "accounts.index",
}

#: Its pages for signed-in users; the others are for everyone.
FOR_USERS = ("verify", "change_password", "change_email", "change_email_confirm", *factors.FOR_USERS)

#: A link in a mail, and what asks first.
ASKED_FIRST = {"confirm_email": choosing, "change_email_confirm": owner_only}


def init_app(app: Flask) -> None:
    """Give an application the pages on which people sign in."""
    app.config.update(options(app) | factors.options(app))
    app.extensions["accounts"] = Accounts(throttles.Attempts(app.config["REDIS_URL"]), lifetimes.make_store(app))
    with unchanged(app):
        security = Security(
            app,
            Datastore(db, User, Role, Passkey),
            mail_util_cls=Mails,
            password_util_cls=Passwords,
            **FORMS | factors.PARTS | {"register_form": _registers(app)},
        )
    # core.access decides about permissions; Principal would keep its own idea of it in `g.identity`.
    identity_changed.disconnect(security.principal._on_identity_changed, app)
    sign_with_todays_secret(security)
    # A link holds a hash. It is made as a password's is: asking for a link takes as long for an unknown address.
    security.hashing_context = security.pwd_context
    # Programs send personal access tokens; Flask-Security's own are never given out, nor taken.
    security.login_manager.request_loader(None)
    security.want_json(lambda request: False)
    security.context_processor(lambda: {"security": security, "current_user": current_user})
    security.unauthn_handler(refuse)
    app.before_request_funcs.setdefault(BLUEPRINT, []).append(check_request)
    app.after_request_funcs.setdefault(BLUEPRINT, []).append(lead_back)
    ask_first(app)
    commits.init_app(app, BLUEPRINT)
    declare_policies(app)
    factors.init_app(app)
    identities.init_app(app)
    lifetimes.init_app(app)
    attempts.init_app(app, BLUEPRINT)
    sign_in_at(app, f"{BLUEPRINT}.login")


def sign_with_todays_secret(security: Security) -> None:
    """Put SECRET_KEY last, with which itsdangerous signs.

    Flask-Security puts it first: once there are fallbacks, it signs links with the oldest of them, and they are void
    when that is dropped.
    """
    for one in vars(security).values():
        if isinstance(one, Serializer):
            one.secret_keys.reverse()


def options(app: Flask) -> dict[str, Any]:
    """Translate our configuration into Flask-Security's."""
    has_mail = bool(app.config["MAIL_URL"])
    chosen = {
        "BLUEPRINT_NAME": BLUEPRINT,
        "URL_PREFIX": "/accounts",
        "STATIC_FOLDER": None,
        "REGISTERABLE": app.config["ACCOUNTS_REGISTRATION"],
        "CONFIRMABLE": app.config["ACCOUNTS_CONFIRM"] and has_mail,
        "CHANGEABLE": True,
        # Also where no mail is sent: the command `accounts reset` prints a link.
        "RECOVERABLE": True,
        **dict.fromkeys(("CHANGE_EMAIL", "SEND_REGISTER_EMAIL", "SEND_PASSWORD_RESET_EMAIL"), has_mail),
        **dict.fromkeys(("SEND_PASSWORD_CHANGE_EMAIL", "SEND_PASSWORD_RESET_NOTICE_EMAIL"), has_mail),
        "EMAIL_SENDER": app.config["MAIL_SENDER"],
        "EMAIL_HTML": False,
        "RETURN_GENERIC_RESPONSES": True,
        "API_ENABLED_METHODS": ["session"],
        # Its own default is written `no-store=True`, which browsers do not know.
        "CACHE_CONTROL": {"no-store": None},
        "CLI_USERS_NAME": None,
        "CLI_ROLES_NAME": None,
        "DATETIME_FACTORY": now,
        "USER_IDENTITY_ATTRIBUTES": [{"email": {"mapper": identify, "case_insensitive": False}}],
        # No pepper: with a new SECRET_KEY no password would be right any more.
        "PASSWORD_SCHEMES": ["argon2"],
        "PASSWORD_SINGLE_HASH": ["argon2"],
        "PASSWORD_HASH_PASSLIB_OPTIONS": ARGON2,
        # Its messages are looked up in our catalogues.
        "I18N_DOMAIN": "messages",
        "I18N_DIRNAME": get_babel(app).translation_directories,
        **{f"MSG_{name}": message for name, message in MESSAGES.items()},
    }
    # A session has a record of its own. Flask-Login's guess by the browser's name would write a cookie
    # for every visitor who has a session without being signed in.
    guess = {"SESSION_PROTECTION": None}
    return guess | {f"SECURITY_{name}": value for name, value in (chosen | URLS | VIEWS | SUBJECTS).items()}


def _registers(app: Flask) -> type[RegisterFormV2]:
    confirms = app.config["SECURITY_CONFIRMABLE"]
    return forms.RegisterByMailForm if confirms else forms.RegisterForm


@contextmanager
def unchanged(app: Flask) -> Iterator[None]:
    """Give the application back what Flask-Security, Flask-Login and Flask-Principal add to every request.

    They load the account before each request, also for public pages, read the session after each,
    also in APIs, where it is no key, and wrap our JSON. Code that needs the identity asks ``core.access``.
    """
    places: tuple[MutableMapping[str | None, list[Any]], ...] = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.template_context_processors,
    )
    kept = [list(place.get(None, ())) for place in places]
    json = app.json_provider_class, app.json
    yield
    for place, functions in zip(places, kept, strict=True):
        place[None] = functions
    app.json_provider_class, app.json = json


@change_email_confirmed.connect
def notify_old_address(app: Flask, *, user: User, old_email: str, **details: object) -> None:
    """Write to the address that an account had: its owner is who must know."""
    subject = gettext("Your email address was changed")
    send(old_email, subject, render_template("security/email/email_changed.txt", user=user))


def refuse(mechanisms: object = None, headers: object = None) -> Any:
    """Answer as the rest of the platform does where a sign-in is needed."""
    raise Unauthenticated


def check_request() -> None:
    """Refuse a JSON body, which Flask-Security reads as a form whatever it holds, and ways to other sites."""
    if request.is_json:
        abort(415)
    for url in request.values.getlist("next"):
        if url and not is_own_path(url):
            abort(400, gettext("`next` is no path of this site."))


def lead_back(response: Response) -> Response:
    """Lead to ``next`` as it was sent: Flask-Security quotes its path once more, ``%20`` becomes ``%2520``."""
    asked = request.values.get("next", "")
    if response.location and asked:
        parts = urlsplit(asked)
        if response.location == urlunsplit(parts._replace(path=quote(parts.path))):
            response.location = asked
    return response


def ask_first(app: Flask) -> None:
    """Show a form before a link takes effect: programs that look into mails follow the links in them."""
    for name, asking in ASKED_FIRST.items():
        endpoint = f"{BLUEPRINT}.{name}"
        view = app.view_functions.get(endpoint)
        if view is None:
            continue
        app.view_functions[endpoint] = asking(view)
        for rule in list(app.url_map.iter_rules(endpoint)):
            if "POST" not in (rule.methods or ()):
                app.add_url_rule(rule.rule, endpoint, methods=["POST"])


def declare_policies(app: Flask) -> None:
    """Say for each of Flask-Security's endpoints who may ask for it."""
    platform_of(app).declarations[BLUEPRINT, "policy"] = PUBLIC
    for name in FOR_USERS:
        view = app.view_functions.get(f"{BLUEPRINT}.{name}")
        if view is not None:
            declaring("policy", SIGNED_IN)(view)
