"""Taking a change back, by the verbs of its row: only what still is as the change has left it.

What takes a change back is a change of its own, so that it can be taken back as well.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import sqlalchemy as sa

from core.crud import Crud
from core.crud.served import Served
from core.crud.served import served
from core.exceptions import InUse
from core.exceptions import Invalid
from core.exceptions import NotFound
from core.exceptions import Stale
from services import db

from .models import Change
from .plans import Plan
from .plans import Unreadable
from .recorders import undoing

#: What takes each verb back.
REVERSE = {"create": "delete", "update": "update", "delete": "create"}


class Refused(Exception):
    """A change cannot be taken back.

    :param reasons: sentences
    """

    def __init__(self, *reasons: str) -> None:
        self.reasons = reasons
        super().__init__(" ".join(reasons))


@dataclass
class Undo:
    """What would take a change back.

    :param item: the row; ``None`` if it is gone
    :param names: what would be set back
    :param later: what has changed since, and stays
    :param faults: why it cannot be done, in sentences
    """

    change: Change
    plan: Plan
    verbs: Served | None
    item: Any = None
    names: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def verb(self) -> str:
        """What will be done to the row."""
        return REVERSE[self.change.verb]

    @property
    def version(self) -> int | None:
        """The version of the row as it is now."""
        return None if self.item is None or self.verbs is None else self.verbs.verbs.version(self.item)

    @property
    def is_possible(self) -> bool:
        """Whether there is something to be set back at all."""
        return not self.faults and (self.verb != "update" or bool(self.names))

    def require(self) -> None:
        """Hold whoever is asking to what taking it back takes, where it can be done at all.

        :raises Forbidden: if they may not
        """
        if self.is_possible and self.verbs is not None:
            self.verbs.verbs.require(self.verb, self.item)


def undone_by(changes: Sequence[Change]) -> dict[int, int]:
    """Return those changes that were taken back, each with the last one that did it."""
    ids = [change.id for change in changes]
    select = sa.select(Change.undoes_id, Change.id).where(Change.undoes_id.in_(ids)).order_by(Change.id)
    return {undone: by for undone, by in db.session.execute(select) if undone is not None}


def may_undo(plan: Plan, verb: str, item: Any) -> bool:
    """Return whether whoever is asking may take back what a verb did, as they may on the row's own pages.

    :param item: the row; ``None`` if it is gone
    """
    verbs, reverse = served().get(plan.mapper.class_), REVERSE[verb]
    if verbs is None or reverse not in verbs.allow or (item is None) != (reverse == "create"):
        return False
    return verbs.verbs.may(reverse, item)


def prepare(plan: Plan, change: Change, *, lock: bool = False) -> Undo:
    """Find out what would take a change back.

    :param lock: keep a row without a version as it is compared, until the transaction ends
    """
    undo = Undo(change, plan, served().get(plan.mapper.class_))
    if undo.verbs is None or undo.verb not in undo.verbs.allow:
        undo.faults.append("Nothing here writes these rows: the change can only be seen.")
        return undo
    verbs = undo.verbs.verbs
    with suppress(NotFound):
        undo.item = verbs.get(change.row_key)
    if lock and undo.item is not None and verbs.version_key is None:
        db.session.refresh(undo.item, with_for_update=True)
    {"create": _of_create, "update": _of_update, "delete": _of_delete}[change.verb](undo)
    return undo


def _of_update(undo: Undo) -> None:
    if undo.item is None:
        undo.faults.append("The row is gone: take its deletion back first.")
        return
    for name in undo.change.before or {}:
        _sort(undo, name)
    if not undo.names and not undo.later:
        undo.faults.append("None of these values is kept: there is nothing to set back.")


def _of_create(undo: Undo) -> None:
    if undo.item is None:
        undo.faults.append("The row is gone already.")
        return
    for name in undo.change.after or {}:
        if name not in undo.plan.counted:
            _sort(undo, name)
    if undo.later:
        # Their work would go with it unseen.
        undo.faults.append("It has been changed since: delete it on its own page, if that is what you want.")


def _of_delete(undo: Undo) -> None:
    if undo.item is not None:
        undo.faults.append("There is such a row again.")
    if undo.change.hidden:
        undo.faults.append(f"What is secret of it is not kept: {', '.join(undo.change.hidden)}.")
    undo.names = [name for name in undo.change.before or {} if name not in undo.plan.counted]


def _sort(undo: Undo, name: str) -> None:
    """Tell what still is as the change has left it from what has changed since."""
    if name not in undo.plan.columns and name not in undo.plan.links:
        # The column is gone.
        return
    still = undo.plan.holds(undo.item, name, (undo.change.after or {}).get(name))
    (undo.names if still else undo.later).append(name)


def run(undo: Undo, version: int | None, *, partly: bool = False) -> Any:
    """Take a change back; the caller commits.

    :param version: of the row, as whoever asks has seen it
    :param partly: leave what has changed since as it is, and set the rest back
    :return: the row; ``None`` if it was deleted
    :raises Refused: if it cannot be done
    :raises Forbidden: if whoever is asking may not do it to the row
    """
    if not undo.is_possible or undo.verbs is None:
        raise Refused(*(undo.faults or ["Everything that it changed has been changed since."]))
    if undo.later and not partly:
        raise Refused("Some of what it changed has been changed since.")
    verbs = undo.verbs.verbs
    try:
        with undoing(undo.change):
            if undo.verb == "update":
                return verbs.update(undo.item, _values(undo), version)
            if undo.verb == "create":
                return _restore(undo, verbs)
            verbs.delete(undo.item, version)
            return None
    except Stale:
        raise Refused("Somebody has changed the row since you opened the page.") from None
    except InUse as error:
        raise Refused(str(error)) from error
    except Invalid as error:
        raise Refused(*(_sentence(name, text) for name, texts in error.errors.items() for text in texts)) from error


def _values(undo: Undo) -> dict[str, Any]:
    before = undo.change.before or {}
    try:
        return {name: undo.plan.read(name, before[name]) for name in undo.names}
    except Unreadable as error:
        raise Refused(f"What was in “{error}” does not fit there any more.") from error


def _restore(undo: Undo, verbs: Crud) -> Any:
    """Create a row again, with its key, so that what is known by it is found again."""
    item = verbs.create(_values(undo))
    version, before = verbs.version_key, undo.change.before or {}
    if version is not None and version in before:
        # Counted from 1 it would meet its own old versions, which somebody may still have seen.
        mapper = undo.plan.mapper
        keys = zip(mapper.primary_key, mapper.primary_key_from_instance(item), strict=True)
        table: Any = mapper.local_table
        update = sa.update(table).where(*(column == value for column, value in keys))
        db.session.execute(update.values({mapper.columns[version]: before[version] + 1}))
        db.session.refresh(item)
    return item


def _sentence(name: str, text: str) -> str:
    return f"{name}: {text}" if name else text
