"""The prefix below which the application is mounted, where the configuration names one (``SCRIPT_NAME``).

gunicorn reads that variable itself, from the environment only; the other servers do not. Whichever serves, the
application sees the same ``SCRIPT_NAME`` and ``PATH_INFO`` here.
"""

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from flask import Flask
from flask import current_app

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


def init_app(app: Flask) -> None:
    """Mount the application below its prefix; URLs that are made outside of a request have it too."""
    prefix = app.config["SCRIPT_NAME"]
    if prefix:
        app.wsgi_app = Prefixed(app.wsgi_app, prefix)  # type: ignore[method-assign]  # as Flask documents it
        app.config["APPLICATION_ROOT"] = prefix
        app.config["SESSION_COOKIE_NAME"] += suffix(prefix)


def suffix(prefix: str) -> str:
    """Return what a cookie's name ends with, so that two applications on one host do not overwrite each other's.

    A cookie named ``__Host-…`` has to have the path ``/`` (RFC 6265bis, section 4.1.3.2): the name distinguishes them.
    """
    return prefix.replace("/", "-")


def cookie_name(name: str) -> str:
    """Return the name of a cookie of this application that belongs to its host alone."""
    host = "__Host-" if current_app.config["HTTPS"] else ""
    return f"{host}{name}{suffix(current_app.config['SCRIPT_NAME'])}"


class Prefixed:
    """Moves the prefix from ``PATH_INFO`` to ``SCRIPT_NAME``, unless the server has.

    A path without it is taken too: some proxies cut it off, and a load balancer asks a server for its health.
    """

    def __init__(self, app: WSGI, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request as below the prefix."""
        path = environ.get("PATH_INFO", "")
        if not environ.get("SCRIPT_NAME"):
            environ["SCRIPT_NAME"] = self.prefix
            if f"{path}/".startswith(f"{self.prefix}/"):
                environ["PATH_INFO"] = path[len(self.prefix) :]
        return self.app(environ, start_response)
