"""The lifetime of sessions: a browser has a random id in its signed cookie, and the server a record of it.

A cookie that was signed once is signed for ever; a record can be ended. Every sign-in, every change of the
password and every new proof of identity begins a session under a new id, so that knowing the id before is of no
use. What ends a session is in :func:`end` and below, or time: ``SESSION_IDLE_HOURS``, ``SESSION_MAX_HOURS``.
"""

import hashlib
import importlib
import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Flask
from flask import Response
from flask import after_this_request
from flask import current_app
from flask import g
from flask import request
from flask import session
from flask_login import current_user
from flask_security.utils import set_request_attr
from sqlalchemy.exc import DBAPIError

from core.access import identity
from core.access import security_log
from core.data.models import now
from core.http.apis import is_api
from core.http.sessions import SAFE_METHODS
from services import db

from ..models import User
from ..state import accounts_of
from .in_database import DatabaseStore
from .owners import Owner
from .owners import user_of
from .records import Record
from .records import Store
from .records import handle_of

logger = logging.getLogger(__name__)

#: Keys of Flask's session: the id, and when the identity was proved (Flask-Security's ``fs_paa``).
ID = "sid"
PROVED_AT = "sid_at"

#: Outlives a sign-out: the accounts that this browser is known for; see `throttles.py`.
KNOWN = "known"

#: That a session is used is written when the time before is so long ago, not at every request.
USED_EVERY = timedelta(minutes=1)

#: Sessions of one account; who signs in once more ends the one that was not used for longest (ASVS 5.0, 7.1.2).
MOST_SESSIONS = 50

#: One in so many sign-ins clears away records of sessions that have expired.
PURGE_ONE_IN = 10

LONGEST_AGENT = 255
LONGEST_ADDRESS = 45


def init_app(app: Flask) -> None:
    """Load the user of a session by its record."""
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(hours=app.config["SESSION_MAX_HOURS"])
    app.login_manager.user_loader(load)  # type: ignore[attr-defined]  # Flask-Login sets it


def make_store(app: Flask) -> Store:
    """Return the place where an application keeps the records of its sessions."""
    idle = timedelta(hours=app.config["SESSION_IDLE_HOURS"])
    longest = timedelta(hours=app.config["SESSION_MAX_HOURS"])
    if app.config["SESSION_STORE"] == "redis":
        # It needs redis, a tenth of a start.
        made: Store = importlib.import_module(f"{__package__}.in_redis").RedisStore(
            idle, longest, app.config["REDIS_URL"]
        )
        return made
    return DatabaseStore(idle, longest)


def store() -> Store:
    """Return where this application keeps the records."""
    return accounts_of(current_app).sessions


# --- beginning ----------------------------------------------------------------------------------


def start(user: User) -> None:
    """Begin a session of a user who has just authenticated; the one before ends.

    It is flushed; the caller commits.
    """
    before = session.get(ID)
    # Flask-Login would write a cookie of its own, which no sign-out ends.
    stays = session.pop("_remember", None) == "set" or (before is not None and session.permanent)
    _forget_form_token()
    session[ID] = secrets.token_urlsafe(32)
    session[PROVED_AT] = session.get("fs_paa")
    session.permanent = stays
    moment = now()
    address = (request.remote_addr or "")[:LONGEST_ADDRESS]
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    digest = _digest(session[ID])
    store().add(Record(digest, user.id, moment, moment, address or None, agent or None))
    # Not before: a store that does not answer need not be asked once more to forget it.
    g.accounts_begun = digest
    if before is not None:
        # After the insert: on MariaDB an insert would meet the lock for which a second request at once waits here.
        store().remove([_digest(before)])
    too_many = store().of(user.id)[MOST_SESSIONS:]
    store().remove([record.digest for record in too_many])
    if secrets.randbelow(PURGE_ONE_IN) == 0:
        store().purge()


def _forget_form_token() -> None:
    """Invalidate the form tokens of before: another person may know them."""
    name = current_app.config["WTF_CSRF_FIELD_NAME"]
    session.pop(name, None)
    g.pop(name, None)


def renew() -> None:
    """Give the session a new id where a signed-in user has authenticated again (ASVS 5.0, 7.2.4)."""
    if ID in session and session.get("fs_paa") != session.get(PROVED_AT) and current_user.is_authenticated:
        start(current_user)
        security_log.record("reauthenticated", who=current_user.key)


def abandon() -> None:
    """Forget the session that a request has begun whose transaction failed; its browser never gets the id."""
    begun = g.pop("accounts_begun", None)
    if begun is not None:
        store().undo(begun)


# --- using --------------------------------------------------------------------------------------


def find() -> Owner | None:
    """Return who is signed in, with what they may do, by the request's one query; what has ended is forgotten."""
    sid = session.get(ID)
    digest = _digest(sid)
    found = store().find(digest, session["_user_id"], now() - USED_EVERY) if sid else None
    if found is None:
        _forget_owner()
        security_log.record("session.refused", security_log.DENIED)
        return None
    owner, has_rested = found
    if has_rested:
        _note_use(digest)
    return owner


def _forget_owner() -> None:
    """Forget whose session it was; a form that is on this page already has to be sent yet: to sign in."""
    name = current_app.config["WTF_CSRF_FIELD_NAME"]
    form_token = session.get(name) if name in g else None
    clear()
    if form_token is not None:
        session[name] = form_token


def load(uniquifier: str) -> User | None:
    """Return the account of the current user; Flask-Login's user loader, called when ``current_user`` is used.

    :param uniquifier: by which the session knows the user
    """
    who = identity()
    if not isinstance(who, Owner):
        return None
    # As Flask-Security's own loader does.
    set_request_attr("fs_authn_via", "session")
    set_request_attr("fs_paa", session.get("fs_paa", 0))
    return user_of(who)


def _note_use(digest: str) -> None:
    """Write that the session is in use, after the answer is made and at most once a minute.

    Reading an API does not count: it is the hot path, and a page that looks for news by itself would keep
    a session alive that is not used by a person.
    """
    is_reading = request.method in SAFE_METHODS
    if is_reading and is_api(current_app, request):
        return

    @after_this_request
    def write(response: Response) -> Response:
        # On SQLite a request that has not ended its transaction is the one writer: the next one will do.
        if is_reading or not db.session.registry.has() or not db.session().in_transaction():
            moment = now()
            try:
                store().touch(digest, moment, moment - USED_EVERY)
            except DBAPIError as error:
                logger.warning("the use of a session could not be written: %s", str(error.orig).splitlines()[0])
        return response


def current() -> str:
    """Return the handle of the session that this request came with."""
    return handle_of(_digest(session.get(ID)))


def of(user: User) -> Sequence[Record]:
    """Return the sessions of a user, the latest used first."""
    return store().of(user.id)


# --- ending -------------------------------------------------------------------------------------


def clear() -> None:
    """Take everything out of the browser's session but that the browser is known."""
    known = session.get(KNOWN)
    session.clear()
    if known is not None:
        session[KNOWN] = known


def end() -> None:
    """End this browser's session; copies of its cookie are anonymous from now on."""
    sid = session.get(ID)
    clear()
    if sid:
        store().remove([_digest(sid)])


def end_one(user: User, handle: str) -> bool:
    """End one session of a user.

    :return: whether there was one
    """
    return _end(user, [record for record in of(user) if record.handle == handle], "one by the owner") > 0


def end_others(user: User, reason: str) -> int:
    """End all sessions of a user but this one, and return how many there were."""
    mine = _digest(session.get(ID, ""))
    return _end(user, [record for record in of(user) if record.digest != mine], reason)


def end_all(user: User, reason: str) -> int:
    """End all sessions of a user, and return how many there were; it needs no request."""
    return _end(user, of(user), reason)


def _end(user: User, records: Sequence[Record], reason: str) -> int:
    if records:
        store().remove([record.digest for record in records])
        security_log.record("sessions.ended", who=user.key, count=len(records), reason=reason)
    return len(records)


def _digest(sid: Any) -> str:
    return hashlib.sha256(str(sid).encode()).hexdigest()
