"""The rules of each environment: production needs a secret, tests need a database that is theirs."""

import os
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from .databases import is_disposable
from .databases import is_memory

ENVIRONMENTS = ("development", "testing", "production")

#: Other platforms' names of the environment; where one of them is production, APP_ENV is meant.
OTHER_NAMES = ("FLASK_ENV", "FLASK_CONFIG", "APP_ENVIRONMENT", "APPENV", "FLASK_APP_ENV")

MAKE_SECRET = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'


def find_faults(values: Mapping[str, Any], environ: Mapping[str, str], url: URL | None) -> Iterator[str]:
    """Yield the reasons why this environment must not start with these values.

    :param url: of the database, if it can be read
    """
    yield from _misnamed(environ)
    if values["APP_ENV"] == "production":
        yield from _weak_secrets(values, environ)
        if environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
            yield "FLASK_DEBUG is on: it shows the code to visitors; unset it, or set APP_ENV=development"
        if url is not None and url.get_backend_name() == "sqlite" and not is_memory(url):
            fault = _unwritable(Path(str(url.database)))
            if fault:
                yield f"DATABASE_URL: {fault}; give its folder to the user that runs the application"
    if values["APP_ENV"] == "testing" and url is not None and not is_disposable(url):
        yield (
            f"DATABASE_URL names {url.database!r}: tests only touch a database called test_… or "
            "…_test, or a SQLite file in the system's temporary folder"
        )


def _misnamed(environ: Mapping[str, str]) -> Iterator[str]:
    """Refuse to start in development where production was meant: errors would show code, cookies travel in clear."""
    for name in OTHER_NAMES:
        if not environ.get("APP_ENV") and environ.get(name, "").lower() in ("production", "prod"):
            yield (
                f"{name} is {environ[name]!r}, and not read: without APP_ENV this is development; "
                "set APP_ENV=production, and remove it"
            )


def _weak_secrets(values: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    for number, secret in enumerate([values["SECRET_KEY"], *values["SECRET_KEY_FALLBACKS"]]):
        name = "SECRET_KEY_FALLBACKS" if number else "SECRET_KEY"
        if not secret and environ.get(f"{name}_FILE"):
            # The fault of the file is named already.
            continue
        if not secret:
            yield f"{name} is missing: set it to what `{MAKE_SECRET}` prints"
        elif len(secret) < 32 or len(set(secret)) < 10:
            yield f"{name} is weak (under 32 characters, or few different ones): set it to what `{MAKE_SECRET}` prints"


def _unwritable(path: Path) -> str | None:
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.W_OK):
            return f"{place} cannot be written by this user"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    return None
