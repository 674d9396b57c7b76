"""Access from pages of other sites (CORS), by Flask-CORS, API by API.

The origins come from the configuration. Whether an answer may be read by a page is said in every
answer of an API, those of the router and of errors among them: else a page would see
nothing but "network error". Cookies are never asked for (no ``Access-Control-Allow-Credentials``).
"""

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask
from flask import Response
from flask import current_app
from flask import request
from flask_cors import cross_origin

from core.configuration import ConfigError
from core.http import apis

#: The configuration of all APIs; ``CORS_ORIGINS_<BLUEPRINT>`` is that of one.
ORIGINS = "CORS_ORIGINS"

#: A browser asks again after so many seconds; Chromium's own limit.
PREFLIGHT_SECONDS = 7200

#: Headers that a page may send, besides those that are always allowed.
REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Unmodified-Since",
    "X-CSRFToken",
    "X-Request-ID",
)

#: Headers that a page may read, besides those that are always allowed.
RESPONSE_HEADERS = (
    "Accept-Patch",
    "Allow",
    "Deprecation",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
)


@dataclass(frozen=True)
class Policy:
    """The origins that may call the APIs of one blueprint.

    :param answer: returns the response that it gets with the headers of Flask-CORS
    """

    answer: Callable[[Response], Response]
    any_origin: bool


def install(app: Flask) -> None:
    """Let the pages of the configured origins call the APIs; with none configured nothing is installed.

    :raises ConfigError: if origins are configured for what is no API
    """
    owners = apis.owners(app)
    _check_names(app, owners)
    found = {owner: _policy(origins_of(app, owner)) for owner in owners}
    app.extensions["cors"] = {owner: policy for owner, policy in found.items() if policy is not None}
    if app.extensions["cors"]:
        app.after_request(_allow)


def origins_of(app: Flask, owner: str) -> Sequence[str]:
    """Return the origins that may call the APIs of a blueprint."""
    own: Sequence[str] | None = app.config.get(_key(owner))
    return app.config[ORIGINS] if own is None else own


def _key(owner: str) -> str:
    return f"{ORIGINS}_{re.sub(r'[^A-Z0-9]', '_', owner.upper())}"


def _check_names(app: Flask, owners: Iterable[str]) -> None:
    known = {_key(owner) for owner in owners if owner}
    unknown = {key for key in app.config if key.startswith(f"{ORIGINS}_")} - known
    names = ", ".join(sorted(known)) or "none"
    if unknown:
        raise ConfigError([f"{key} is of no API: correct its name ({names}) or unset it" for key in sorted(unknown)])


def _policy(origins: Sequence[str]) -> Policy | None:
    if not origins:
        return None
    any_origin = "*" in origins
    answering = cross_origin(
        origins="*" if any_origin else list(_patterns(origins)),
        allow_headers=list(REQUEST_HEADERS),
        expose_headers=list(RESPONSE_HEADERS),
        max_age=PREFLIGHT_SECONDS,
        supports_credentials=False,
        send_wildcard=True,
        always_send=False,
        # Flask-CORS says it only where it lets an origin in: a cache would keep the other answers for all.
        vary_header=False,
        automatic_options=False,
    )
    return Policy(answering(_unchanged), any_origin)


def _unchanged(response: Response) -> Response:
    return response


def _patterns(origins: Sequence[str]) -> Iterator[re.Pattern[str]]:
    """Write origins as what Flask-CORS cannot misread: to it ``http://[::1]`` is a regular expression."""
    for origin in origins:
        name, any_port, _ = origin.partition(":*")
        yield re.compile(re.escape(name) + (r"(:[0-9]{1,5})?" if any_port else "") + r"\Z", re.IGNORECASE)


def _allow(response: Response) -> Response:
    owner = apis.owner_of(current_app, request)
    policy: Policy | None = current_app.extensions["cors"].get(owner or "")
    # A module may have Flask-CORS on its blueprint: browsers refuse what says it twice.
    if policy is not None and "Access-Control-Allow-Origin" not in response.headers:
        _add_headers(policy, response)
    return response


def _add_headers(policy: Policy, response: Response) -> None:
    headers = response.headers
    if not policy.any_origin:
        # Also without an origin: a cache must not give this answer to a page.
        headers["Vary"] = ", ".join([*headers.getlist("Vary"), "Origin"])
    if "HTTP_ORIGIN" in request.environ:
        policy.answer(response)
    elif policy.any_origin:
        # And may give this one.
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Access-Control-Expose-Headers"] = ", ".join(RESPONSE_HEADERS)
    if "Access-Control-Allow-Methods" in headers and "Allow" in headers:
        headers["Access-Control-Allow-Methods"] = headers["Allow"]
