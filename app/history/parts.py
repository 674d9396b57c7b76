"""One recorded value, a part at a time: it can be longer than a page should be."""

from dataclasses import dataclass
from typing import Any

from .bounds import PART_CHARACTERS
from .bounds import PART_ROWS
from .bounds import text_of
from .labels import label_of
from .models import Change
from .names import Names


@dataclass(frozen=True)
class Part:
    """A part of a value.

    :param value: a text, or rows
    :param length: of the whole: characters, or rows
    :param more: whether another part follows
    """

    label: str
    value: Any
    length: int
    more: bool


def read_part(change: Change, side: str, name: str, number: int) -> Part | None:
    """Return a part of a value that the current identity may see; ``None`` if there is none.

    :param side: ``before`` or ``after``
    :param number: counted from 1
    """
    names = Names([change])
    before, after = names.sight.values(change)
    values = (before if side == "before" else after) or {}
    if name not in values or values[name] is None:
        return None
    plan = names.plans.get(change.model)
    is_link = plan is not None and name in plan.links
    whole = values[name] if is_link else text_of(values[name])
    size = PART_ROWS if is_link else PART_CHARACTERS
    part = whole[(number - 1) * size : number * size]
    if not part:
        return None
    shown = names.linked(plan, name, part) if plan is not None and is_link else part
    return Part(label_of(plan, name), shown, len(whole), len(whole) > number * size)
