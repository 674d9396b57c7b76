"""An empty answer without any framework: what gunicorn and the kernel compute for a request alone."""

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with nothing."""
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "0")])
    return [b""]
