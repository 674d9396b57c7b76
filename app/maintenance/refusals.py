"""Maintenance mode: 503 for all visitors, but for those who have opened the bypass link.

Files, and what declares ``@stays_open()`` (health, what a problem means), are served. The link is any address of
the site with ``?bypass_token=…``: a browser gets a cookie for it, and is sent to the address without. Programs send
the header ``X-Maintenance-Bypass``.
"""

import hashlib
import hmac
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote

from flask import Flask
from flask import Response
from flask import current_app
from flask import g
from flask import request
from flask.blueprints import BlueprintSetupState
from flask_babel import lazy_gettext
from itsdangerous import BadSignature
from itsdangerous import Signer

from core.access import ANONYMOUS
from core.declarations import declared
from core.http.prefix import cookie_name
from core.http.problems import Kind
from core.http.problems import Problem
from core.http.problems import Refusal
from core.http.redirects import safe_next
from core.http.request import check_environ
from core.platform import platform_of
from core.signals import app_ready

from . import closings
from .closings import Maintenance

#: The kind of problem that a closed site answers with.
CLOSED = Kind(
    "maintenance",
    503,
    lazy_gettext("Closed for maintenance"),
    lazy_gettext("Try again after the seconds in `Retry-After`."),
)

#: A parameter of any address, and a header for programs.
PARAMETER = "bypass_token"
HEADER = "X-Maintenance-Bypass"

#: Seconds after which a caller may come back where no time was given; and where it takes longer.
USUAL_SECONDS = 120
OVERDUE_SECONDS = 30


@dataclass
class Openings:
    """The endpoints of one application that stay open."""

    endpoints: set[str] = field(default_factory=set)


def install(state: BlueprintSetupState) -> None:
    """Look before each request whether the site is closed."""
    # After what is wrong with the request itself, and before any form token or sign-in is asked for.
    functions = state.app.before_request_funcs[None]
    functions.insert(functions.index(check_environ) + 1, partial(refuse, state.app.config["MAINTENANCE_FILE"]))
    state.app.extensions["maintenance"] = Openings()
    platform_of(state.app).problem_kinds[CLOSED.name] = CLOSED


@app_ready.connect
def collect(app: Flask) -> None:
    """Find the endpoints that stay open, in an application that has this module."""
    openings: Openings | None = app.extensions.get("maintenance")
    if openings is not None:
        openings.endpoints = {endpoint for endpoint, _ in declared(app, "stays_open")}


def refuse(path: str) -> Response | None:
    """Refuse a request while the site is closed; it costs a look at a file that is not there."""
    found = closings.current(path)
    if found is None or _is_open():
        return None
    token = request.args.get(PARAMETER)
    if token is not None and _lets_pass(found, token):
        return _enter(found)
    if _lets_pass(found, request.headers.get(HEADER)) or _has_cookie(found):
        g.maintenance = found
        return None
    # The current identity can perhaps not be looked up.
    g.identity = ANONYMOUS
    left = found.seconds_left()
    seconds = USUAL_SECONDS if left is None else max(left, OVERDUE_SECONDS)
    raise Refusal(Problem(CLOSED, found.text, headers={"Retry-After": str(seconds)}))


def passed() -> Maintenance | None:
    """Return the maintenance that this request has bypassed; templates mention it."""
    found: Maintenance | None = g.get("maintenance")
    return found


def _is_open() -> bool:
    endpoint = request.endpoint or ""
    # A page of another site asks first whether it may ask, and could not read the refusal of that.
    is_preflight = request.method == "OPTIONS"
    return (
        is_preflight
        or endpoint.rpartition(".")[2] == "static"
        or endpoint in current_app.extensions["maintenance"].endpoints
    )


# --- who passes ---------------------------------------------------------------------------------


def _lets_pass(found: Maintenance, token: str | None) -> bool:
    return bool(found.bypass and token) and hmac.compare_digest(found.bypass, closings.digest(token or ""))


def _enter(found: Maintenance) -> Response:
    """Let a browser pass until it is over, and take the token out of its address line."""
    parts = request.query_string.decode().split("&")
    # However it is written: a token that stays would be read, and sent away, again and again.
    query = "&".join(part for part in parts if not unquote(part).startswith(PARAMETER))
    url = safe_next(f"{quote(request.path)}{'?' if query else ''}{query}", "/")
    response = Response(status=303, headers={"Location": f"{request.script_root}{url}", "Cache-Control": "no-store"})
    is_https = current_app.config["HTTPS"]
    value = _signer().sign(found.id).decode()
    response.set_cookie(cookie_name("maintenance"), value, secure=is_https, httponly=True, samesite="Lax")
    return response


def _has_cookie(found: Maintenance) -> bool:
    value = request.cookies.get(cookie_name("maintenance"))
    if not value or not found.bypass:
        return False
    try:
        return hmac.compare_digest(_signer().unsign(value).decode(), found.id)
    except BadSignature:
        return False


def _signer() -> Signer:
    config: Any = current_app.config
    # The last one signs.
    keys = [*config["SECRET_KEY_FALLBACKS"], config["SECRET_KEY"]]
    return Signer(keys, salt="maintenance", key_derivation="hmac", digest_method=hashlib.sha256)
