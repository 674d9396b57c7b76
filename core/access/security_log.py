"""The security log: who came in, who was kept out, and whose rights and keys have changed.

One logger, ``andamio.security``, whatever ``LOG_LEVEL`` says; each line has the fields ``event``,
``outcome``, ``who`` and ``address`` besides the request's id, and those that the event brings. As JSON
they stand on their own, so that a collector can filter by them. Secrets are never among them, nor is
what was typed: a password in the wrong field would be known with its owner.

A success is written once its transaction is committed, so that no line reports what did not happen.
"""

import logging
from functools import partial
from typing import Any

from flask import Flask
from flask import current_app
from flask import g
from flask import has_app_context
from flask import has_request_context
from flask import request

from ..data.outbox import after_commit
from ..modules import offers
from ..platform import platform_of

logger = logging.getLogger("andamio.security")
logger.setLevel(logging.INFO)

SUCCESS = "success"
FAILURE = "failure"
DENIED = "denied"

#: Events of the platform, and their meaning; modules have more, ``EVENTS`` of their ``security_events.py``. ``who`` is
#: the key of the account that it is about, or of the current identity.
EVENTS = {
    "access.denied": "a known identity may not do this; `permission` says what it takes (403)",
    "access.unauthenticated": "an anonymous visitor asked for what needs a sign-in (401)",
    "csrf.refused": "a form, or a request that used the session, came without a valid CSRF token",
    "limit.exceeded": "a caller asked an API more often than its limit allows",
}

_QUIET = frozenset({"access.unauthenticated"})


def init_app(app: Flask) -> None:
    """Collect the events of the modules."""
    files = [file for _, file in offers(app, "security_events")]
    platform_of(app).security_events = {*EVENTS, *(event for file in files for event in file.EVENTS)}


def record(event: str, outcome: str = SUCCESS, *, who: str | None = None, **fields: Any) -> None:
    """Write a line; what did not succeed is a warning, and is written at once.

    :param event: one of :data:`EVENTS`, or of a module's
    :param outcome: ``success``, ``failure`` or ``denied``
    :param who: the key of the account that it is about; by default the current identity's, if it is known
    :param fields: what else is to be known; no secret, and nothing that a visitor typed
    :raises ValueError: if the event is not listed
    """
    if has_app_context() and event not in platform_of(current_app).security_events:
        raise ValueError(
            f"{event!r} is no event of the security log: add it to EVENTS of your module's security_events.py."
        )
    known = _known()
    line: dict[str, Any] = {"event": event, "outcome": outcome, "who": who or (known.key if known else None)}
    if has_request_context():
        line |= {"via": known.via or None if known else None, "address": request.remote_addr}
    else:
        line["via"] = "command"
    line |= fields
    text = " ".join(f"{name}={_written(value)}" for name, value in line.items() if value is not None)
    is_warning = outcome != SUCCESS and event not in _QUIET
    write = partial(logger.log, logging.WARNING if is_warning else logging.INFO, "%s", text, extra=line)
    if outcome == SUCCESS and has_app_context():
        after_commit(write)
    else:
        write()


def _known() -> Any:
    """Return who is asking (:mod:`core.access`) if that was found out already: a line in a log is worth no query."""
    return g.get("identity") if has_app_context() else None


def _written(value: Any) -> str:
    text = str(value)
    return text if text and not set(text) & set(' "=') else '"' + text.replace('"', "'") + '"'
