"""Count the requests of each caller, by the strategies of limits, and refuse with 429 what exceeds a limit.

Who asks too often gets 429; every answer says what is left.

The views that are limited count for themselves: a request to another one pays nothing.
"""

import functools
import math
import time
from collections.abc import Callable
from collections.abc import Sequence
from operator import methodcaller
from typing import Any

import limits
from flask import Flask
from flask import Response
from flask import after_this_request
from flask import g
from flask import request
from flask_babel import gettext
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from core.access import Identity
from core.access import security_log
from core.api.counters import Counters
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
        app.extensions["limits"] = Counters(FixedWindowRateLimiter, MemoryStorage(), app.config["REDIS_URL"])
    return _counted(app, app.extensions["limits"], endpoint, declaration)


def caller() -> str:
    """Return the key that a request counts for: the user of a verified token, else an address.

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


def _counted(app: Flask, counters: Counters, endpoint: str, declaration: Declaration) -> Callable[..., Any]:
    """Wrap a view: count its requests, and refuse what is too much."""
    items = sorted(limits.parse_many(declaration.value))
    view = app.ensure_sync(app.view_functions[endpoint])

    @functools.wraps(view)
    def counted(*args: Any, **kwargs: Any) -> Any:
        if request.method != "OPTIONS":
            meter = Meter(counters, items, (caller(), declaration.place), declaration.value)
            after_this_request(meter.add_headers)
            meter.count()
            g.charge_parts = meter.charge
        return view(*args, **kwargs)

    return counted


# --- at a request -------------------------------------------------------------------------------


class Meter:
    """Counts one request by the limits of its endpoint.

    :param items: the limits, the one that renews first before the others
    :param key: key that they count for, and name of the limit
    :param text: the limits as they were declared
    """

    def __init__(
        self, counters: Counters, items: Sequence[limits.RateLimitItem], key: tuple[str, str], text: str
    ) -> None:
        self.counters, self.items, self.key, self.text = counters, items, key, text
        self.exceeded: limits.RateLimitItem | None = None

    def count(self) -> None:
        """Count the request.

        :raises Refusal: 429 if it is one too many
        """
        for item in self.items:
            if not self.counters.ask(methodcaller("hit", item, *self.key)):
                self._refuse(item, gettext("The limit is %(text)s.", text=self.text))

    def charge(self, parts: int) -> None:
        """Count what the request does beyond the one that is counted already.

        :raises Refusal: 429 if the limits leave less
        """
        more = parts - 1
        for item in self.items:
            if not self.counters.ask(methodcaller("test", item, *self.key, cost=more)):
                what = gettext(
                    "The request counts as %(parts)s, and the limit is %(text)s. Wait, or send fewer at once.",
                    parts=parts,
                    text=self.text,
                )
                self._refuse(item, what)
        for item in self.items:
            self.counters.ask(methodcaller("hit", item, *self.key, cost=more))

    def add_headers(self, response: Response) -> Response:
        """Say what is left, of the limit that was exceeded or else of the one that renews first."""
        item = self.exceeded or self.items[0]
        reset, remaining = self.counters.ask(methodcaller("get_window_stats", item, *self.key))
        headers = response.headers
        headers["X-RateLimit-Limit"] = str(item.amount)
        headers["X-RateLimit-Remaining"] = str(remaining)
        headers["X-RateLimit-Reset"] = str(math.ceil(reset))
        if self.exceeded is not None:
            headers["Retry-After"] = str(max(1, math.ceil(reset - time.time())))
            security_log.record("limit.exceeded", security_log.DENIED, target=request.endpoint)
        return response

    def _refuse(self, item: limits.RateLimitItem, detail: str) -> None:
        self.exceeded = item
        raise Refusal(Problem(KINDS["too-many-requests"], detail))
