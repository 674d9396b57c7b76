"""What every page shares: where its stylesheets are, who it may talk to, what templates may call."""

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask
from flask import Response
from flask import current_app
from flask import request

import settings
from services import bootstrap
from services import request_id

from .pages import display

#: A page may load from its own site only, and nothing may run or frame it (CSP Level 3). ``data:``
#: is for the pictures within Bootstrap's stylesheet.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


def init_app(app: Flask) -> None:
    """Give the templates their functions, and every answer its headers."""
    app.jinja_env.globals |= {
        "site_name": settings.SITE_NAME,
        "static_url": static_url,
        "bootstrap_css_url": bootstrap_css_url,
        "request_id": request_id,
    }
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.after_request(protect)
    display.init_app(app)


def protect(response: Response) -> Response:
    """Set the headers that keep a page to its own site."""
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cache-Control", "private, no-cache")
    return response


def static_url(filename: str) -> str:
    """Return the URL of a file in ``app/static``; it changes with the file's content."""
    path = Path(str(current_app.static_folder), filename)
    return f"{request.script_root}{current_app.static_url_path}/{filename}?v={_fingerprint(path, _changed(path))}"


def bootstrap_css_url() -> str:
    """Return the URL of Bootstrap's stylesheet, as Bootstrap-Flask serves it."""
    version = bootstrap.bootstrap_version
    return f"{request.script_root}/bootstrap{current_app.static_url_path}/css/bootstrap.min.css?v={version}"


def _changed(path: Path) -> float:
    return path.stat().st_mtime if current_app.debug else 0


@lru_cache
def _fingerprint(path: Path, changed: float) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else ""
