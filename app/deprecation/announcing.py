"""Announce deprecations in the headers of answers, and log the callers."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask import Response
from flask import after_this_request
from flask import request
from werkzeug.http import http_date

from core.api.deprecation import Deprecation
from core.api.deprecation import moment
from core.declarations import Declaration
from core.modules import ModuleError

logger = logging.getLogger(__name__)

#: So much of a User-Agent is logged.
AGENT_LENGTH = 200


def announce(app: Flask, endpoint: str, declaration: Declaration) -> Callable[..., Any]:
    """Return the view of an endpoint that logs its callers, and adds the headers to its answers.

    :raises ModuleError: if something else than a :class:`Deprecation` is declared
    """
    deprecation = declaration.value
    if not isinstance(deprecation, Deprecation):
        raise ModuleError(f"The deprecation of {endpoint!r} is {deprecation!r}: write Deprecation(since=…).")
    view = app.ensure_sync(app.view_functions[endpoint])
    headers = _headers(deprecation)

    def add_headers(response: Response) -> Response:
        response.headers.update(headers)
        links = [*response.headers.getlist("Link"), *_links(deprecation, request.script_root)]
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


def _headers(deprecation: Deprecation) -> dict[str, str]:
    found = {"Deprecation": f"@{int(moment(deprecation.since).timestamp())}"}
    if deprecation.sunset is not None:
        found["Sunset"] = http_date(moment(deprecation.sunset))
    return found


def _links(deprecation: Deprecation, root: str) -> list[str]:
    """Return the parts of the ``Link`` header.

    :param root: the path at which the application is mounted
    """
    relations = {"deprecation": deprecation.link, "sunset": deprecation.link if deprecation.sunset else None}
    relations["successor-version"] = deprecation.successor
    return [
        f'<{root if url.startswith("/") else ""}{url}>; rel="{relation}"'
        for relation, url in relations.items()
        if url is not None
    ]


def _log(endpoint: str) -> None:
    """Write who calls: as a line, and as fields for a log that is JSON."""
    agent = request.headers.get("User-Agent", "")[:AGENT_LENGTH]
    call = {"endpoint": endpoint, "caller": request.remote_addr, "user_agent": agent}
    # Written as a literal, an agent can neither end the line nor look like another part of it.
    logger.info("deprecated: %s %s, called by %s, %r", request.method, endpoint, call["caller"], agent, extra=call)
