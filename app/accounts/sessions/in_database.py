"""The records of sessions in the database: found with the account in one query, ended in one transaction with it."""

from collections.abc import Collection
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from core.data import cursors
from core.data.models import now
from services import db

from ..models import Session
from ..roles.permissions import HELD
from ..roles.permissions import HELD_COLUMNS
from .owners import COLUMNS
from .owners import Owner
from .owners import read_owner
from .records import Record
from .records import Store

#: Expired records that one sign-in clears away, at most.
PURGE_ROWS = 200

_FIND = f"""
    SELECT {COLUMNS}, kept.seen_at <= :before, {HELD_COLUMNS}
    FROM accounts_session kept
    JOIN accounts_user person ON person.id = kept.user_id
    {HELD}
    WHERE kept.digest = :digest AND kept.seen_at > :idle AND kept.created_at > :longest
        AND person.fs_uniquifier = :uniquifier AND person.active
"""  # noqa: S608 - of our own words

# Of requests that come at once, the first writes; the others find it written.
_TOUCH = "UPDATE accounts_session SET seen_at = :now WHERE digest = :digest AND seen_at <= :before"


class DatabaseStore(Store):
    """Keeps records beside the accounts."""

    def add(self, record: Record) -> None:
        row = {name: getattr(record, name) for name in Record.__dataclass_fields__}
        db.session.execute(sa.insert(Session).values(row))

    def find(self, digest: str, uniquifier: str, before: datetime) -> tuple[Owner, bool] | None:
        moment = now()
        moments = cursors.moments(before=before, idle=moment - self.idle, longest=moment - self.longest)
        rows = cursors.read_tuples(_FIND, {"digest": digest, "uniquifier": uniquifier, **moments})
        return (read_owner(rows), bool(rows[0][-3])) if rows else None

    def touch(self, digest: str, moment: datetime, before: datetime) -> None:
        cursors.write(_TOUCH, {"digest": digest, **cursors.moments(now=moment, before=before)})

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

    def undo(self, digest: str) -> None:
        """Leave it to the transaction, of which the record was a part."""

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
