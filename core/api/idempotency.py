"""Requests that are done once, however often they are sent: the header ``Idempotency-Key``.

After draft-ietf-httpapi-idempotency-key-header-07. The key and the answer are written in the
transaction of the work itself: either all of it is there, or nothing, and then the request may be
sent again. The table lies in the default database; what a view writes to another one is committed
apart from it.
"""

import functools
import logging
import random
import re
from collections.abc import Callable
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from flask import Response
from flask import current_app
from flask import request
from flask_babel import gettext
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import BadRequest

import settings
from services import db

from ..access import ANONYMOUS
from ..access import identity
from ..crud.transactions import transaction
from ..data import drivers
from ..data.models import UtcDateTime
from ..data.models import now
from ..http.problems import KINDS
from ..http.problems import Problem
from ..http.problems import Refusal
from ..http.sessions import session_owner

logger = logging.getLogger(__name__)

#: Headers of an answer that are repeated with it; the others belong to the one request.
KEPT_HEADERS = ("Content-Type", "Location", "ETag", "Link")

#: Header of a response that was given before.
REPLAYED = "Idempotency-Replayed"

#: Seconds until a request that meets itself in flight may come back.
RETRY_AFTER_SECONDS = 1

#: One in so many new keys clears away this many expired ones: more than come in.
PURGE_ONE_IN = 20
PURGE_ROWS = 200

#: A string of RFC 9651, or the same without its quotes.
_KEY = re.compile(r'("?)([!#-\[\]-~]{1,255})\1')

#: ``id`` is a digest of whose key it is and for what; a row without a status is of a request in flight.
idempotency_keys = sa.Table(
    "core_idempotency_key",
    db.metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
    sa.Column("status", sa.SmallInteger),
    sa.Column("headers", sa.JSON(none_as_null=True)),
    # Without a size MariaDB's holds 64 KB.
    sa.Column("body", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")),
)


def idempotent(view: Callable[..., Any]) -> Callable[..., Response]:
    """Let a view do a request once, however often it comes with the same ``Idempotency-Key``.

    The view is one transaction, with the key or without it. An error, raised or answered, undoes what
    the view did. It stands below the route; the view's attribute
    ``idempotent`` says that it takes the header.

    :raises BadRequest: 400 if the key is malformed
    :raises Refusal: 409 while the first request is in flight, 422 if it was another one
    """

    @functools.wraps(view)
    def once(*args: Any, **kwargs: Any) -> Response:
        def work() -> Response:
            return current_app.make_response(view(*args, **kwargs))

        if "HTTP_IDEMPOTENCY_KEY" not in request.environ:
            return _transact(work)
        return _do_once(work)

    once.idempotent = True  # type: ignore[attr-defined]  # a mark
    return once


def _do_once(work: Callable[[], Response]) -> Response:
    key = _identify(read_key(request.environ["HTTP_IDEMPOTENCY_KEY"]))
    fingerprint = _fingerprint()
    if not _take(_INSERT, key, fingerprint):
        found = _find(key)
        if found is not None and found.status is not None and found.expires_at > now():
            return _repeat(found, fingerprint)
        if found is None or not _take(_RENEW, key, fingerprint):
            raise _in_flight()
    response = _transact(work, key)
    if random.randrange(PURGE_ONE_IN) == 0:  # noqa: S311
        purge()
    return response


def _transact(work: Callable[[], Response], key: str | None = None) -> Response:
    """Do the work and commit it; on an error, roll back before the session is used again."""
    with transaction():
        response = work()
        if response.status_code >= 400:
            db.session.rollback()
        elif key is not None:
            _keep(key, response)
    return response


# --- the request --------------------------------------------------------------------------------


def read_key(text: str) -> str:
    """Return the key that a header holds, with quotes or without.

    :raises BadRequest: if it is none
    """
    found = _KEY.fullmatch(text.strip(" \t"))
    if found is None:
        raise BadRequest(
            gettext(
                'Idempotency-Key must be 1 to 255 visible ASCII characters, without " and \\ in it: '
                "make a random one, such as a UUID, for each thing to be done."
            )
        )
    return found[2]


def _identify(key: str) -> str:
    """Return the id of a key: the same one of another caller, or for another address, is another key."""
    owner = session_owner()
    # The session's owner is looked up: a copy of its cookie outlives the session, and must not get what was
    # answered in it. In a new session, the same user is still the same caller.
    who = identity() if owner else ANONYMOUS
    sent = f"{request.environ.get('HTTP_AUTHORIZATION', '')}\0{owner}"
    caller = sha256((f"account {who.key}" if who.via == "session" else sent).encode()).hexdigest()
    text = "\0".join((request.method, request.script_root, request.path, caller, key))
    return sha256(text.encode()).hexdigest()


def _fingerprint() -> str:
    """Return what distinguishes this request from another one with the same key."""
    head = "\0".join((request.environ.get("QUERY_STRING", ""), request.environ.get("CONTENT_TYPE", ""), ""))
    return sha256(head.encode("latin-1") + request.get_data()).hexdigest()


# --- the key ------------------------------------------------------------------------------------


# The second request must be refused at once, not wait for the first to end. PostgreSQL has a lock that can be
# asked for, and that ends with the transaction; MariaDB gives up where it would wait; SQLite has one writer
# at a time, so that the second waits its turn and finds the answer.
_COLUMNS = "INTO core_idempotency_key (id, fingerprint, expires_at)"
_VALUES = "VALUES (:id, :fingerprint, :expires_at)"
_UPDATE = (
    "UPDATE core_idempotency_key SET fingerprint = :fingerprint, expires_at = :expires_at, status = NULL"
    " WHERE id = :id AND expires_at <= :now"
)
_LOCKED = "pg_try_advisory_xact_lock(:number)"
_LOCK_WAIT_TIMEOUT = 1205
_NO_WAIT = "SET STATEMENT innodb_lock_wait_timeout = 0 FOR"


def _by_engine(sqlite: str, postgresql: str, mariadb: str) -> dict[str, sa.TextClause]:
    texts = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mariadb, "mariadb": mariadb}
    moments = {name: sa.bindparam(name, type_=UtcDateTime) for name in ("expires_at", "now")}
    return {
        engine: sa.text(text).bindparams(*(moment for name, moment in moments.items() if f":{name}" in text))
        for engine, text in texts.items()
    }


_INSERT = _by_engine(
    sqlite=f"INSERT {_COLUMNS} {_VALUES} ON CONFLICT DO NOTHING",
    postgresql=f"INSERT {_COLUMNS} SELECT :id, :fingerprint, :expires_at WHERE {_LOCKED} ON CONFLICT DO NOTHING",
    mariadb=f"{_NO_WAIT} INSERT IGNORE {_COLUMNS} {_VALUES}",
)
_RENEW = _by_engine(sqlite=_UPDATE, postgresql=f"{_UPDATE} AND {_LOCKED}", mariadb=f"{_NO_WAIT} {_UPDATE}")


def _take(statements: Mapping[str, sa.TextClause], key: str, fingerprint: str) -> bool:
    """Take a key if it is free; others see the row once the work is committed."""
    moment = now()
    values = {
        "id": key,
        "fingerprint": fingerprint,
        "expires_at": moment + timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS),
        "now": moment,
        "number": int.from_bytes(bytes.fromhex(key[:16]), signed=True),
    }
    try:
        return _changes(statements[db.engine.dialect.name], values)
    except DBAPIError as error:
        if drivers.codes(error.orig)[1] != _LOCK_WAIT_TIMEOUT:
            raise
        return False


def _changes(statement: Any, values: dict[str, Any] | None = None) -> bool:
    result: Any = db.session.execute(statement, values)
    return bool(result.rowcount == 1)


def _find(key: str) -> Any:
    return db.session.execute(sa.select(idempotency_keys).where(idempotency_keys.c.id == key)).one_or_none()


def _in_flight() -> Refusal:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    detail = gettext("A request with this Idempotency-Key is being answered: send it again in a moment for its answer.")
    return Refusal(Problem(KINDS["idempotency-in-flight"], detail, headers=headers))


# --- the answer ---------------------------------------------------------------------------------


def _keep(key: str, response: Response) -> None:
    headers = {name: ", ".join(response.headers.getlist(name)) for name in KEPT_HEADERS if name in response.headers}
    values = {"status": response.status_code, "headers": headers, "body": response.get_data()}
    if not _changes(sa.update(idempotency_keys).where(idempotency_keys.c.id == key).values(values)):
        raise RuntimeError(
            f"{request.endpoint} has rolled its session back, and the Idempotency-Key with it: "
            "put what may fail into db.session.begin_nested()."
        )


def _repeat(found: Any, fingerprint: str) -> Response:
    if found.fingerprint != fingerprint:
        detail = gettext(
            "This Idempotency-Key was sent before with another body or query: make a new one for a new request."
        )
        raise Refusal(Problem(KINDS["idempotency-key-reused"], detail))
    response = Response(found.body, found.status)
    response.headers.pop("Content-Type")
    response.headers.extend(found.headers)
    response.headers[REPLAYED] = "true"
    return response


# --- clearing away ------------------------------------------------------------------------------


def purge() -> None:
    """Delete some of the expired keys, in a transaction of its own, without waiting for locks."""
    keys = idempotency_keys
    expired = sa.select(keys.c.id).where(keys.c.expires_at <= now()).order_by(keys.c.expires_at).limit(PURGE_ROWS)
    try:
        with db.engine.begin() as connection:
            if db.engine.dialect.name != "sqlite":
                # MariaDB would else lock the gaps between the rows, too, and new keys fall into them. By a statement:
                # where the option of SQLAlchemy finds the connection lost, it raises the driver's own error.
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            ids = connection.scalars(expired.with_for_update(skip_locked=True)).all()
            if ids:
                connection.execute(sa.delete(keys).where(keys.c.id.in_(ids)))
    except DBAPIError as error:
        # The request is done; the next one will clear away.
        logger.warning("expired idempotency keys could not be deleted: %s", str(error.orig).splitlines()[0])
