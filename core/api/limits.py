"""Rate limits for each caller, as views declare them. A module counts; without one nothing is limited.

``limit(blueprint, "100 per minute")``, ``@limited("5 per second; 100 per hour")`` above a view, or the
attribute ``rate_limit`` of a resource. All endpoints of a blueprint share what was declared for it, as
do those of a resource. A request that does several things counts as many: :func:`charge`.
"""

import ipaddress
from collections.abc import Callable

from flask import g
from flask import request
from flask.blueprints import Blueprint

from ..declarations import View
from ..declarations import declare
from ..declarations import declaring


def limit(blueprint: Blueprint, text: str) -> None:
    """Limit how often one caller may ask the endpoints of a blueprint, together.

    :param text: ``100 per minute``, ``10 per 5 seconds``, or several of them with ``;`` between
    """
    declare(blueprint, "rate_limit", text)


def limited(text: str) -> Callable[[View], View]:
    """Return a decorator that limits how often one caller may ask a view."""
    return declaring("rate_limit", text)


def charge(parts: int) -> None:
    """Count the current request as so many requests, before it does so many things.

    A request that is refused here counts once, so that a smaller one may still pass.

    :raises Refusal: 429 if the limit of its endpoint leaves fewer
    """
    charge_parts: Callable[[int], None] | None = g.get("charge_parts")
    if charge_parts is not None and parts > 1:
        charge_parts(parts)


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
