"""The id of a request: it stands in the response, and in each line that is logged meanwhile."""

import logging
import re
import secrets

from flask import Flask
from flask import Response
from flask import g
from flask import has_app_context
from flask import has_request_context
from flask import request

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,64}")


def init_app(app: Flask) -> None:
    """Send the id with each response (``X-Request-ID``)."""
    app.after_request(_answer_request_id)


def request_id() -> str | None:
    """Return the id of the current request; ``None`` outside of one.

    It is the caller's ``X-Request-ID`` if that is 8 to 64 letters, digits, ``.``, ``_``, ``:``
    or ``-``, else a random one.
    """
    if not has_request_context():
        return None
    known: str | None = g.get("request_id")
    if known is None:
        sent = request.headers.get("X-Request-ID", "")
        known = g.request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
    return known


def _answer_request_id(response: Response) -> Response:
    response.headers["X-Request-ID"] = request_id() or ""
    return response


class AddRequestId(logging.Filter):
    """Adds the id of the current request to a record that has none."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = (request_id() if has_app_context() else None) or "-"
        return True
