"""Where a visitor may be sent: to a path of this site, and to no other."""

import re
from urllib.parse import unquote
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from flask import Request
from werkzeug.routing import RequestRedirect

#: Longer ones are nobody's way back.
MOST_CHARACTERS = 2000

#: One slash, then neither another nor what browsers take for one (WHATWG URL, "relative slash state").
_PATH = re.compile(r"/(?![/\\])")

#: What browsers drop or turn into a slash, wherever it stands, and what no URL has.
_UNSAFE = re.compile(r"[\x00-\x20\\\x7f-\xa0\u2028\u2029\ud800-\udfff]")


def safe_next(url: str | None, default: str) -> str:
    """Return where to go next: what a form or a link has asked for if it is a path of this site, else the default.

    :param url: as it was sent
    """
    return url if url is not None and is_own_path(url) else default


def is_own_path(url: str) -> bool:
    """Return whether this is a path of this site, with or without a query, and stays one however it is read.

    That of ``/%2F/example.org`` is decoded by some proxies, so it is held to the same rules once more.
    """
    if len(url) > MOST_CHARACTERS or _UNSAFE.search(url) or not _PATH.match(url):
        return False
    path = unquote(re.split("[?#]", url, maxsplit=1)[0])
    return _PATH.match(path) is not None and _UNSAFE.search(path.replace(" ", "")) is None


def stay_here(redirect: RequestRedirect, request: Request) -> None:
    """Make the router's own redirect, to the path with its slash, one without a host.

    Werkzeug repeats the ``Host`` header in it, which a visitor may choose where any host is answered.
    """
    url = urlsplit(redirect.new_url)
    if url.netloc == request.host:
        redirect.new_url = urlunsplit(("", "", f"/{url.path.lstrip('/')}", url.query, ""))
