"""Redact secret URL parameters from logged paths."""

from flask import Flask
from flask import Request
from flask import request

from ..logs import is_secret_name

KEY = "andamio.path"


def init_app(app: Flask) -> None:
    """Leave the path for the log of requests, where one is written."""
    if app.config["ACCESS_LOG"]:
        app.before_request(leave_path)


def leave_path() -> None:
    """Say in the environ which path may be logged, if it is not the request's own."""
    path = without_secrets(request)
    if path != request.path:
        request.environ[KEY] = request.script_root + path


def without_secrets(asked: Request) -> str:
    """Return the path of a request as it may be logged."""
    path = asked.path
    for name, value in (asked.view_args or {}).items():
        if is_secret_name(name):
            path = path.replace(str(value), "[filtered]")
    return path
