"""Deprecated endpoints: announced in the headers of their answers, and their callers logged.

``deprecate(blueprint, Deprecation(since=date(2027, 1, 1), sunset=date(2027, 7, 1)))`` for a version of an
API, ``@deprecated(Deprecation(…))`` above a view, or the attribute ``deprecation`` of a resource.
"""

import functools
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time
from typing import Any

from flask import Flask
from flask import Response
from flask import after_this_request
from flask import request
from flask.blueprints import Blueprint
from werkzeug.http import http_date

from ..declarations import View
from ..declarations import declare
from ..declarations import declared
from ..declarations import declaring
from ..modules import ModuleError
from ..platform import platform_of

logger = logging.getLogger(__name__)

#: So much of a User-Agent is logged.
AGENT_LENGTH = 200

#: What may stand between ``<`` and ``>`` of a Link header.
_URL = re.compile(r"[!#-;=?-~]+")


@dataclass(frozen=True)
class Deprecation:
    """Since when something should not be used any more, and until when it can be.

    :param since: a day (UTC), or a moment with its zone (RFC 9745)
    :param sunset: from then on it may be gone (RFC 8594)
    :param link: URL of a page that explains it
    :param successor: URL of what to use instead
    :raises ValueError: if the sunset lies before, a moment has no zone, or a URL is none
    """

    since: date
    sunset: date | None = None
    link: str | None = None
    successor: str | None = None

    def __post_init__(self) -> None:
        since = _moment(self.since)
        if self.sunset is not None and _moment(self.sunset) < since:
            raise ValueError(f"What is deprecated since {self.since} cannot be gone on {self.sunset}: correct one.")
        for url in (self.link, self.successor):
            if url is not None and not _URL.fullmatch(url):
                raise ValueError(f"{url!r} is no URL: percent-encode what is not ASCII.")

    def headers(self) -> dict[str, str]:
        """Return the headers, without ``Link``."""
        found = {"Deprecation": f"@{int(_moment(self.since).timestamp())}"}
        if self.sunset is not None:
            found["Sunset"] = http_date(_moment(self.sunset))
        return found

    def links(self, root: str) -> list[str]:
        """Return the parts of the ``Link`` header.

        :param root: the path at which the application is mounted
        """
        relations = {"deprecation": self.link, "sunset": self.link if self.sunset else None}
        relations["successor-version"] = self.successor
        return [
            f'<{root if url.startswith("/") else ""}{url}>; rel="{relation}"'
            for relation, url in relations.items()
            if url is not None
        ]


def _moment(when: date) -> datetime:
    if not isinstance(when, datetime):
        return datetime.combine(when, time(), UTC)
    if when.tzinfo is None:
        raise ValueError(f"{when!r} has no zone: give tzinfo=UTC, or a date.")
    return when


def deprecate(blueprint: Blueprint, deprecation: Deprecation) -> None:
    """Deprecate all endpoints of a blueprint, such as a version of an API."""
    declare(blueprint, "deprecation", deprecation)


def deprecated(deprecation: Deprecation) -> Callable[[View], View]:
    """Return a decorator that deprecates a view."""
    return declaring("deprecation", deprecation)


def init_app(app: Flask) -> None:
    """Make the views that are deprecated say so.

    :raises ModuleError: if one is declared with something else than a :class:`Deprecation`
    """
    found = {endpoint: one.value for endpoint, one in declared(app, "deprecation")}
    platform_of(app).deprecations = found
    for endpoint, deprecation in found.items():
        if not isinstance(deprecation, Deprecation):
            raise ModuleError(f"The deprecation of {endpoint!r} is {deprecation!r}: write Deprecation(since=…).")
        app.view_functions[endpoint] = _announced(app, endpoint, deprecation)


def find(app: Flask, endpoint: str) -> Deprecation | None:
    """Return the deprecation of an endpoint."""
    known: dict[str, Deprecation] = platform_of(app).deprecations
    return known.get(endpoint)


def _announced(app: Flask, endpoint: str, deprecation: Deprecation) -> Callable[..., Any]:
    """Wrap a view: log its callers, and add the headers to its answers."""
    view = app.ensure_sync(app.view_functions[endpoint])
    headers = deprecation.headers()

    def add_headers(response: Response) -> Response:
        response.headers.update(headers)
        links = [*response.headers.getlist("Link"), *deprecation.links(request.script_root)]
        if links:
            response.headers["Link"] = ", ".join(links)
        return response

    @functools.wraps(view)
    def announced(*args: Any, **kwargs: Any) -> Any:
        after_this_request(add_headers)
        if request.method != "OPTIONS":
            _log(endpoint)
        return view(*args, **kwargs)

    return announced


def _log(endpoint: str) -> None:
    """Write who calls: as a line, and as fields for a log that is JSON."""
    agent = request.headers.get("User-Agent", "")[:AGENT_LENGTH]
    call = {"endpoint": endpoint, "caller": request.remote_addr, "user_agent": agent}
    # Written as a literal, an agent can neither end the line nor look like another part of it.
    logger.info("deprecated: %s %s, called by %s, %r", request.method, endpoint, call["caller"], agent, extra=call)
