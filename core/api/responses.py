"""Answers of an API: with JSON, or with nothing."""

from typing import Any

from flask import Response

from ..http.json import dump_bytes
from .bodies import JSON


def json_response(body: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(dump_bytes(body), status, mimetype=JSON)


def empty_response(status: int = 204) -> Response:
    """Answer without a body, and without the content type that Flask would say of it."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response
