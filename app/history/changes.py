"""The verbs of the history: list it, and prune it. No HTTP; changes are never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.base import ExecutableOption

from core.access import PUBLIC
from core.access import permission
from core.crud import Crud
from core.crud import Page
from core.crud import transaction
from core.crud.listing import Query
from services import db

from .bounds import LISTED_BYTES
from .bounds import READ_BYTES
from .models import Change
from .models import brief

#: Needed to read the changes of all rows.
READ = permission("history.change.read")

#: Rows that are deleted in one transaction.
AT_ONCE = 1000


class Changes(Crud):
    """All changes, the newest first."""

    model = Change
    filters = {
        "model": ("eq",),
        "row_key": ("eq",),
        "verb": ("eq",),
        "actor_key": ("eq",),
        "actor_name": ("eq", "startswith"),
        "request_id": ("eq",),
        "at": ("gte", "lt"),
    }
    order = ("-id",)
    access = {"list": READ, "get": READ}

    def list(self, query: Query | None = None, options: Sequence[ExecutableOption] = ()) -> Page:
        """Return one page of the changes, without values that are long."""
        return super().list(query, (*options, *brief(LISTED_BYTES)))

    def get(self, key: object, options: Sequence[ExecutableOption] = ()) -> Any:
        """Return one change, without values that are too long to be read at all."""
        return super().get(key, (*options, *brief(READ_BYTES)))


class RowChanges(Changes):
    """The changes of one row: the permission to see them was checked on the row."""

    access = {"list": PUBLIC, "get": PUBLIC}


changes = Changes()
row_changes = RowChanges()


def prune(before: datetime) -> int:
    """Delete the changes that were made before a moment, some at a time, so that no lock is held for long.

    :return: how many
    """
    table, deleted = Change.__table__, 0
    oldest = sa.select(table.c.id).where(table.c.at < before).order_by(table.c.at).limit(AT_ONCE)
    while True:
        with transaction():
            ids = db.session.scalars(oldest).all()
            db.session.execute(sa.delete(Change).where(Change.id.in_(ids)))
        deleted += len(ids)
        if len(ids) < AT_ONCE:
            return deleted
