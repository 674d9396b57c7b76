"""The query string of a list, read from this request, and the links to its neighbours and items."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from urllib.parse import urlencode

from flask import request
from flask_babel import gettext

from ..exceptions import BadQuery


def single_args() -> dict[str, str]:
    """Return the query string; a parameter may appear only once.

    :raises BadQuery: if one does
    """
    if not request.environ.get("QUERY_STRING"):
        return {}
    args = request.args
    found = args.to_dict()
    if args and any(len(values) > 1 for values in args.listvalues()):
        raise BadQuery({name: [gettext("Give it once.")] for name, values in args.lists() if len(values) > 1})
    return found


def list_args() -> dict[str, str | list[str]]:
    """Return the query string of a list: parameter to its text, or to several texts where it is repeated."""
    if not request.environ.get("QUERY_STRING"):
        return {}
    return {name: texts if len(texts) > 1 else texts[0] for name, texts in request.args.lists()}


def refuse_args() -> None:
    """Refuse any query string, for a method that takes no parameters.

    :raises BadQuery: naming each
    """
    args = single_args()
    if args:
        raise BadQuery(
            {name: [gettext("%(method)s takes no parameters here.", method=request.method)] for name in args}
        )


def cursor_urls(cursors: Mapping[str, str]) -> dict[str, str]:
    """Return this request's URL for each cursor; a cursor needs no quoting."""
    if not cursors:
        return {}
    asked = request.args.items(multi=True)
    kept = [(name, text) for name, text in asked if text and name not in ("page", "cursor")]
    base = f"{request.script_root}{request.path}?{urlencode(kept)}{'&' if kept else ''}cursor="
    return {name: base + text for name, text in cursors.items()}


def item_url(collection: str, key: str) -> str:
    """Return the URL of an item.

    :param collection: the path of its collection, below that at which the application is mounted
    """
    return f"{request.script_root}{collection}/{quote(key, safe='')}"


def own_url() -> str:
    """Return the URL of this request, without its host, as it was sent: Flask's path is decoded, without the prefix."""
    query = request.query_string.decode("ascii", "replace")
    path = quote(f"{request.script_root}/{request.path.lstrip('/')}", safe="/:@!$&'()*+,;=~")
    return f"{path}?{query}" if query else path


def query_url(**changes: Any) -> str:
    """Return this request's URL with some parameters changed; ``None`` leaves one out."""
    args = request.args.to_dict(flat=False) | {name: [value] for name, value in changes.items()}
    kept = [(name, value) for name, values in args.items() for value in values if value not in (None, "")]
    path = f"{request.script_root}{request.path}"
    return f"{path}?{urlencode(kept)}" if kept else path


def link_header(links: Mapping[str, str]) -> str:
    """Write links (relation to URL) as the header ``Link`` has them (RFC 8288)."""
    return ", ".join(f'<{url}>; rel="{relation}"' for relation, url in links.items())
