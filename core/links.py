"""The query string of a list: read from this request, written into the links to its neighbours."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request

from .exceptions import BadQuery


def single_args() -> dict[str, str]:
    """Return the query string; a parameter may appear only once.

    :raises BadQuery: if one does
    """
    args = request.args
    found = args.to_dict()
    if args and sum(len(values) for _, values in args.lists()) > len(found):
        raise BadQuery({name: ["Give it once."] for name, values in args.lists() if len(values) > 1})
    return found


def cursor_urls(cursors: Mapping[str, str]) -> dict[str, str]:
    """Return this request's URL for each cursor; a cursor needs no quoting."""
    if not cursors:
        return {}
    kept = {name: text for name, text in request.args.items() if text and name not in ("page", "cursor")}
    base = f"{request.script_root}{request.path}?{urlencode(kept)}{'&' if kept else ''}cursor="
    return {name: base + text for name, text in cursors.items()}


def query_url(**changes: Any) -> str:
    """Return this request's URL with some parameters changed; ``None`` leaves one out."""
    args = {**request.args.to_dict(), **changes}
    kept = {name: value for name, value in args.items() if value not in (None, "")}
    path = f"{request.script_root}{request.path}"
    return f"{path}?{urlencode(kept)}" if kept else path
