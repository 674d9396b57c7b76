"""Count the requests of each caller, on Flask-Limiter, and refuse with 429 what exceeds a limit.

Who asks too often gets 429; every answer says what is left.

Flask-Limiter keeps the storage of one application, so each has its own; and its hooks, which every
request would pay for (68 µs), are not installed: the views that are limited count for themselves.
"""

import functools
import math
import time
from collections.abc import Callable
from typing import Any

import limits
from flask import Flask
from flask import Response
from flask import after_this_request
from flask import g
from flask import request
from flask_limiter import Limiter
from limits.errors import StorageError

from core.access import Identity
from core.access import security_log
from core.api.limits import REDIS_SECONDS
from core.api.limits import address
from core.declarations import Declaration
from core.http.problems import KINDS
from core.http.problems import Problem
from core.http.problems import Refusal
from core.modules import ModuleError


def count(app: Flask, endpoint: str, declaration: Declaration) -> Callable[..., Any]:
    """Return the view of an endpoint that counts its requests.

    :raises ModuleError: if the limit cannot be understood
    """
    _check(endpoint, declaration.value)
    view: Callable[..., Any] = app.view_functions[endpoint]
    if not app.config["RATE_LIMITS"]:
        return view
    if "limits" not in app.extensions:
        app.extensions["limits"] = _make_limiter(app)
    return _counted(app, app.extensions["limits"], endpoint, declaration)


def caller() -> str:
    """Return for whom a request counts: a user whose token was looked at already, else an address.

    All tokens of one person count together, or each new one would be a new allowance. To look up whose session
    it is would cost a query before anything is counted: browsers count by their address.
    """
    who: Identity | None = g.get("identity")
    return address() if who is None or not who.is_known else f"account {who.key}"


# --- at start -----------------------------------------------------------------------------------


def _check(endpoint: str, text: Any) -> None:
    try:
        items = limits.parse_many(text)
    except ValueError:
        items = []
    if not items or any(item.amount < 1 for item in items):
        raise ModuleError(
            f"The limit of {endpoint!r} is {text!r}: write '100 per minute', '10 per 5 seconds', or several of "
            "them with ';' between."
        )


def _make_limiter(app: Flask) -> Limiter:
    url = app.config["REDIS_URL"]
    waits: dict[str, Any] = {"socket_connect_timeout": REDIS_SECONDS, "socket_timeout": REDIS_SECONDS}
    limiter = Limiter(
        caller,
        storage_uri=url or "memory://",
        storage_options={**waits, "wrap_exceptions": True} if url else {},
        # While Redis is away, each process counts for itself. Of the requests that find it out at the same
        # time Flask-Limiter forgives one; the others pass uncounted.
        in_memory_fallback_enabled=bool(url),
        swallow_errors=True,
    )
    # An application that it knows already gets no hooks.
    app.extensions.setdefault("limiter", set()).add(limiter)
    limiter.init_app(app)
    return limiter


def _counted(app: Flask, limiter: Limiter, endpoint: str, declaration: Declaration) -> Callable[..., Any]:
    """Wrap a view: count its requests, and refuse what is too much."""

    def counted_function() -> None:
        """Let the decorator count."""

    # It distinguishes functions by their names.
    counted_function.__qualname__ = endpoint
    text = f"The limit is {declaration.value}."
    count_request = limiter.shared_limit(declaration.value, scope=declaration.place, error_message=text)(
        counted_function
    )
    add_headers = functools.partial(_add_headers, limiter)
    meter = functools.partial(_charge, limiter, declaration.value)
    view = app.ensure_sync(app.view_functions[endpoint])

    @functools.wraps(view)
    def counted(*args: Any, **kwargs: Any) -> Any:
        if request.method != "OPTIONS":
            after_this_request(add_headers)
            count_request()
            g.meter = meter
        return view(*args, **kwargs)

    return counted


# --- at a request -------------------------------------------------------------------------------


def _charge(limiter: Limiter, text: str, parts: int) -> None:
    """Count what a request does beyond the one that is counted already."""
    try:
        for one in limiter.current_limits:
            if not limiter.limiter.test(one.limit, *one.request_args, cost=parts - 1):
                one.breached = True
                g.exceeded = one
                detail = f"The request counts as {parts}, and the limit is {text}. Wait, or send fewer at once."
                raise Refusal(Problem(KINDS["too-many-requests"], detail))
        for one in limiter.current_limits:
            limiter.limiter.hit(one.limit, *one.request_args, cost=parts - 1)
    except StorageError:
        # Redis went away since the request itself was counted; the next one finds it out.
        return


def _add_headers(limiter: Limiter, response: Response) -> Response:
    """Say what is left, of the limit that was exceeded or else of the one that renews first."""
    current = g.get("exceeded") or limiter.current_limit
    if current is None:
        return response
    try:
        reset, remaining = current.window
    except StorageError:
        return response
    headers = response.headers
    headers["X-RateLimit-Limit"] = str(current.limit.amount)
    headers["X-RateLimit-Remaining"] = str(remaining)
    headers["X-RateLimit-Reset"] = str(math.ceil(reset))
    if current.breached:
        headers["Retry-After"] = str(max(1, math.ceil(reset - time.time())))
        security_log.record("limit.exceeded", security_log.DENIED, target=request.endpoint)
    return response
