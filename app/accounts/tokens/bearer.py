"""Who sends a request with ``Authorization: Bearer …``: one question to the database (RFC 6750).

Only below the prefixes of APIs, and only in this header: tokens in addresses and in bodies end up in logs and
in browsers' histories, so that none is taken there. A token that does not count is refused at public addresses
too: who sends one is not to wonder why she is nobody.
"""

import logging
import re
from collections.abc import Mapping
from datetime import datetime
from datetime import timedelta
from typing import Any

from flask import current_app
from flask import request
from sqlalchemy.exc import DBAPIError

from core import cursors
from core.access import Identity
from core.access import identity
from core.http.apis import is_api_path
from core.http.challenges import challenge
from core.http.problems import KINDS
from core.http.problems import Problem
from core.http.problems import Refusal
from core.models import UtcDateTime
from core.models import now
from core.security_log import FAILURE
from core.security_log import record
from services import db

from .. import throttles
from ..roles.permissions import granted
from .texts import digest
from .texts import is_token

logger = logging.getLogger(__name__)

#: A last use is written when the one before is so long ago, not at every request.
USED_EVERY = timedelta(minutes=1)

#: RFC 9110, section 11.2.
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*")

_FIND = """
    SELECT token.id, token.name AS token_name, token.scopes, person.id AS user_id, person.key, person.name,
        person.active, role.name AS role, granted.permission,
        token.expires_at > :now AS is_live,
        token.used_at IS NULL OR token.used_at <= :before AS is_rested
    FROM accounts_token token
    JOIN accounts_user person ON person.id = token.user_id
    LEFT JOIN accounts_user_role held ON held.user_id = person.id
    LEFT JOIN accounts_role role ON role.id = held.role_id
    LEFT JOIN accounts_role_permission granted ON granted.role_id = role.id
    WHERE token.digest = :digest
"""

# Of requests that come at once, the first writes; the others find it written.
_USE = "UPDATE accounts_token SET used_at = :now WHERE id = :id AND (used_at IS NULL OR used_at <= :before)"


def is_sent() -> bool:
    """Return whether this request says by a header who sends it, to an API."""
    return "HTTP_AUTHORIZATION" in request.environ and is_api_path(current_app, request.path)


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
    rows = _look_up(token, moment)
    if not rows:
        raise _refused("The token is unknown, or was revoked.")
    first = rows[0]
    if not first["active"]:
        raise _refused("The token does not count any more.", first)
    if not first["is_live"]:
        raise _refused("The token has expired.", first)
    if first["is_rested"]:
        _write_use(first["id"], moment)
    roles = frozenset(row["role"] for row in rows if row["role"])
    return Identity(
        key=first["key"],
        name=first["name"],
        permissions=granted(roles, (row["permission"] for row in rows if row["permission"])),
        scopes=frozenset(first["scopes"].split()),
        roles=roles,
        via="token",
    )


def read_header(text: str) -> str:
    """Return the token that a header holds.

    :raises Refusal: 401 if it names another scheme, 400 if it is malformed, 401 if what it holds cannot be a token
    """
    scheme, _, rest = text.strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        # No error code: a caller who knows nothing of tokens is told of them (RFC 6750, section 3.1).
        detail = "Only tokens are taken here: Authorization: Bearer TOKEN."
        raise Refusal(Problem(KINDS["unauthorized"], detail, headers=challenge()))
    token = rest.strip(" ")
    if not _TOKEN68.fullmatch(token):
        detail = "Authorization: Bearer takes one token, and nothing else."
        raise Refusal(Problem(KINDS["bad-request"], detail, headers=challenge("invalid_request", detail)))
    if not is_token(token):
        raise _refused("This is not a token of ours: copy all of it.")
    return token


def _refused(detail: str, found: Mapping[str, Any] | None = None) -> Refusal:
    """Return what to answer to a token that does not count, and tell the security log.

    :param found: what is known of it
    """
    known = {"who": found["key"], "target": found["id"]} if found else {}
    record("token.refused", FAILURE, **known)
    seconds = throttles.bad_token() if current_app.config["RATE_LIMITS"] else 0
    if seconds:
        detail = "Too many tokens from your address do not count."
        return Refusal(Problem(KINDS["too-many-requests"], detail, headers={"Retry-After": str(seconds)}))
    return Refusal(Problem(KINDS["unauthorized"], detail, headers=challenge("invalid_token", detail)))


# --- the database -------------------------------------------------------------------------------


def _look_up(token: str, moment: datetime) -> list[dict[str, Any]]:
    return cursors.read(_FIND, {"digest": digest(token), **_moments(moment)})


def _write_use(token_id: int, moment: datetime) -> None:
    """Write when a token was used last; that it cannot be written is no reason to refuse the request."""
    try:
        cursors.write(_USE, {"id": token_id, **_moments(moment)})
    except DBAPIError as error:
        logger.warning("the last use of token %s could not be written: %s", token_id, str(error.orig).splitlines()[0])


def _moments(moment: datetime) -> dict[str, Any]:
    """Return a moment, and that before which a use is written anew, as the driver takes them."""
    dialect = db.engine.dialect
    write = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
    moments = {"now": moment, "before": moment - USED_EVERY}
    return {name: write(value) if write else value for name, value in moments.items()}
