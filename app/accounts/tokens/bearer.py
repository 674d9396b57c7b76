"""The sender of a request with ``Authorization: Bearer …``: one question to the database (RFC 6750).

Only in APIs, and only in this header: tokens in addresses and in bodies end up in logs and
in browsers' histories, so that none is taken there. A token that does not count is refused at public addresses
too: its sender would wonder why the request is anonymous.
"""

import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import current_app
from flask import request
from flask_babel import gettext
from sqlalchemy.exc import DBAPIError

from core.access import Identity
from core.access import identity
from core.access.security_log import FAILURE
from core.access.security_log import record
from core.data import cursors
from core.data.models import now
from core.fields.messages import Message
from core.fields.messages import translated
from core.http.apis import is_api
from core.http.challenges import challenge
from core.http.problems import KINDS
from core.http.problems import Problem
from core.http.problems import Refusal

from .. import throttles
from ..roles.permissions import HELD
from ..roles.permissions import HELD_COLUMNS
from ..roles.permissions import held
from .texts import digest
from .texts import is_token

logger = logging.getLogger(__name__)

#: A last use is written when the one before is so long ago, not at every request.
USED_EVERY = timedelta(minutes=1)

#: RFC 9110, section 11.2.
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*")

_FIND = f"""
    SELECT token.id, token.scopes, person.key, person.name, person.active, token.expires_at > :now,
        token.used_at IS NULL OR token.used_at <= :before, {HELD_COLUMNS}
    FROM accounts_token token
    JOIN accounts_user person ON person.id = token.user_id
    {HELD}
    WHERE token.digest = :digest
"""  # noqa: S608 - of our own words

# Of requests that come at once, the first writes; the others find it written.
_USE = "UPDATE accounts_token SET used_at = :now WHERE id = :id AND (used_at IS NULL OR used_at <= :before)"


def is_sent() -> bool:
    """Return whether this request says by a header who sends it, to an API."""
    return "HTTP_AUTHORIZATION" in request.environ and is_api(current_app, request)


def check() -> None:
    """Refuse a token that does not count, before anything else is done for the request."""
    if is_sent():
        identity()


def find() -> Identity:
    """Return whose token was sent, and what it is limited to; two statements a minute, else one.

    :raises Refusal: if what was sent is no token, or one that does not count (any more)
    """
    token = read_header(request.environ["HTTP_AUTHORIZATION"])
    moment = now()
    moments = cursors.moments(now=moment, before=moment - USED_EVERY)
    rows = cursors.read_tuples(_FIND, {"digest": digest(token), **moments})
    if not rows:
        raise _refused(Message("The token is unknown, or was revoked."))
    token_id, scopes, key, name, is_active, is_live, is_rested, *_ = rows[0]
    if not is_active:
        raise _refused(Message("The token does not count any more."), who=key, target=token_id)
    if not is_live:
        raise _refused(Message("The token has expired."), who=key, target=token_id)
    if is_rested:
        _write_use({"id": token_id, **moments})
    roles, permissions = held(rows)
    return Identity(key, name, permissions, frozenset(scopes.split()), roles, "token")


def read_header(text: str) -> str:
    """Return the token that a header holds.

    :raises Refusal: 401 if it names another scheme, 400 if it is malformed, 401 if what it holds cannot be a token
    """
    scheme, _, rest = text.strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        # No error code where no token was sent (RFC 6750, section 3.1).
        detail = gettext("Only tokens are taken here: Authorization: Bearer TOKEN.")
        raise Refusal(Problem(KINDS["unauthorized"], detail, headers=challenge()))
    token = rest.strip(" ")
    if not _TOKEN68.fullmatch(token):
        detail = Message("Authorization: Bearer takes one token, and nothing else.")
        raise Refusal(Problem(KINDS["bad-request"], translated(detail), headers=challenge("invalid_request", detail)))
    if not is_token(token):
        raise _refused(Message("This is not a token of this site: copy all of it."))
    return token


def _refused(detail: Message, **known: Any) -> Refusal:
    """Return the refusal of an invalid token, and record it in the security log."""
    record("token.refused", FAILURE, **known)
    seconds = throttles.bad_token() if current_app.config["RATE_LIMITS"] else 0
    if seconds:
        text = gettext("Too many tokens from your address do not count.")
        return Refusal(Problem(KINDS["too-many-requests"], text, headers={"Retry-After": str(seconds)}))
    # A header is in ASCII, and thereby in English.
    return Refusal(Problem(KINDS["unauthorized"], translated(detail), headers=challenge("invalid_token", detail)))


def _write_use(values: Mapping[str, Any]) -> None:
    """Write when a token was used last; that it cannot be written is no reason to refuse the request."""
    try:
        cursors.write(_USE, values)
    except DBAPIError as error:
        logger.warning(
            "the last use of token %s could not be written: %s", values["id"], str(error.orig).splitlines()[0]
        )
