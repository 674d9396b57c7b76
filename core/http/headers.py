"""The headers that every answer carries: what a browser may do with it, and who may keep it.

They are added last, in the server's callback (WSGI's ``start_response``): answers of views, of the router,
of static files and of errors all pass there, and headers that were set before stay. It costs one look at
the names and a prepared list: 3 µs for JSON, 6 for a page, where a hook that set four headers one by one took 12.
"""

import re
import secrets
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask import Response
from flask import g
from flask import request

from ..access import has_looked
from ..declarations import View
from ..declarations import declared
from ..declarations import declaring
from ..platform import platform_of

#: A page may load from its own site only, and nothing may run in it or frame it (CSP Level 3). ``data:``
#: is for the pictures within Bootstrap's stylesheet.
PAGE_SOURCES = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'", "data:"),
    "font-src": ("'self'",),
    "connect-src": ("'self'",),
    "form-action": ("'self'",),
    "frame-ancestors": ("'none'",),
    "base-uri": ("'none'",),
}

#: For answers that are no page: opened by itself, it loads nothing and runs nothing.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

#: Features that no shipped page needs. They are those that browsers know: of others Chromium complains.
FORBIDDEN_FEATURES = (
    *("accelerometer", "autoplay", "camera", "cross-origin-isolated", "display-capture", "encrypted-media"),
    *("geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi"),
    *("payment", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)

#: Passkeys, and copying a token that is shown once.
OWN_FEATURES = ("publickey-credentials-create", "publickey-credentials-get", "clipboard-write")

PERMISSIONS_POLICY = ", ".join(
    [*(f"{name}=()" for name in FORBIDDEN_FEATURES), *(f"{name}=(self)" for name in OWN_FEATURES)]
)

#: The content types of an answer for which none was chosen.
_BY_DEFAULT = ("text/html", "text/plain")

#: A header as it is sent, beside the name by which it is known to be there already.
Prepared = tuple[tuple[str, tuple[str, str]], ...]

StartResponse = Callable[..., Any]


def write_policy(sources: Mapping[str, Iterable[str]]) -> str:
    """Write a Content-Security-Policy."""
    return "; ".join(f"{name} {' '.join(values)}" for name, values in sources.items())


PAGE_POLICY = write_policy(PAGE_SOURCES)

_EVERY = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
_PAGE = {
    **_EVERY,
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    # For browsers that do not know frame-ancestors.
    "X-Frame-Options": "DENY",
}
_DATA = {**_EVERY, "Content-Security-Policy": DATA_POLICY}


class Completion:
    """Security headers of one application.

    :param policies: the sources of the endpoints whose pages need more than others
    """

    def __init__(self, config: Mapping[str, Any], policies: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        self._policies = policies
        #: A cached answer takes over the headers of a 304 (RFC 9111, section 3.2): what depends on the kind of
        #: the answer, which a 304 does not have, must not be in it.
        self._unchanged, self._page, self._data = (
            {"http": _prepare(headers), "https": _prepare({**headers, **_transport(config)})}
            for headers in (_EVERY, _PAGE, _DATA)
        )

    def add(self, environ: Mapping[str, Any], status: str, headers: list[tuple[str, str]]) -> None:
        """Add the headers that are not there."""
        known = {name.lower(): value for name, value in headers}
        kind = known.get("content-type", "")
        if kind.startswith(_BY_DEFAULT) and (known.get("content-length") == "0" or status.startswith("204")):
            # Flask and werkzeug give one to every answer, also where there is nothing.
            headers[:] = [header for header in headers if header[0].lower() != "content-type"]
            kind = ""
        if kind.startswith(("text/html", "application/xhtml")):
            chosen = self._page
            if "content-security-policy" not in known:
                headers.append(("Content-Security-Policy", self._policy()))
            # Signed-in users see their name at the top of every page, also of one that shared caches may keep, and
            # all readers their language.
            varies = known.get("vary", "").lower()
            missing = [name for name in ("Cookie", "Accept-Language") if name.lower() not in varies]
            if missing:
                headers.append(("Vary", ", ".join(missing)))
        else:
            chosen = self._unchanged if status.startswith("304") else self._data
        headers += [header for name, header in chosen[environ["wsgi.url_scheme"]] if name not in known]
        if "cache-control" not in known:
            is_for_one = "HTTP_COOKIE" in environ or "HTTP_AUTHORIZATION" in environ or "set-cookie" in known
            headers.append(("Cache-Control", "no-store" if is_for_one else "private, no-cache"))

    def _policy(self) -> str:
        sources = self._policies.get(request.endpoint or "", PAGE_SOURCES) if self._policies else PAGE_SOURCES
        nonce = g.get("csp_nonce")
        if nonce is not None:
            own = f"'nonce-{nonce}'"
            sources = {**sources, **{name: (*sources[name], own) for name in ("script-src", "style-src")}}
        return PAGE_POLICY if sources is PAGE_SOURCES else write_policy(sources)


def _prepare(headers: Mapping[str, str]) -> Prepared:
    return tuple((name.lower(), (name, value)) for name, value in headers.items())


def _transport(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the header that keeps browsers to https; over http it is not sent (RFC 6797, section 7.2)."""
    seconds = config["HSTS_SECONDS"]
    if not seconds:
        return {}
    subdomains = "; includeSubDomains" if config["HSTS_SUBDOMAINS"] else ""
    return {"Strict-Transport-Security": f"max-age={seconds}{subdomains}"}


def init_app(app: Flask) -> None:
    """Complete the answers of this application; its endpoints are known by now."""
    policies = {endpoint: one.value for endpoint, one in declared(app, "csp")}
    platform_of(app).completion = Completion(app.config, policies)
    app.jinja_env.globals["csp_nonce"] = csp_nonce


def completing(app: Flask, environ: Mapping[str, Any], start_response: StartResponse) -> StartResponse:
    """Return a ``start_response`` that completes the headers first."""
    add = platform_of(app).completion.add

    def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        add(environ, status, headers)
        return start_response(status, headers, *exc_info)

    return start


# --- what a page needs beyond that --------------------------------------------------------------


def csp_nonce() -> str:
    """Return what lets one inline script or style of this page run, ``<script nonce="{{ csp_nonce() }}">``."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    nonce: str = g.csp_nonce
    return nonce


#: Directives that a page may extend. Framing and the base URL are not among them.
_EXTENSIBLE = {f"{name}-src" for name in ("script", "style", "img", "font", "connect", "media", "frame", "worker")}
_EXTENSIBLE |= {"manifest-src", "form-action"}

#: A host with https, a path of it, or the hash of a script or style. No scheme alone, no ``*`` for all hosts,
#: and none of the words in quotes, most of which begin with ``unsafe``.
_SOURCE = re.compile(
    r"(?:https|wss)://(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]{1,5})?(?:/[\w./~%-]*)?"
    r"|'sha(?:256|384|512)-[A-Za-z0-9+/]{43,86}={0,2}'|'self'"
)
#: Schemes of what the page has made itself, where nothing can run that comes by them.
_LOCAL_SOURCES = {"img-src": {"data:", "blob:"}, "font-src": {"data:"}, "media-src": {"data:", "blob:"}}


def csp(**sources: str) -> Callable[[View], View]:
    """Return a decorator that lets one page load more: ``@csp(img_src="https://tiles.example.org")``.

    :param sources: directives of the Content-Security-Policy, with what is added to each, separated by spaces
    :raises ValueError: if it would make the page unsafe, or is no source
    """
    policy: dict[str, tuple[str, ...]] = dict(PAGE_SOURCES)
    for keyword, text in sources.items():
        name = keyword.replace("_", "-")
        _check_sources(name, text.split())
        policy[name] = tuple(dict.fromkeys([*policy.get(name, ()), *text.split()]))
    return declaring("csp", policy)


def _check_sources(name: str, values: list[str]) -> None:
    if name not in _EXTENSIBLE:
        raise ValueError(f"No page may change {name} of its policy: {', '.join(sorted(_EXTENSIBLE))} can be extended.")
    for value in values:
        if not _SOURCE.fullmatch(value) and value not in _LOCAL_SOURCES.get(name, ()):
            raise ValueError(
                f"{value!r} cannot be a source of {name}: write https://HOST, the hash of a script or style, or "
                "'self'; for an inline script use csp_nonce() in the template."
            )


def data_is_kept() -> str:
    """Return ``Cache-Control`` of data that callers may revalidate by ETag, where it is not for one person."""
    return "no-store" if has_looked() else "private, no-cache"


# --- what a view says of its answer -------------------------------------------------------------


def never_changes(response: Response) -> Response:
    """Let browsers not even ask whether it has changed: its URL does, when it has."""
    response.cache_control.immutable = True
    return response


def forget_pages(response: Response) -> Response:
    """Let the browser drop the pages that it has kept: a user has signed out.

    Not its cookies, which would be those of every site below the same domain, nor what it has stored, which is
    the visitor's theme.
    """
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
