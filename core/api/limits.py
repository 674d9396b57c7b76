"""Rate limits for each caller: ``rate_limit``, on Flask-Limiter.

``limit(blueprint, "100 per minute")``, ``@limited("5 per second; 100 per hour")`` above a view, or the
attribute ``rate_limit`` of a resource. All endpoints of a blueprint share what was declared for it, as
do those of a resource. Who asks too often gets 429; every answer says what is left. A request that does several
things counts as many: :func:`charge`.

Flask-Limiter keeps the storage of one application, so each has its own; and its hooks, which every
request would pay for (68 µs), are not installed: the views that are limited count for themselves.
"""

import functools
import ipaddress
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
from flask.blueprints import Blueprint
from flask_limiter import Limiter
from limits.errors import StorageError

from ..access import Identity
from ..access import security_log
from ..declarations import Declaration
from ..declarations import View
from ..declarations import declare
from ..declarations import declared
from ..declarations import declaring
from ..http.problems import KINDS
from ..http.problems import Problem
from ..http.problems import Refusal
from ..modules import ModuleError
from ..platform import platform_of

#: Seconds that Redis may take before the counters of this process are used instead.
REDIS_SECONDS = 0.5


def limit(blueprint: Blueprint, text: str) -> None:
    """Limit how often one caller may ask the endpoints of a blueprint, together.

    :param text: ``100 per minute``, ``10 per 5 seconds``, or several of them with ``;`` between
    """
    declare(blueprint, "rate_limit", text)


def limited(text: str) -> Callable[[View], View]:
    """Return a decorator that limits how often one caller may ask a view."""
    return declaring("rate_limit", text)


def init_app(app: Flask) -> None:
    """Make the views count that are limited.

    :raises ModuleError: if a limit cannot be understood
    """
    found = dict(declared(app, "rate_limit"))
    for endpoint, one in found.items():
        _check(endpoint, one.value)
    platform_of(app).rate_limits = {endpoint: one.value for endpoint, one in found.items()}
    if found and app.config["RATE_LIMITS"]:
        limiter = _make_limiter(app)
        for endpoint, one in found.items():
            app.view_functions[endpoint] = _counted(app, limiter, endpoint, one)


def find(app: Flask, endpoint: str) -> str | None:
    """Return the limit of an endpoint, as it was declared."""
    known: dict[str, str] = platform_of(app).rate_limits
    return known.get(endpoint)


def charge(parts: int) -> None:
    """Count the current request as so many requests, before it does so many things.

    A request that is refused here counts once, so that a smaller one may still pass.

    :raises Refusal: 429 if the limit of its endpoint leaves fewer
    """
    meter: Callable[[int], None] | None = g.get("meter")
    if meter is not None and parts > 1:
        meter(parts)


def caller() -> str:
    """Return for whom a request counts: a user whose token was looked at already, else an address.

    All tokens of one person count together, or each new one would be a new allowance. To look up whose session
    it is would cost a query before anything is counted: browsers count by their address.
    """
    who: Identity | None = g.get("identity")
    return address() if who is None or not who.is_known else f"account {who.key}"


def address() -> str:
    """Return where a request comes from: its address, of IPv6 the network that one subscriber has.

    Behind a proxy the address is right once ``PROXY_HOPS`` says how many there are.
    """
    text = request.remote_addr or "unknown"
    if text.count(":") == 1:
        # Some gateways write the port as well.
        return text.partition(":")[0]
    if ":" not in text:
        return text
    try:
        number = ipaddress.IPv6Address(text)
    except ValueError:
        return text
    return str(number.ipv4_mapped or ipaddress.IPv6Network((number, 64), strict=False))


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

    def count() -> None:
        """Let the decorator count."""

    # It distinguishes functions by their names.
    count.__qualname__ = endpoint
    text = f"The limit is {declaration.value}."
    count_request = limiter.shared_limit(declaration.value, scope=declaration.place, error_message=text)(count)
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
