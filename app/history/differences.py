"""A change in words: the row, its old and new values, and the user."""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext

from core.fields.strict import Text

from .bounds import LISTED_CHARACTERS
from .bounds import PAGE_CHARACTERS
from .bounds import SHOWN_CHARACTERS
from .bounds import cut
from .bounds import text_of
from .labels import label_of
from .labels import noun_of
from .models import LONGEST_NAME
from .models import Change
from .names import Names
from .names import Place
from .plans import Plan
from .undos import Undo

#: Past tense of each verb.
DONE = {
    "create": lazy_gettext("Created"),
    "update": lazy_gettext("Updated"),
    "delete": lazy_gettext("Deleted"),
}


@dataclass(frozen=True)
class Difference:
    """One value of a row that is other than it was.

    :param hidden: whether it is only said that it changed
    :param cut: whether that is because it is too long to be kept
    """

    name: str
    label: str
    before: Any = None
    after: Any = None
    hidden: bool = False
    cut: bool = False

    @property
    def length(self) -> int:
        """Return about how many characters it takes on a page."""
        return 200 + sum(len(text_of(getattr(side, "text", side))) for side in (self.before, self.after))


@dataclass(frozen=True)
class Entry:
    """A change as a page shows it.

    :param noun: what kind of row it is
    :param row: the row, or ``None``
    :param undone_by: the change that took it back
    :param withheld: whether the row does not exist for the reader
    :param is_long: whether it is too long for a page of changes
    """

    change: Change
    noun: str
    title: str
    row: Any
    differences: Sequence[Difference]
    undone_by: int | None = None
    withheld: bool = False
    is_long: bool = False

    @property
    def done(self) -> str:
        """Verb in the past tense."""
        return str(DONE[self.change.verb])

    @property
    def who(self) -> str:
        """Name of the user who made it."""
        if self.change.actor_key is not None:
            return self.change.actor_name or self.change.actor_key
        return gettext("a command") if self.change.via == "command" else gettext("a visitor who was not signed in")


def describe_changes(changes: Sequence[Change], undone: dict[int, int], most: int = LISTED_CHARACTERS) -> list[Entry]:
    """Return changes in words.

    :param undone: change to the one that took it back
    :param most: characters of a value that are shown
    """
    names = Names(changes)
    # A row that is gone is called what the other changes beside it say.
    called: dict[Place, str] = {
        (change.model, change.row_key): name for change in changes if (name := _name(names, change)) is not None
    }
    found, left = [], PAGE_CHARACTERS
    for change in changes:
        compared = [] if left < 0 else differences(change, names, most)
        left -= sum(one.length for one in compared)
        found.append(
            _describe(change, names, called, undone.get(change.id), compared, is_long=change.is_long or left < 0)
        )
    return found


def _describe(
    change: Change,
    names: Names,
    called: Mapping[Place, str],
    undone_by: int | None,
    compared: Sequence[Difference],
    *,
    is_long: bool,
) -> Entry:
    plan, row = names.plans.get(change.model), names.row(change)
    noun = noun_of(plan, change.model)
    name = _name(names, change) or called.get((change.model, change.row_key), change.row_key)
    title = str(row)[:LONGEST_NAME] if row is not None else name
    shown = () if is_long else compared
    return Entry(change, noun, title, row, shown, undone_by, names.sight.withholds(change), is_long)


def steps(undo: Undo) -> tuple[list[Difference], list[Difference]]:
    """Return what would be set back, from what it is now; and what has changed since, to what it is now."""
    plan, change = undo.plan, undo.change
    before, after = undo.sight.values(change)
    before, after = before or {}, after or {}
    shown_later = [name for name in undo.later if undo.sight.sees(plan.table, name) and not plan.is_secret(name)]
    current = {} if undo.item is None else plan.write({name: getattr(undo.item, name) for name in shown_later})[0]
    later = Change(model=change.model, row_key=change.row_key, verb="update", before=after, after=current)
    names = Names([change, later])

    def step(name: str, values: Mapping[str, Any], to: Mapping[str, Any]) -> Difference:
        sides = [names.value(plan, name, side[name]) if name in side else None for side in (values, to)]
        shown = [cut(side, SHOWN_CHARACTERS) for side in sides]
        return Difference(name, label_of(plan, name), *shown)

    back = [] if undo.verb == "delete" else [step(name, after, before) for name in undo.names]
    return back, [step(name, after, current) for name in shown_later]


def differences(change: Change, names: Names, most: int = SHOWN_CHARACTERS) -> list[Difference]:
    """Return what of the row has changed, in the order of its columns; without what a new row leaves empty."""
    plan = names.plans.get(change.model)
    sides, secrets, too_long = names.sight.values(change), names.sight.secrets(change), names.sight.cut(change)
    unkept = {*secrets, *too_long}
    found = {*unkept, *(name for side in sides for name in side or ())}
    order = [*plan.columns, *plan.links] if plan is not None else []
    ordered = [name for name in order if name in found] + sorted(found - {*order})
    shown = (
        Difference(name, label_of(plan, name), hidden=True, cut=name in too_long)
        if name in unkept
        else _difference(names, plan, name, sides, most)
        for name in ordered
    )
    return [one for one in shown if one.hidden or one.before not in _EMPTY or one.after not in _EMPTY]


#: Says nothing beside nothing.
_EMPTY: tuple[object, ...] = (None, "", [])


def _difference(
    names: Names, plan: Plan | None, name: str, sides: Iterable[Mapping[str, Any] | None], most: int
) -> Difference:
    values = [
        None if side is None or name not in side else names.value(plan, name, side[name]) if plan else side[name]
        for side in sides
    ]
    return Difference(name, label_of(plan, name), *(cut(value, most) for value in values))


def _name(names: Names, change: Change) -> str | None:
    """Return what a row that is gone was called: its first text that the reader may see."""
    plan = names.plans.get(change.model)
    if plan is None:
        return None
    before, after = names.sight.values(change)
    values = before or after or {}
    for name, field in plan.columns.items():
        column = plan.mapper.columns[name]
        speaks = isinstance(field, Text) and not (column.primary_key or column.foreign_keys)
        if speaks and values.get(name):
            return str(values[name])[:LONGEST_NAME]
    return None
