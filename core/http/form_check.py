"""The check of forms: a request that may change something carries the token of a page of this site.

Endpoints of APIs and those of ``csrf.exempt`` are exempt; their protection is in :mod:`core.http.sessions`, and here a
request from another site's ``Origin`` without a token is refused unless the endpoint is public.
"""

from flask import Flask
from flask import current_app
from flask import request
from flask import session

from services import csrf

from ..access import PUBLIC
from ..access import endpoints
from .apis import is_exempt
from .sessions import SAFE_METHODS


def init_app(app: Flask) -> None:
    """Check each request, in the place of Flask-WTF's own hook, which does not know what an API is."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.before_request(check)


def check() -> None:
    """Refuse a form without the token of a page.

    :raises CSRFError: 400
    """
    if request.endpoint is None or request.method in SAFE_METHODS or not current_app.config["WTF_CSRF_ENABLED"]:
        return
    if not is_exempt(current_app, request.endpoint):
        csrf.protect()
    elif _is_foreign() and endpoints.find(current_app, request.endpoint, request.method) is not PUBLIC:
        # Asked here, a view that never looks who is asking is protected too: it may be meant for this network only.
        bool(session)


def _is_foreign() -> bool:
    """Return whether a page of another site made the request, by the header that browsers set (Fetch, section 3.2)."""
    origin = request.environ.get("HTTP_ORIGIN")
    return origin is not None and origin.lower() != request.host_url.rstrip("/").lower()
