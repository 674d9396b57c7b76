"""The rows that changes speak of, read at once, so that people see names and not numbers."""

from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import format_decimal
from flask_babel import gettext

from core.crud import readers
from core.crud.readers import without_long
from services import db

from .bounds import LISTED_ROWS
from .bounds import Cut
from .models import LONGEST_NAME
from .models import Change
from .plans import Plan
from .plans import Unreadable
from .sight import Sight

#: A table and a key in it.
Place = tuple[str, Hashable]


class Names:
    """Finds the rows of a page of changes: those that changed, and those that they point to."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.sight = Sight(changes)
        self.plans = self.sight.plans
        wanted: dict[str, set[Hashable]] = {}
        for change in changes:
            for table, key in self._places(change):
                wanted.setdefault(table, set()).add(key)
        self.rows: dict[Place, Any] = {}
        for table, keys in wanted.items():
            self.rows |= {(table, key): row for key, row in _read(self.plans[table], keys).items()}

    def row(self, change: Change) -> Any:
        """Return the row that changed; ``None`` if it is gone, or not visible to the current identity."""
        return self.rows.get((change.model, change.row_key))

    def value(self, plan: Plan, name: str, value: Any) -> Any:
        """Return a recorded value as it is shown: a row in place of its key, where there is one."""
        if name in plan.links:
            shown = self.linked(plan, name, value[:LISTED_ROWS])
            return shown if len(value) <= LISTED_ROWS else Cut(_text(shown), len(value), "rows")
        target = _target(plan, name)
        if target is not None and (target, str(value)) in self.rows:
            return self.rows[target, str(value)]
        try:
            return plan.read(name, value)
        except Unreadable:
            return value

    def linked(self, plan: Plan, name: str, keys: Sequence[Any]) -> Any:
        """Return the rows of these keys; a text, where some are not to be had."""
        table = plan.links[name].model.__table__.name
        places = [(table, str(key)) for key in keys]
        unread = [key for table, key in places if (table, key) not in self.rows]
        if unread and table in self.plans:
            self.rows |= {(table, key): row for key, row in _read(self.plans[table], unread).items()}
        found = [self.rows[place] for place in places if place in self.rows]
        rest = [key for table, key in places if (table, key) not in self.rows]
        if not rest:
            return found
        # The key of a row that one may not read can be its name.
        named = rest if self.sight.reads_all else [gettext("%(number)s more", number=format_decimal(len(rest)))]
        return ", ".join(filter(None, [_text(found), *named]))

    def _places(self, change: Change) -> Iterator[Place]:
        plan = self.plans.get(change.model)
        if plan is None:
            return
        yield change.model, change.row_key
        for values in self.sight.values(change):
            for name, value in (values or {}).items():
                for table, key in _pointed(plan, name, value):
                    if table in self.plans:
                        yield table, key


def _text(shown: Any) -> str:
    return shown if isinstance(shown, str) else ", ".join(str(row)[:LONGEST_NAME] for row in shown)


def _pointed(plan: Plan, name: str, value: Any) -> Iterator[Place]:
    """Yield the rows that a recorded value points to."""
    if name in plan.links:
        yield from ((plan.links[name].model.__table__.name, str(key)) for key in value[:LISTED_ROWS])
    target = _target(plan, name)
    if target is not None and value is not None:
        yield target, str(value)


def _target(plan: Plan, name: str) -> str | None:
    """Return the table whose rows a column points to by their keys."""
    column = plan.mapper.columns.get(name) if name in plan.columns else None
    for key in column.foreign_keys if column is not None else ():
        if key.column.primary_key and len(key.column.table.primary_key) == 1:
            return str(key.column.table.name)
    return None


def _read(plan: Plan, texts: Iterable[Hashable]) -> Mapping[Hashable, Any]:
    """Return rows by the texts of their keys, those that the current identity may read."""
    model = plan.mapper.class_
    keys = [key for text in texts if (key := plan.key_of(str(text))) is not None]
    columns = plan.mapper.primary_key
    chosen = columns[0].in_(keys) if len(columns) == 1 else sa.tuple_(*columns).in_(keys)
    select = readers.narrow(sa.select(model).where(chosen), model, "get")
    rows = db.session.scalars(select.options(*without_long(model))).unique().all()
    return {plan.key_text(plan.mapper.primary_key_from_instance(row)): row for row in rows}
