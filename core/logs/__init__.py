"""Lines of the log: their formats, the id of their request, and the secrets that they must not show."""

from .formatters import JSONFormatter
from .formatters import TextFormatter
from .formatters import line_formatter
from .redaction import is_secret_name
from .redaction import redact
from .request_ids import AddRequestId
from .request_ids import request_id

__all__ = [
    "AddRequestId",
    "JSONFormatter",
    "TextFormatter",
    "is_secret_name",
    "line_formatter",
    "redact",
    "request_id",
]
