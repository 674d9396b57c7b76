"""The application's part of nginx's configuration: its static files, its APIs, its limits."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.routing import UnicodeConverter

from core.configuration import collected
from core.http import apis

from .values import Unusable

#: Characters allowed unescaped between quotation marks in nginx's configuration.
_PLAIN = re.compile(r"[^\"\\$\x00-\x1f\x7f]+")
_URL = re.compile(r"/(?:[A-Za-z0-9._~-]+/)+")
#: Arguments of routes that are secrets, which logs must not show.
_SECRET = re.compile(r"token|secret|signature")


@dataclass(frozen=True)
class Static:
    """A folder whose files nginx serves.

    :param url: begins and ends with a slash, as does the folder
    """

    url: str
    folder: str


def static_folders(app: Flask, root: str) -> list[Static]:
    """Return the folders of static files that nginx can serve, the longest URLs first.

    :param root: where the project lies on the server
    """
    found = {static.url: static for static in _statics(app, root)}
    return sorted(found.values(), key=lambda static: (-len(static.url), static.url))


def _statics(app: Flask, root: str) -> Iterator[Static]:
    for rule in app.url_map.iter_rules():
        name, _, endpoint = rule.endpoint.rpartition(".")
        url = rule.rule.partition("<")[0]
        if endpoint != "static" or rule.arguments != {"filename"} or not _URL.fullmatch(url):
            continue
        folder = (app.blueprints[name] if name else app).static_folder
        if folder and not _is_watched(app, name):
            yield Static(_prefix(app) + url, _placed(Path(folder), root))


def _is_watched(app: Flask, name: str) -> bool:
    """Return whether a blueprint, or one around it, looks at each request first: then its files may not be for all."""
    while name:
        if app.before_request_funcs.get(name):
            return True
        name = name.rpartition(".")[0]
    return False


def _placed(folder: Path, root: str) -> str:
    """Return where a folder is on the server: the project and its packages lie below ``root`` there."""
    for here, there in ((collected.ROOT, root), (Path(sys.prefix), f"{root}/.venv")):
        if folder.is_relative_to(here):
            folder = Path(there, folder.relative_to(here))
            break
    if not _PLAIN.fullmatch(str(folder)):
        raise Unusable(f"The folder {str(folder)!r} of static files has a name that nginx's configuration cannot hold.")
    return f"{folder}/"


def api_prefixes(app: Flask) -> list[str]:
    """Return the paths below which errors are problem documents, as expressions."""
    found = [prefix for prefix in apis.prefixes(app) if _URL.fullmatch(f"{prefix}/")]
    return [re.escape(_prefix(app) + prefix) for prefix in found]


def secret_paths(app: Flask) -> list[str]:
    """Return the beginnings of the paths that end in a secret, as expressions: links to choose a password."""
    found = {rule.rule.partition("<")[0] for rule in app.url_map.iter_rules() if _ends_in_secret(rule)}
    return [re.escape(_prefix(app) + path) for path in sorted(found) if _URL.fullmatch(path)]


def _prefix(app: Flask) -> str:
    found: str = app.config["SCRIPT_NAME"]
    return found


def _ends_in_secret(rule: Rule) -> bool:
    first = next((part for part in re.findall(r"<(?:[^:<>]+:)?(\w+)>", rule.rule)), "")
    return bool(_SECRET.search(first)) and isinstance(rule._converters.get(first), UnicodeConverter)


def limits() -> dict[str, Any]:
    """Return what nginx has to hold requests and browsers to, as it is set for production."""
    environ = collected.variables()
    names = ("MAX_BODY_BYTES", "HSTS_SECONDS", "HSTS_SUBDOMAINS")
    chosen = {key.name: key for key in collected.known(()) if key.name in names}
    return {name.lower(): key.value(environ.get(name) or None, "production") for name, key in chosen.items()}
