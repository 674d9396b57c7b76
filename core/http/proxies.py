"""Trusted proxies: their headers give the client's address, host and scheme; those of all others are removed.

It is decided here, alike under every server: gunicorn's own belief is switched off in ``gunicorn.conf.py``,
Granian has none, and what a server makes of these headers would not be seen from here.
"""

import functools
import ipaddress
import logging
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

logger = logging.getLogger(__name__)

_BELIEVED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")
_NEVER = ("HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PREFIX", "HTTP_FORWARDED")

#: In the environment of a request: whether it was passed on by a proxy, trusted or not.
PASSED_ON = "andamio.passed_on"

_SCHEMES = {"http", "https"}

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


def init_app(app: Flask) -> None:
    """Take the caller's address and scheme from the proxies in front, if there are any."""
    hops, allowed = app.config["PROXY_HOPS"], app.config["FORWARDED_ALLOW_IPS"]
    app.wsgi_app = Proxies(app.wsgi_app, hops, allowed)  # type: ignore[method-assign]  # as Flask documents it


class Proxies:
    """Takes ``X-Forwarded-For`` and ``-Proto`` from the proxies in front, and drops all else of the kind.

    ``Host`` comes as the proxy passes it on, and ``X-Forwarded-Host`` is not believed: nginx passes on what a
    visitor has written there, unless it is configured to set it.

    :param hops: how many proxies add to ``X-Forwarded-For``
    :param allowed: addresses and networks that the last of them speaks from; ``*`` for any
    """

    def __init__(self, app: WSGI, hops: int, allowed: Sequence[str]) -> None:
        self.app = app
        self.believing = ProxyFix(app, x_for=hops, x_proto=hops)
        self.hops = hops
        self.any = "*" in allowed
        self.networks = [ipaddress.ip_network(text) for text in allowed if text != "*"]
        self.is_proxy = functools.lru_cache(maxsize=1000)(self._is_proxy)
        self.has_warned = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request, as from the client that the proxies name."""
        environ[PASSED_ON] = "HTTP_X_FORWARDED_FOR" in environ
        for name in _NEVER:
            environ.pop(name, None)
        if self.hops and self.is_proxy(environ.get("REMOTE_ADDR") or ""):
            if not _SCHEMES.issuperset(_words(environ.get("HTTP_X_FORWARDED_PROTO", "http"))):
                # It would be the scheme of the links that we write.
                del environ["HTTP_X_FORWARDED_PROTO"]
            return self.believing(environ, start_response)
        if self.hops and not self.has_warned and "HTTP_X_FORWARDED_FOR" in environ:
            self._warn(environ.get("REMOTE_ADDR"))
        for name in _BELIEVED:
            environ.pop(name, None)
        return self.app(environ, start_response)

    def _is_proxy(self, peer: str) -> bool:
        if not peer or peer.startswith("/"):
            # A unix socket: who may connect is decided by its file's permissions.
            return True
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return self.any or any(address in network for network in self.networks)

    def _warn(self, peer: str | None) -> None:
        # Once a process: it is for the operator who has put a proxy in front, and any client can send the header.
        self.has_warned = True
        logger.warning(
            "X-Forwarded-For from %s is not believed: if that is a proxy of yours, add it to FORWARDED_ALLOW_IPS", peer
        )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]
