"""Safe targets of redirects: a path of this site, and no other."""

import re
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from flask import Flask
from flask import Request
from flask import Response
from flask_babel import gettext
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound
from werkzeug.routing import MapAdapter
from werkzeug.routing import RequestRedirect

from . import apis

#: Longer ones are no way back.
MOST_CHARACTERS = 2000

#: One slash, then neither another nor what browsers take for one (WHATWG URL, "relative slash state").
_PATH = re.compile(r"/(?![/\\])")

#: Characters that browsers drop or turn into a slash, and those that no URL has.
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


# --- the router's own redirects -----------------------------------------------------------------


class BareRedirect(RequestRedirect):
    """A redirect without a page, for programs."""

    def get_response(self, *args: Any, **kwargs: Any) -> Any:
        """Return the answer."""
        return Response(status=self.code, headers={"Location": self.new_url})


def mend(error: NotFound | RequestRedirect, app: Flask, adapter: MapAdapter, request: Request) -> HTTPException:
    """Return what to raise in the place of a router's error: where a slash too many is at the end, it is mended.

    A page redirects to the address without it, as the router itself does where a slash is missing. An API answers
    404 and names that address: else a program would pay for a redirect with each request, and never know.
    """
    found = _without_slash(app, adapter, request) if isinstance(error, NotFound) else None
    better = found or error
    if not isinstance(better, RequestRedirect):
        return better
    stay_here(better, request)
    return BareRedirect(better.new_url) if apis.is_api(app, request) else better


def _without_slash(app: Flask, adapter: MapAdapter, request: Request) -> HTTPException | None:
    path = request.path.rstrip("/")
    if path == request.path or not path:
        return None
    try:
        endpoint, _ = adapter.match(path, method=request.method)
    except RequestRedirect as redirect:
        return redirect
    except HTTPException:
        return None
    # As it is sent on, werkzeug quotes it.
    url = quote(f"/{path.lstrip('/')}", safe="!$&'()*+,/:;=@")
    if request.method in ("GET", "HEAD") and not apis.is_exempt(app, endpoint):
        return RequestRedirect(adapter.make_redirect_url(url))
    root = request.script_root
    return NotFound(
        gettext(
            "There is nothing at %(root)s%(url)s/, but at %(root)s%(url)s: leave out the slash at the end.",
            root=root,
            url=url,
        )
    )


def stay_here(redirect: RequestRedirect, request: Request) -> None:
    """Make the router's own redirect one without a host.

    Werkzeug repeats the ``Host`` header in it, which a visitor may choose where any host is answered.
    """
    url = urlsplit(redirect.new_url)
    if url.netloc == request.host:
        redirect.new_url = urlunsplit(("", "", f"/{url.path.lstrip('/')}", url.query, ""))
