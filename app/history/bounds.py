"""Bounds of what is kept, read and shown of a change: values can be as long as a body may be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from core.pages.several import SHOWN

#: Bytes of one change's values that a list reads; longer ones are read with the change alone.
LISTED_BYTES = 16 * 1024

#: Bytes of one change's values that are read at all.
READ_BYTES = 4 * 1024 * 1024

#: Characters of a value on a page of changes, and on the page of one.
LISTED_CHARACTERS = 300
SHOWN_CHARACTERS = 2_000

#: Characters on a page of changes, about; what is beyond is shown with the change alone.
PAGE_CHARACTERS = 200_000

#: Characters of one value, and linked rows, that its own page shows at once.
PART_CHARACTERS = 50_000
PART_ROWS = 200

#: Linked rows that a change names: as many as pages show of a list.
LISTED_ROWS = SHOWN

_SHORT = (bool, int, float, Decimal, date, timedelta, UUID, Enum, bytes, type(None))


@dataclass(frozen=True)
class Cut:
    """The beginning of a value that is too long for a page.

    :param length: of the whole, in the unit
    """

    text: str
    length: int
    unit: str = "characters"


def fit(row: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return a row of the history without its longest values, where all together are more than so many bytes."""
    sides = [dict(side) if side is not None else None for side in (row["before"], row["after"])]
    sizes: dict[str, int] = {}
    for side in sides:
        for name, value in (side or {}).items():
            sizes[name] = sizes.get(name, 0) + _size(value)
    excess, cut = sum(sizes.values()) - most, []
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if excess <= 0:
            break
        excess -= sizes[name]
        cut.append(name)
        for side in sides:
            if side is not None:
                side.pop(name, None)
    return {**row, "before": sides[0], "after": sides[1], "cut": sorted(cut) or None}


def cut(value: Any, most: int) -> Any:
    """Return a value as it is if it is short, else the beginning of its text."""
    if isinstance(value, (*_SHORT, Cut)) or hasattr(value, "__mapper__"):
        return value
    if isinstance(value, list) and all(hasattr(one, "__mapper__") for one in value):
        return value
    text = text_of(value)
    return value if len(text) <= most else Cut(text[:most], len(text))


def text_of(value: Any) -> str:
    """Return a value as text: JSON, if it is none."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _size(value: Any) -> int:
    # As JSON writes it: a letter beyond ASCII takes six bytes.
    if isinstance(value, str | list | dict):
        return len(json.dumps(value))
    return 20
