"""The records of sessions in the database: found with the account in one query, ended in one transaction with it."""

from collections.abc import Collection
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from core import cursors
from core.models import UtcDateTime
from core.models import now
from services import db

from ..models import Session
from ..models import User
from .records import Record
from .records import Store
from .records import with_rights

#: Expired records that one sign-in clears away, at most.
PURGE_ROWS = 200

# Of requests that come at once, the first writes; the others find it written.
_TOUCH = "UPDATE accounts_session SET seen_at = :now WHERE digest = :digest AND seen_at <= :before"


# Made once: SQLAlchemy knows its SQL again by the statement itself.
_FIND = with_rights(
    sa.select(User, Session)
    .join(Session, Session.user_id == User.id)
    .where(
        Session.digest == sa.bindparam("digest"),
        Session.seen_at > sa.bindparam("idle"),
        Session.created_at > sa.bindparam("longest"),
        User.fs_uniquifier == sa.bindparam("uniquifier"),
        User.active,
    )
)


class DatabaseStore(Store):
    """Keeps records beside the accounts."""

    def add(self, record: Record) -> None:
        row = {name: getattr(record, name) for name in Record.__dataclass_fields__}
        db.session.execute(sa.insert(Session).values(row))

    def load(self, digest: str, uniquifier: str) -> tuple[User, Record] | None:
        moment = now()
        asked = {"digest": digest, "uniquifier": uniquifier}
        times = {"idle": moment - self.idle, "longest": moment - self.longest}
        row = db.session.execute(_FIND, asked | times).unique().first()
        return None if row is None else (row.User, _record(row.Session))

    def touch(self, record: Record, moment: datetime, before: datetime) -> None:
        dialect = db.engine.dialect
        write = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
        moments = {"now": moment, "before": before}
        bound = {name: write(value) if write else value for name, value in moments.items()}
        cursors.write(_TOUCH, {"digest": record.digest, **bound})

    def remove(self, digests: Collection[str]) -> None:
        ended = sa.delete(Session).where(Session.digest.in_(digests))
        db.session.execute(ended, execution_options={"synchronize_session": False})

    def of(self, user_id: int) -> Sequence[Record]:
        moment = now()
        live = sa.select(Session).where(
            Session.user_id == user_id,
            Session.seen_at > moment - self.idle,
            Session.created_at > moment - self.longest,
        )
        rows = db.session.scalars(live.order_by(Session.seen_at.desc(), Session.id.desc()))
        return [_record(row) for row in rows]

    def purge(self) -> None:
        # One that is too old is not used any more, either, and soon idle; so one index is enough. Two sign-ins
        # at once shall not wait for each other.
        idle = sa.select(Session.id).where(Session.seen_at <= now() - self.idle)
        ids = db.session.scalars(idle.limit(PURGE_ROWS).with_for_update(skip_locked=True)).all()
        if ids:
            gone = sa.delete(Session).where(Session.id.in_(ids))
            db.session.execute(gone, execution_options={"synchronize_session": False})


def _record(row: Session) -> Record:
    return Record(row.digest, row.user_id, row.created_at, row.seen_at, row.address, row.agent)
