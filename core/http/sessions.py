"""Flask's signed-cookie session, free for a request that does not use it, and no key without a form token.

A browser sends the cookie with every request, also with one that another site made. A request that may
change something therefore gets its session only with a form token, whatever its endpoint: a page's form is
checked before its view runs (:mod:`core.http.form_check`), and everything else when it uses the session. A
request to an API with ``Authorization`` gets an empty one: the token says who asks, not the browser.
"""

import functools
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask import Request
from flask import Response
from flask import current_app
from flask import g
from flask import request
from flask import session
from flask.globals import request_ctx
from flask.sessions import SecureCookieSession
from flask.sessions import SecureCookieSessionInterface
from flask.sessions import SessionMixin
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from services import csrf

from ..access import forget
from .apis import is_api
from .apis import is_exempt

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


class SessionInterface(SecureCookieSessionInterface):
    """Skips the signer when a request has no session cookie, as API clients have none, or does not use it (100 µs)."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session, which reads its cookie when it is used.

        Flask opens it before it has matched the address: only then the endpoint is known.
        """
        if not app.secret_key:
            return None
        if self.get_cookie_name(app) not in request.environ.get("HTTP_COOKIE", ""):
            return self.session_class()
        return LazySession(app, request, lambda: super(SessionInterface, self).open_session(app, request))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the session to its cookie; one that was not used, or was refused, stays in the browser as it is."""
        if (session.accessed or session.modified) and getattr(session, "refusal", None) is None:
            super().save_session(app, session, response)


def has_cookie() -> bool:
    """Return whether a request may have a session; asked without using it, which would make the answer vary."""
    return current_app.session_interface.get_cookie_name(current_app) in request.environ.get("HTTP_COOKIE", "")


def undo_changes() -> None:
    """Give the request the session that its browser has sent: what failed leaves nothing in the next cookie."""
    changed = request_ctx._session
    if changed is None or not changed.modified:
        return
    app = request_ctx.app
    request_ctx._session = app.session_interface.open_session(app, request_ctx.request)
    # State of the earlier session: the signed-in user, and the CSRF token.
    for name in ("_login_user", app.config["WTF_CSRF_FIELD_NAME"]):
        g.pop(name, None)
    forget()


def session_owner() -> str:
    """Return what identifies the session that this request may use; empty where it may use none.

    What else a session holds may change between a request and its repetition: its CSRF secret stays, and so
    does the name under which Flask-Login keeps who has signed in.
    """
    if not has_cookie() or getattr(session, "refusal", None) is not None:
        return ""
    return "\0".join(str(session.get(name, "")) for name in (current_app.config["WTF_CSRF_FIELD_NAME"], "_user_id"))


def show_to_page() -> None:
    """Show the current user on an error page though the request was refused the session; no view runs any more."""
    found = session._get_current_object()  # type: ignore[attr-defined]  # of the proxy
    if isinstance(found, LazySession):
        found.show()


def refuse_once() -> None:
    """Give hooks that run after an error an empty session where it was refused: the error is answered already."""
    g.session_is_refused = True


class LazySession(SecureCookieSession):
    """Reads its cookie when it is used, and asks for a form token where the request may change something.

    What never uses it is not concerned: ``sendBeacon`` cannot leave the cookie away.

    :param read: reads the cookie
    """

    #: Why it cannot be used.
    refusal: HTTPException | None = None

    def __init__(self, app: Flask, request: Request, read: Callable[[], SecureCookieSession | None]) -> None:
        super().__init__()
        self._app = app
        self._request = request
        self._read = read
        self._is_open = False
        self._accessed = False

    @property
    def accessed(self) -> bool:
        """Return whether it was used; Flask says so, before it hands out the session."""
        return self._accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        self._accessed = value
        if not self._is_open:
            # A receiver may use the session itself.
            self._is_open = True
            self._open()

    def _open(self) -> None:
        """Read the cookie; one that is not valid, or empty, has nothing to protect.

        Nothing is raised here: of what the proxy ``flask.session`` is asked, Python would take some
        exceptions for "cannot do that", and give ``TypeError`` for ``list(session)``.
        """
        if "HTTP_AUTHORIZATION" in self._request.environ and is_api(self._app, self._request):
            return
        self._fill()
        if not self or self._request.method in SAFE_METHODS or not self._app.config["WTF_CSRF_ENABLED"]:
            return
        try:
            _check_token()
        except HTTPException as error:
            # Without a valid token, or with a body in which it cannot be looked for.
            dict.clear(self)
            self.refusal = error

    def _fill(self) -> None:
        # Not by `self.update`, after which it would count as modified.
        dict.update(self, self._read() or {})

    def show(self) -> None:
        """Be readable once more after a refusal."""
        if self.refusal is not None:
            self.refusal = None
            self._fill()


def _opening(name: str) -> Callable[..., Any]:
    method = getattr(SecureCookieSession, name)

    @functools.wraps(method)
    def opening(self: LazySession, *args: Any, **kwargs: Any) -> Any:
        if not self._is_open:
            # It did not come by the proxy: a test's `session_transaction`.
            self.accessed = True
        if self.refusal is not None and not g.get("session_is_refused"):
            raise self.refusal
        return method(self, *args, **kwargs)

    return opening


_METHODS = (
    *("__contains__", "__delitem__", "__eq__", "__getitem__", "__ior__", "__iter__", "__len__", "__ne__", "__or__"),
    *("__repr__", "__reversed__", "__ror__", "__setitem__", "clear", "copy", "get", "items", "keys", "pop", "popitem"),
    *("setdefault", "update", "values"),
)

for _name in _METHODS:
    setattr(LazySession, _name, _opening(_name))


def _check_token() -> None:
    try:
        csrf.protect()
    except CSRFError as error:
        if request.endpoint is not None and not is_exempt(current_app, request.endpoint):
            raise
        raise CSRFError(
            gettext(
                "%(fault)s With the session cookie, send the page's token as X-CSRFToken; "
                "or do without the cookie (fetch: `credentials: 'omit'`).",
                fault=gettext(str(error.description)),
            )
        ) from error
    # It lets methods pass that it does not know.
    if not g.get("csrf_valid"):
        raise CSRFError(gettext("This method cannot be used with the session cookie."))
