"""The names of this site: those that requests may use, and the beginning of absolute links.

Some views answer by whatever name they are asked: a load balancer asks by an address, not by the site's name.
Everything else is refused for a name that is not in ``TRUSTED_HOSTS``. Such a view must not use the name; to make
sure, it gets one that is trusted. In development the names of this machine are the fence against other
sites' pages, and stay so.
"""

import re
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask import current_app
from flask import request

from ..declarations import View
from ..declarations import declared
from ..declarations import declaring
from ..platform import platform_of

_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(\d+))?")

#: In the environment of a request: what links begin with, where an operator has said it.
SITE = "andamio.site"


def origin() -> str:
    """Return what an absolute link to this site begins with: ``https://www.example.org``.

    The name is one of ``TRUSTED_HOSTS``, by which the site was asked; the port is the one that stands there with it,
    else that of the scheme, in development that of this server, unless a proxy is in front. The port of the ``Host``
    header is a visitor's word.
    """
    said: str | None = request.environ.get(SITE)
    return said or f"{request.scheme}://{_host()}"


def _host() -> str:
    trusted = current_app.config["TRUSTED_HOSTS"]
    if not trusted:
        return request.host
    name, _ = _split(request.host)
    entry = next((entry for entry in trusted if _split(entry)[0] == name), name)
    if _split(entry)[1] or current_app.config["APP_ENV"] == "production":
        return entry
    if current_app.config["PROXY_HOPS"]:
        return name
    port = str(request.environ.get("SERVER_PORT") or "")
    return name if port in ("", {"http": "80", "https": "443"}.get(request.scheme)) else f"{name}:{port}"


def _split(host: str) -> tuple[str, str]:
    """Return name and port; an address of IPv6 stands in brackets."""
    found = _HOST.fullmatch(host)
    return (found[1], found[2] or "") if found else (host, "")


def any_host() -> Callable[[View], View]:
    """Return a decorator for a view, without parameters in its path, that any host may be asked for."""
    return declaring("any_host", True)


def init_app(app: Flask) -> None:
    """Note the paths that are asked by any name, and the name that is put in its place."""
    paths = {}
    trusted = app.config["TRUSTED_HOSTS"]
    if trusted and app.config["APP_ENV"] != "development":
        endpoints = {endpoint for endpoint, _ in declared(app, "any_host")}
        paths = {rule.rule: trusted[0].lstrip(".") for rule in app.url_map.iter_rules() if rule.endpoint in endpoints}
    platform_of(app).any_host = paths


def trust(app: Flask, environ: dict[str, Any]) -> None:
    """Write the name that was asked for as werkzeug compares it; where any will do, put a trusted one in its place."""
    name = platform_of(app).any_host.get(environ.get("PATH_INFO", ""))
    if name is not None:
        environ["HTTP_HOST"] = name
    elif "HTTP_HOST" in environ:
        # Werkzeug takes small letters only; a name is the same in any case (RFC 9110, section 4.2.3).
        environ["HTTP_HOST"] = environ["HTTP_HOST"].lower()
