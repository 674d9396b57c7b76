"""Shared parts of every page: its stylesheets, and functions for templates."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask
from flask import current_app
from flask import request
from jinja2 import Undefined
from markupsafe import Markup

import settings
from services import bootstrap

from ..access import identity
from ..fields.words import printable
from ..http.links import own_url
from ..logs import request_id
from . import display


def init_app(app: Flask) -> None:
    """Give the templates their functions."""
    app.jinja_env.globals |= {
        "site_name": settings.SITE_NAME,
        "identity": identity,
        "own_url": own_url,
        "static_url": static_url,
        "bootstrap_css_url": bootstrap_css_url,
        "request_id": request_id,
    }
    app.jinja_env.finalize = _finalize
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    display.init_app(app)


def _finalize(value: Any) -> Any:
    """Return what a template writes for a value: no character that HTML forbids."""
    if isinstance(value, Markup):
        # Markup stays as it is.
        return printable(value)
    if value is None or isinstance(value, int | float | Undefined) or hasattr(value, "__html__"):
        return value
    return printable(str(value))


def static_url(filename: str) -> str:
    """Return the URL of a file in ``app/static``; it changes with the file's content."""
    folder = str(current_app.static_folder)
    # A page asks ten times: what it takes to look at a path is taken only in development.
    version = _fingerprint(folder, filename, _changed(folder, filename) if current_app.debug else 0)
    return f"{request.script_root}{current_app.static_url_path}/{filename}?v={version}"


def bootstrap_css_url() -> str:
    """Return the URL of Bootstrap's stylesheet, as Bootstrap-Flask serves it."""
    version = bootstrap.bootstrap_version
    return f"{request.script_root}/bootstrap{current_app.static_url_path}/css/bootstrap.min.css?v={version}"


def _changed(folder: str, filename: str) -> float:
    return Path(folder, filename).stat().st_mtime


@lru_cache
def _fingerprint(folder: str, filename: str, changed: float) -> str:
    path = Path(folder, filename)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else ""
