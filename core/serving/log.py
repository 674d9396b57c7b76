"""gunicorn's own lines, and its log of requests, written as all others are."""

from datetime import timedelta
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger as GunicornLogger

from ..http import paths
from ..logs import AddRequestId
from ..logs import line_formatter
from . import settings

_MICROSECOND = timedelta(microseconds=1)


class Logger(GunicornLogger):  # type: ignore[misc]  # it has no types
    """gunicorn's logger with the lines of :mod:`core.logs`: redacted, in UTC, as text or JSON."""

    def setup(self, cfg: Config) -> None:
        """Make the handlers, at start and at each reload."""
        super().setup(cfg)
        formatter = line_formatter(settings.read().log_format)
        for handler in [*self.error_log.handlers, *self.access_log.handlers]:
            handler.setFormatter(formatter)
            handler.addFilter(AddRequestId())

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Write who asked what, what was answered, and how long it took; no query string, which may hold secrets."""
        if not self.access_log_enabled:
            return
        status = int(str(resp.status).partition(" ")[0])
        method, path = environ.get("REQUEST_METHOD", "-"), _path(environ)
        fields = {
            "method": method,
            "path": path,
            "status": status,
            "microseconds": request_time // _MICROSECOND,
            "bytes": getattr(resp, "sent", 0),
            "address": environ.get("REMOTE_ADDR") or "-",
            "request_id": _answered_id(resp),
        }
        self.access_log.info("%s %s %s %s µs", method, path, status, fields["microseconds"], extra=fields)


def _path(environ: dict[str, Any]) -> str:
    path: str | None = environ.get(paths.KEY)
    if path is None:
        # WSGI's strings are bytes in disguise (PEP 3333).
        path = (
            (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1").decode(errors="replace")
        )
    return path


def _answered_id(resp: Any) -> str:
    for name, value in resp.headers:
        if name.lower() == "x-request-id":
            return str(value)
    return "-"
