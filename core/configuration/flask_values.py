"""The values that Flask and its extensions read, made from the settings."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from .databases import engine_options

#: Settings that ``app.config`` has under Flask's names only.
TRANSLATED = {
    *("SECRET_KEY", "DATABASE_URL", "MAX_BODY_BYTES"),
    *("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
    *("DATABASE_POOL_SIZE", "DATABASE_POOL_OVERFLOW", "DATABASE_TIMEOUT_SECONDS"),
}


def passed_on(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that ``app.config`` has under the name of their setting."""
    return {name: value for name, value in values.items() if name not in TRANSLATED}


def flask_values(values: Mapping[str, Any], url: URL, root: Path) -> dict[str, Any]:
    """Translate the settings of the platform into the keys of Flask and its extensions.

    :param root: the folder of the project
    """
    return {
        "SECRET_KEY": values["SECRET_KEY"] or _local_secret(root),
        "MAX_CONTENT_LENGTH": values["MAX_BODY_BYTES"],
        "MAX_FORM_MEMORY_SIZE": values["MAX_BODY_BYTES"],
        "MAX_FORM_PARTS": 1000,
        "PREFERRED_URL_SCHEME": "https" if values["HTTPS"] else "http",
        **_session_cookie(values),
        "SEND_FILE_MAX_AGE_DEFAULT": 3600 if values["APP_ENV"] == "production" else None,
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(values, url),
        "BOOTSTRAP_SERVE_LOCAL": True,
        "WTF_CSRF_TIME_LIMIT": None,
    }


def _session_cookie(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        # A browser takes a cookie of this name only by https, for this host alone and for all of its paths: no
        # other host of the domain can plant one (RFC 6265bis, section 4.1.3.2).
        "SESSION_COOKIE_NAME": "__Host-session" if values["HTTPS"] else "session",
        "SESSION_COOKIE_PATH": "/",
        "SESSION_COOKIE_SECURE": values["HTTPS"],
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        # The record on the server has its own time-outs; the cookie is not written again at every request.
        "SESSION_REFRESH_EACH_REQUEST": False,
    }


def _local_secret(root: Path) -> str:
    """Make a random secret once and keep it, so that sessions outlive a restart on one machine."""
    path = root / "instance" / "secret_key"
    try:
        path.parent.mkdir(exist_ok=True)
        with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    except OSError:
        return secrets.token_urlsafe(48)
    # A file that another process is just writing may still be empty.
    return path.read_text() or secrets.token_urlsafe(48)
