"""A line in the log for each request that failed (5xx) or was slow: what it was, whose, and what its SQL took of it.

One logger, ``andamio.requests``; as JSON each word is a field of its own. Of the address there is the path only: a
query may hold private data, and secret URL parameters, as the token of a link, are left out.
"""

import logging

from flask import g
from flask import request

from core.data.execution import Spent
from core.http import paths

logger = logging.getLogger("andamio.requests")


def write(status: str, seconds: float, spent: Spent) -> None:
    """Write the line, while the request is there."""
    known = g.get("identity")
    fields = {
        "status": int(status),
        "method": request.method,
        "path": paths.without_secrets(request),
        "endpoint": request.endpoint,
        "seconds": round(seconds, 4),
        "sql_seconds": round(spent.seconds, 4),
        "statements": spent.statements,
        "who": known.key if known is not None else None,
    }
    text = "%s %s answered %s in %.3f s, of it %.3f s in %d statements (endpoint %s, who %s)"
    values = [fields[name] for name in ("method", "path", "status", "seconds", "sql_seconds", "statements")]
    logger.warning(text, *values, fields["endpoint"], fields["who"] or "-", extra=fields)
