"""Views that answer by whatever name they are asked: a load balancer asks by an address, not by the site's name.

Everything else is refused for a name that is not in ``TRUSTED_HOSTS``. Such a view must not use the name; to make
sure, it gets one that is trusted. In development the names of this machine are the fence against other
sites' pages, and stay so.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask

from ..declarations import View
from ..declarations import declared
from ..declarations import declaring


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
    app.extensions["any_host"] = paths


def trust(app: Flask, environ: dict[str, Any]) -> None:
    """Write the name that was asked for as werkzeug compares it; where any will do, put a trusted one in its place."""
    name = app.extensions["any_host"].get(environ.get("PATH_INFO"))
    if name is not None:
        environ["HTTP_HOST"] = name
    elif "HTTP_HOST" in environ:
        # Werkzeug takes small letters only; a name is the same in any case (RFC 9110, section 4.2.3).
        environ["HTTP_HOST"] = environ["HTTP_HOST"].lower()
