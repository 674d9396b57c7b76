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

from flask import g
from flask import has_app_context
from flask import has_request_context
from flask import request

from ..data.outbox import after_commit

logger = logging.getLogger("andamio.security")
logger.setLevel(logging.INFO)

SUCCESS = "success"
FAILURE = "failure"
DENIED = "denied"

#: Every event, and its meaning. ``who`` is the key of the account that it is about, or of the current identity.
EVENTS = {
    "account.registered": "an account was made by registration",
    "account.confirmed": "the owner of an account confirmed its address",
    "account.created": "an operator made an account",
    "account.disabled": "an account was closed, its sessions ended",
    "account.enabled": "an account was opened again",
    "sign-in.succeeded": "a user signed in; `by` says with what",
    "sign-in.failed": "a password, code or passkey was wrong; `by` says which",
    "sign-in.throttled": "too many attempts: this one was not tried; `by` says of what",
    "sign-out": "a user signed out",
    "reauthenticated": "a signed-in user authenticated again",
    "sessions.ended": "sessions were ended from elsewhere; `count` says how many, `reason` why",
    "session.refused": "a cookie named a session that has ended; a copy, or one that was left too long",
    "password.changed": "a user changed their password",
    "password.reset": "a password was set by a link from a mail",
    "password.reset-asked": "a mail with such a link was sent",
    "email.changed": "the address of an account was changed",
    "email.change-asked": "a link was sent to a new address",
    "second-factor.changed": "a second factor was set up or replaced",
    "second-factor.removed": "a second factor was taken away",
    "recovery-codes.made": "new recovery codes replace the old ones",
    "recovery-code.used": "a recovery code was used up",
    "passkey.added": "a passkey was added",
    "passkey.removed": "a passkey was taken away",
    "token.made": "a personal access token was made; `target` is its number",
    "token.revoked": "a personal access token was revoked",
    "token.refused": "a token was sent that does not count",
    "access.denied": "a known identity may not do this; `permission` says what it takes (403)",
    "access.unauthenticated": "an anonymous visitor asked for what needs a sign-in (401)",
    "csrf.refused": "a form, or a request that used the session, came without a valid CSRF token",
    "limit.exceeded": "a caller asked an API more often than its limit allows",
    "role.changed": "a role was given or taken away; `role`, `target`",
    "permission.changed": "what a role grants was changed; `role`, `permission`",
}

_QUIET = frozenset({"access.unauthenticated"})


def record(event: str, outcome: str = SUCCESS, *, who: str | None = None, **fields: Any) -> None:
    """Write a line; what did not succeed is a warning, and is written at once.

    :param event: one of :data:`EVENTS`
    :param outcome: ``success``, ``failure`` or ``denied``
    :param who: the key of the account that it is about; by default the current identity's, if it is known
    :param fields: what else is to be known; no secret, and nothing that a visitor typed
    :raises ValueError: if the event is not listed
    """
    if event not in EVENTS:
        raise ValueError(f"{event!r} is no event of the security log: add it to core.access.security_log.EVENTS.")
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
