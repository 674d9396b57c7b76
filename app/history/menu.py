"""The way to the history: from the navigation bar to all changes, from the page of a row to its own."""

from typing import Any

import sqlalchemy as sa
from flask import url_for
from flask_babel import gettext

from core.access import allowed
from core.pages.menu import Entry
from core.pages.menu import Link

from .changes import READ
from .recorders import plans_of
from .rights import may_see


def entries() -> list[Link]:
    """Return what the navigation bar shows."""
    return [Link(gettext("History"), "history.change_list", is_secondary=True)] if allowed(READ) else []


def row_entries(item: Any) -> list[Entry]:
    """Return what the page of a row shows beside its buttons."""
    plan = plans_of().get(type(item))
    if plan is None or not may_see(type(item), item):
        return []
    key = plan.key_text(sa.inspect(item).identity)
    return [Entry(gettext("History"), url_for("history.row", table=plan.table, key=key))]
