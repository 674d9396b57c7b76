"""Undoing a change, by the verbs of its row: only what is still as the change has left it.

Only what the current identity could write by a face is written: the rest stays as it is, and is named. An undo is
a change of its own, so that it can be undone as well.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import lazy_gettext

from core.crud import Crud
from core.crud import readers
from core.crud import references
from core.crud.readers import Served
from core.crud.readers import served
from core.exceptions import InUse
from core.exceptions import Invalid
from core.exceptions import NotFound
from core.exceptions import Stale
from services import db

from .labels import label_of
from .models import Change
from .plans import Plan
from .plans import Unreadable
from .recorders import undoing
from .sight import Sight
from .writable import GONE
from .writable import LEADS_NOWHERE
from .writable import LINKS_NOWHERE
from .writable import TOO_LONG
from .writable import is_as_in_a_new_row
from .writable import makes_the_row
from .writable import why_not

#: Why nothing can be done.
EFFECT = lazy_gettext(
    "The application made this change itself, as part of something else that was done: undo that instead, where it "
    "was done."
)
NOTHING_WRITTEN = lazy_gettext("There is nothing to set back: what it changed stays as it is.")
NOTHING_LEFT = lazy_gettext("Everything that it changed has been changed since.")
UNREAD = lazy_gettext("you may not read it")

#: The reverse of each verb.
REVERSE = {"create": "delete", "update": "update", "delete": "create"}


class Refused(Exception):
    """A change cannot be taken back.

    :param reasons: sentences
    """

    def __init__(self, *reasons: str) -> None:
        self.reasons = tuple(map(str, reasons))
        super().__init__(" ".join(self.reasons))


@dataclass
class Undo:
    """An undo: the reverse of a change.

    :param item: the row; ``None`` if it is gone
    :param names: what would be set back
    :param later: what has changed since, and stays
    :param left: what stays because the current identity cannot write it, each with the reason
    :param left_unseen: whether values stay that the current identity may not even read
    :param faults: why it cannot be done, in sentences
    """

    change: Change
    plan: Plan
    verbs: Served | None
    sight: Sight
    item: Any = None
    names: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    left_unseen: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def verb(self) -> str:
        """Verb that is applied to the row."""
        return REVERSE[self.change.verb]

    @property
    def before(self) -> dict[str, Any]:
        """The recorded values before the change."""
        return self.change.values[0] or {}

    @property
    def after(self) -> dict[str, Any]:
        """The recorded values after the change."""
        return self.change.values[1] or {}

    @property
    def version(self) -> int | None:
        """The version of the row as it is now."""
        return None if self.item is None or self.verbs is None else self.verbs.verbs.version(self.item)

    @property
    def is_possible(self) -> bool:
        """Return whether there is something to be set back at all."""
        return not self.faults and (self.verb != "update" or bool(self.names))

    def leave(self, name: str, reason: str) -> None:
        """Keep a value as it is; one that the current identity may not read is not named."""
        if self.shows(name):
            self.left[name] = reason
        else:
            self.left_unseen = True

    def shows(self, name: str) -> bool:
        """Return whether the current identity may read a value."""
        return self.sight.sees(self.plan.table, name)

    def named(self, name: str) -> str:
        """Return the name of a value for a message to the current identity."""
        return name if not name or self.shows(name) else gettext("A value that you may not read")

    def require(self) -> None:
        """Raise unless the current identity may undo it, where it can be undone at all.

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
    """Return whether the current identity may undo what a verb did, as it may on the row's own pages.

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
    undo = Undo(change, plan, served().get(plan.mapper.class_), Sight([change]))
    if undo.verbs is None or undo.verb not in undo.verbs.allow:
        undo.faults.append(gettext("Nothing here writes these rows: the change can only be seen."))
        return undo
    if change.is_effect:
        undo.faults.append(EFFECT)
    if change.is_long:
        undo.faults.append(gettext("What it recorded is too long to be read back by a page."))
    verbs = undo.verbs.verbs
    key = plan.key_of(change.row_key)
    if key is not None:
        with suppress(NotFound):
            undo.item = verbs.get(key)
    if lock and undo.item is not None and verbs.version_key is None:
        db.session.refresh(undo.item, with_for_update=True)
    {"create": _of_create, "update": _of_update, "delete": _of_delete}[change.verb](undo, undo.verbs)
    if undo.verb != "delete":
        _note_lost_links(undo)
    return undo


def _of_update(undo: Undo, served: Served) -> None:
    if undo.item is None:
        undo.faults.append(gettext("The row is gone: undo its deletion first."))
        return
    for name in undo.before:
        reason = why_not(undo.plan, served, "update", name, undo.before, undo.item)
        reason = reason or (None if undo.shows(name) else UNREAD)
        if reason is not None:
            undo.leave(name, reason)
        else:
            _sort(undo, name)
    for name in undo.change.cut or ():
        undo.leave(name, TOO_LONG)
    if not undo.names and not undo.later:
        left = undo.left or undo.left_unseen
        undo.faults.append(
            NOTHING_WRITTEN if left else gettext("None of these values is kept: there is nothing to set back.")
        )


def _of_create(undo: Undo, served: Served) -> None:
    if undo.item is None:
        undo.faults.append(gettext("The row is gone already."))
        return
    for name in undo.after:
        if name not in undo.plan.counted:
            _sort(undo, name)
    if undo.change.cut:
        undo.faults.append(f"{_too_long(undo)}, so that later changes of it cannot be seen: delete it on its own page.")
    if undo.later:
        # Their work would go with it unseen.
        undo.faults.append(gettext("It has been changed since: delete it on its own page, if that is what you want."))


def _of_delete(undo: Undo, served: Served) -> None:
    if undo.item is not None:
        undo.faults.append(gettext("There is such a row again."))
    elif _is_not_the_last(undo.change):
        # Decisions about the row after it had come back would be passed over.
        undo.faults.append(gettext("The row has come back since, and is gone again: undo its last deletion."))
    secrets = undo.sight.secrets(undo.change)
    if undo.change.hidden:
        undo.faults.append(
            gettext(
                "What is secret of it is not kept: %(names)s.",
                names=", ".join(secrets) or gettext("it has no name for you"),
            )
        )
    if undo.change.cut:
        undo.faults.append(f"{_too_long(undo)}.")
    for name, value in undo.before.items():
        if name not in undo.plan.counted:
            _sort_deleted(undo, served, name, value)


def _too_long(undo: Undo) -> str:
    labels = [label_of(undo.plan, name) for name in undo.sight.cut(undo.change)]
    return gettext("A part of it is too long to be kept: %(names)s", names=", ".join(labels) or str(UNREAD))


def _sort_deleted(undo: Undo, served: Served, name: str, value: Any) -> None:
    """Separate what comes back with a row from what begins as in a new one."""
    reason = why_not(undo.plan, served, "create", name, undo.before) or (None if undo.shows(name) else UNREAD)
    if reason is None or (reason != LEADS_NOWHERE and makes_the_row(undo.plan, served, name)):
        undo.names.append(name)
    elif reason == GONE or not is_as_in_a_new_row(undo.plan, name, value):
        undo.leave(name, reason)
        if reason == LEADS_NOWHERE and not undo.plan.mapper.columns[name].nullable:
            label = label_of(undo.plan, name)
            undo.faults.append(gettext("“%(label)s” cannot be left empty: %(reason)s.", label=label, reason=reason))


def _is_not_the_last(change: Change) -> bool:
    same = (Change.model == change.model, Change.row_key == change.row_key)
    return db.session.scalar(sa.select(Change.id).where(*same, Change.id > change.id).limit(1)) is not None


def _sort(undo: Undo, name: str) -> None:
    """Separate what is still as the change left it from what has changed since."""
    if name not in undo.plan.columns and name not in undo.plan.links:
        # The column is gone.
        return
    still = undo.plan.holds(undo.item, name, undo.after.get(name))
    (undo.names if still else undo.later).append(name)


def run(undo: Undo, version: int | None, *, partly: bool = False) -> Any:
    """Take a change back; the caller commits.

    :param version: of the row, as the current user has seen it
    :param partly: leave what has changed since as it is, and set the rest back
    :return: the row; ``None`` if it was deleted
    :raises Refused: if it cannot be done
    :raises Forbidden: if the current identity may not do it to the row
    """
    if not undo.is_possible or undo.verbs is None:
        raise Refused(*(undo.faults or [NOTHING_LEFT]))
    if undo.later and not partly:
        raise Refused(gettext("Some of what it changed has been changed since."))
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
        raise Refused(gettext("The row was changed since you opened the page.")) from None
    except InUse as error:
        raise Refused(str(error)) from error
    except Invalid as error:
        found = [(undo.named(name), text) for name, texts in error.errors.items() for text in texts]
        raise Refused(*(_sentence(name, text) for name, text in found)) from error


def _values(undo: Undo) -> dict[str, Any]:
    before, plan = undo.before, undo.plan
    try:
        read = {name: plan.read(name, before[name]) for name in undo.names}
    except Unreadable as error:
        raise Refused(gettext("What was in “%(error)s” does not fit there any more.", error=error)) from error
    return {name: _links(undo, name, value) if name in plan.links else value for name, value in read.items()}


def _links(undo: Undo, name: str, rows: Iterable[Any]) -> Any:
    """Return the rows to link: of those before, the readable ones; of those now, what the caller may not read."""
    link = undo.plan.links[name]
    now = link.collection([] if undo.item is None else getattr(undo.item, name))
    return references.with_hidden(now, link.collection(readers.readable(rows)))


def _note_lost_links(undo: Undo) -> None:
    """Name the links of which some rows do not come back."""
    before = undo.before
    for name in undo.names:
        if name not in undo.plan.links:
            continue
        rows = undo.plan.read(name, before[name])
        if len(readers.readable(rows)) < len(before[name]):
            undo.left[name] = LINKS_NOWHERE


def _restore(undo: Undo, verbs: Crud) -> Any:
    """Create a row again, with its key, so that what is known by it is found again."""
    item = verbs.create(_values(undo))
    version, before = verbs.version_key, undo.before
    if version is not None and version in before:
        # Counted from 1 it would meet its own old versions, which a browser may still show.
        mapper = undo.plan.mapper
        keys = zip(mapper.primary_key, mapper.primary_key_from_instance(item), strict=True)
        table: Any = mapper.local_table
        update = sa.update(table).where(*(column == value for column, value in keys))
        db.session.execute(update.values({mapper.columns[version]: before[version] + 1}))
        db.session.refresh(item)
    return item


def _sentence(name: str, text: str) -> str:
    return f"{name}: {text}" if name else text
