"""The rows and columns of recorded changes that the current identity may see.

The right to read a history is no right to read what no face shows: a hidden column stays hidden, and so does one
whose read policy the reader does not satisfy, also to those who may read the changes of all rows.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.visitors import replacement_traverse

from core.access import allowed
from core.access import hidden_attributes
from core.access import unchecked
from core.crud import Crud
from core.crud import readers
from core.crud.readers import without_long
from services import db

from .bounds import READ_BYTES
from .changes import READ
from .models import Change
from .models import brief
from .plans import Plan
from .plans import Unreadable
from .recorders import plans_of

Values = dict[str, Any]


class Sight:
    """The visible parts of some changes, determined once for each model and each row."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.plans = {plan.table: plan for plan in plans_of().values()}
        #: True if the reader may read the changes of all rows.
        self.reads_all = allowed(READ)
        self._unread: dict[str, frozenset[str]] = {}
        self._withheld = self._find_withheld(changes)

    def sees(self, table: str, name: str) -> bool:
        """Return whether a recorded value may be shown at all, by its table and its name.

        What is no attribute of its model, such as a column that is gone, has no policy any more: it is for those who
        may read the changes of all rows.
        """
        plan = self.plans.get(table)
        if plan is None or not hasattr(plan.mapper.class_, name):
            return self.reads_all
        if table not in self._unread:
            self._unread[table] = unread(plan)
        return name not in self._unread[table]

    def withholds(self, change: Change) -> bool:
        """Return whether the row that changed does not exist for the reader: then only that it changed is shown."""
        return (change.model, change.row_key) in self._withheld

    def values(self, change: Change) -> tuple[Values | None, Values | None]:
        """Return the recorded values before and after, those that may be seen."""
        before, after = change.values
        return self._seen(change, before), self._seen(change, after)

    def secrets(self, change: Change) -> list[str]:
        """Return the names of what has changed and is not kept; of what was kept before it became a secret, too."""
        plan = self.plans.get(change.model)
        recorded = {name for side in change.values for name in side or ()}
        now_secret = {name for name in recorded if plan is not None and plan.is_secret(name)}
        return [name for name in sorted({*(change.hidden or ()), *now_secret}) if self._shows(change, name)]

    def cut(self, change: Change) -> list[str]:
        """Return the names of what was too long to be kept."""
        return [name for name in change.cut or () if self._shows(change, name)]

    def _shows(self, change: Change, name: str) -> bool:
        return not self.withholds(change) and self.sees(change.model, name)

    def _seen(self, change: Change, values: Mapping[str, Any] | None) -> Values | None:
        if values is None:
            return None
        plan = self.plans.get(change.model)
        kept = {name: value for name, value in values.items() if plan is None or not plan.is_secret(name)}
        return {name: value for name, value in kept.items() if self._shows(change, name)}

    def _find_withheld(self, changes: Iterable[Change]) -> set[tuple[str, str]]:
        keys: dict[str, set[str]] = {}
        for change in changes:
            keys.setdefault(change.model, set()).add(change.row_key)
        found = ((table, _absent(self.plans[table], texts)) for table, texts in keys.items() if table in self.plans)
        return {(table, text) for table, texts in found for text in texts}


def unread(plan: Plan) -> frozenset[str]:
    """Return the attributes of a model that the current identity may not read; a foreign key with its relationship."""
    hidden = hidden_attributes(plan.mapper.class_)
    hidden |= {one.key for one in plan.mapper.relationships if one.info.get("hidden")}
    return hidden | {name for name, relation in plan.pointers.items() if relation in hidden}


def exists(plan: Plan, key: Any) -> bool:
    """Return whether a stored row is among those that exist for the current identity."""
    verbs = _bounding(plan)
    if verbs is not None and verbs.has_own_get:
        return bool(_given(verbs, [key]))
    return verbs is None or bool(db.session.scalar(sa.select(_existing(verbs).where(verbs.key.among([key])).exists())))


def existed(plan: Plan, values: Mapping[str, Any]) -> bool:
    """Return whether a row that is gone would be among those that exist for the current identity.

    The condition is asked about what is recorded of the row. Where it needs more than the row's own columns, the
    answer is no.
    """
    verbs = _bounding(plan)
    if verbs is None:
        return True
    select, table = _existing(verbs), plan.mapper.local_table
    if [*select.get_final_froms()] != [table] or select.whereclause is None:
        return select.whereclause is None
    known = {}
    for name, value in values.items():
        if name in plan.columns:
            try:
                known[plan.mapper.columns[name]] = plan.read(name, value)
            except Unreadable:
                continue
    missing = []

    def recorded(element: Any, **rest: Any) -> Any:
        if not isinstance(element, sa.Column) or element.table is not table:
            return None
        if element not in known:
            missing.append(element)
        return sa.literal(known.get(element), element.type)

    condition = replacement_traverse(select.whereclause, {}, recorded)
    return not missing and db.session.scalar(sa.select(sa.literal(1)).where(condition)) == 1


def _bounding(plan: Plan) -> Crud | None:
    """Return the verbs that say which rows of a model exist for a caller; ``None`` where all do."""
    verbs = readers.verbs_of(plan.mapper.class_)
    return verbs if verbs is not None and (verbs.has_own_select or verbs.has_own_get) else None


def _given(verbs: Crud, keys: Iterable[Any]) -> set[Any]:
    """Return the keys of those rows that the verb ``get`` gives to the current identity."""
    # To those who may read all changes the policy of the verb does not matter, but what there is does.
    with unchecked():
        return {*verbs.find(keys, without_long(verbs.model))}


def _existing(verbs: Crud) -> sa.Select[Any]:
    return verbs.select() if type(verbs).visible is Crud.visible else verbs.visible("get")


def _absent(plan: Plan, texts: set[str]) -> set[str]:
    """Return the keys of those rows that do not exist for the current identity."""
    verbs = _bounding(plan)
    if verbs is None:
        return set()
    keys = {key: text for text in texts if (key := plan.key_of(text)) is not None}
    stored = {*map(verbs.key.of_row, db.session.execute(sa.select(*verbs.key.columns).where(verbs.key.among(keys))))}
    if verbs.has_own_get:
        there = _given(verbs, stored)
    else:
        chosen = _existing(verbs).where(verbs.key.among(keys)).with_only_columns(*verbs.key.columns)
        there = {*map(verbs.key.of_row, db.session.execute(chosen))}
    gone = {text for key, text in keys.items() if key not in stored and not existed(plan, last_known(plan, text))}
    return {keys[key] for key in stored - there} | gone | (texts - {*keys.values()})


def last_known(plan: Plan, key: str) -> Mapping[str, Any]:
    """Return the values of a row that is gone, as it was when it was deleted, else when it was created."""
    last = last_whole(plan, key)
    return {} if last is None else whole_of(last)


def whole_of(change: Change) -> Mapping[str, Any]:
    """Return the values of a row that was created or deleted."""
    before, after = change.values
    return before or after or {}


def last_whole(plan: Plan, key: str) -> Change | None:
    """Return the newest change that has recorded a row whole; ``None`` if there is none."""
    chosen = sa.select(Change).where(Change.model == plan.table, Change.row_key == key, Change.verb != "update")
    return db.session.scalars(chosen.order_by(Change.id.desc()).limit(1).options(*brief(READ_BYTES))).one_or_none()
