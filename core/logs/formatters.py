"""The formats of a line of the log: text for a terminal, or one JSON object."""

import logging
from datetime import UTC
from datetime import datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from .redaction import escape
from .redaction import redact
from .redaction import redact_value


class _Timed(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        # In UTC and with the zone, so that the lines of several machines can be put in order.
        return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03}Z"


class TextFormatter(_Timed):
    """A line for a terminal, its secrets removed; the lines of a traceback follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        # The development server's banner has several lines; what visitors sent it escapes itself.
        return "\n".join(map(escape, line.split("\n") if record.name == "werkzeug" else [line]))

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"  {escape(line)}" for line in super().formatException(ei).split("\n"))


class JSONFormatter(_Timed, JsonFormatter):
    """One JSON object per line, its secrets removed."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Redact before the record is JSON: later, a number or an object in a secret's place would break it."""
        return {key: redact_value(value, key) for key, value in super().process_log_record(log_data).items()}


def line_formatter(style: str) -> logging.Formatter:
    """Return the formatter of records that have passed :class:`core.logs.AddRequestId`.

    :param style: ``text`` or ``json``
    """
    if style == "text":
        return TextFormatter("%(asctime)s %(levelname)-7s [%(request_id)s] %(name)s: %(message)s")
    return JSONFormatter(
        "{asctime}{levelname}{name}{message}{request_id}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
    )
