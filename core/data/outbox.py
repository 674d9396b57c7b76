"""Actions that wait for the COMMIT: mails, lines of the security log, and all else that cannot be taken back.

An action runs once its transaction is committed, and never if that fails or is rolled back. It must not use the
session, which has no transaction at that moment.
"""

import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.orm import SessionTransaction

from services import db

logger = logging.getLogger(__name__)

Action = Callable[[], object]

_WAITING = "andamio.outbox"


def after_commit(action: Action) -> None:
    """Run an action once the session's transaction is committed; at once where there is none.

    :param action: an error of it is logged, for what it follows is stored
    """
    session = db.session()
    if not session.in_transaction():
        return _run(action)
    session.info.setdefault(_WAITING, []).append((session.get_nested_transaction(), action))


@event.listens_for(db.session, "after_commit")
def _send(session: Session) -> None:
    # A savepoint that is released is not stored yet.
    if session.in_nested_transaction():
        return
    for _, action in session.info.pop(_WAITING, ()):
        _run(action)


@event.listens_for(db.session, "after_soft_rollback")
def _drop(session: Session, undone: SessionTransaction) -> None:
    waiting = session.info.get(_WAITING, ())
    session.info[_WAITING] = [item for item in waiting if undone.nested and not _is_within(item[0], undone)]


def _is_within(savepoint: Any, undone: SessionTransaction) -> bool:
    while savepoint is not None and savepoint is not undone:
        savepoint = savepoint.parent
    return savepoint is undone


def _run(action: Action) -> None:
    try:
        action()
    except Exception:
        logger.exception("what follows a commit could not be done")
