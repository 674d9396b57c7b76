"""The change of one row: its values before and after, and the row of the history that keeps them."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import PassiveFlag
from sqlalchemy.orm import Session
from sqlalchemy.orm import attributes

from .plans import Plan

Values = Mapping[str, Any]

#: Stands for a value that the session does not have.
UNKNOWN: Any = object()


@dataclass(slots=True)
class Note:
    """A row that a flush writes, with Python's values of what changes.

    :param before: ``None`` for a new row
    :param after: ``None`` for a deleted one
    """

    plan: Plan
    item: Any
    verb: str
    before: Values | None
    after: Values | None

    def row(self, session: Session, common: Values) -> dict[str, Any]:
        """Return the row of the history, once the flush has written the item."""
        key = self.plan.mapper.primary_key_from_instance(self.item)
        return make_row(self.plan, key, self.verb, self.before, self._settled(session), common)

    def _settled(self, session: Session) -> Values | None:
        """Return the new values: those of a new row, and what an expression has become in the database."""
        after = _of_new(self.plan, self.item) if self.verb == "create" else self.after
        if after is None:
            return None
        unknown = [name for name, value in after.items() if value is UNKNOWN or isinstance(value, sa.ClauseElement)]
        if not unknown:
            return after
        connection = session.connection(bind_arguments={"mapper": self.plan.mapper})
        return {**after, **_stored(connection, self.plan, self.item, unknown)}


def note_created(plan: Plan, item: Any) -> Note:
    """Note a row that has been inserted."""
    return Note(plan, item, "create", None, {})


def note_updated(plan: Plan, connection: sa.Connection, item: Any) -> Note | None:
    """Note a row that will be updated; ``None`` if nothing of it changes."""
    before, after = _differences(plan, item)
    if not after:
        return None
    unknown = [name for name, value in before.items() if value is UNKNOWN]
    return Note(plan, item, "update", {**before, **_stored(connection, plan, item, unknown)}, after)


def note_deleted(plan: Plan, connection: sa.Connection, item: Any) -> Note:
    """Note a row that will be deleted, as it is stored."""
    changed, _ = _differences(plan, item)
    known = {name: item.__dict__[name] for name in (*plan.columns, *plan.links) if name in item.__dict__}
    before = {**known, **changed}
    unknown = [name for name in plan.columns if before.get(name, UNKNOWN) is UNKNOWN]
    return Note(plan, item, "delete", {**before, **_stored(connection, plan, item, unknown)}, None)


def make_row(
    plan: Plan, key: Sequence[Any], verb: str, before: Values | None, after: Values | None, common: Values
) -> dict[str, Any]:
    """Return a row of the history.

    :param common: what all rows of a flush share
    """
    was, was_unkept = (None, set()) if before is None else plan.write(before)
    became, is_unkept = (None, set()) if after is None else plan.write(after)
    unkept = was_unkept | is_unkept
    # A value that can be read on one side only is worth nothing.
    for name in unkept:
        for side in (was, became):
            if side is not None:
                side.pop(name, None)
    # A secret that was and is empty has not changed.
    hidden = {name for name in unkept if any(values and values.get(name) is not None for values in (before, after))}
    return {
        **common,
        "model": plan.table,
        "row_key": plan.key_text(key),
        "verb": verb,
        "before": was,
        "after": became,
        "hidden": sorted(hidden) or None,
    }


def _of_new(plan: Plan, item: Any) -> dict[str, Any]:
    known = item.__dict__
    # An attribute that was not set is NULL, unless the database sets it.
    values = {name: known.get(name) for name in plan.columns}
    values |= {name: UNKNOWN for name in plan.made if name not in known}
    return values | {name: known[name] for name in plan.links if name in known}


def _differences(plan: Plan, item: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what has been set since the row was read, as it was and as it is."""
    state: Any = sa.inspect(item)
    changed = item.__dict__.keys() - state.unmodified - plan.counted
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name in changed:
        if name not in plan.columns and name not in plan.links:
            continue
        history = attributes.get_history(item, name, PassiveFlag.PASSIVE_NO_INITIALIZE)
        if not history.has_changes():
            continue
        if name in plan.links:
            before[name] = [*history.unchanged, *history.deleted]
            after[name] = [*history.unchanged, *history.added]
        else:
            # A value that was never read is not known: it was not loaded before it was set.
            before[name] = history.deleted[0] if history.deleted else UNKNOWN
            after[name] = history.added[0] if history.added else None
    return before, after


def _stored(connection: sa.Connection, plan: Plan, item: Any, names: Iterable[str]) -> dict[str, Any]:
    """Read columns of a row as they are stored at this moment."""
    wanted = [plan.mapper.columns[name].label(name) for name in names]
    if not wanted:
        return {}
    mapper = plan.mapper
    pairs = zip(mapper.primary_key, mapper.primary_key_from_instance(item), strict=True)
    select = sa.select(*wanted).where(*(column == value for column, value in pairs))
    return dict(connection.execute(select).mappings().one())
