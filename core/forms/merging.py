"""Two editors of one row: what each of them has changed, and what both have.

A form carries what its fields held when it was made, as digests. By these a field that its editor did not touch is
distinguished from one that was changed, and one that has been changed in the database meanwhile from one that has not.
"""

import enum
import hashlib
import json
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from datetime import time
from decimal import Decimal
from typing import Any

from wtforms import Field
from wtforms import fields

from ..fields.words import printable
from .inputs import JSONField
from .rows import RowCheckboxes
from .rows import RowSelect
from .walking import leaves

#: The name under which a form carries what it was made from, and those of the fields that its editor is asked about.
ORIGIN, ASKED = "form__origin", "form__asked"
#: The ending of the name by which the editor decides about a field, and the answers.
USE = "__use"
NOW, MINE = "now", "mine"

#: Characters of an origin: more than any form needs.
_MOST = 200_000

Origin = dict[str, Any]


def write_origin(form: Any, current: Any) -> str:
    """Return what a form is made from, to be carried by it.

    :param form: as it will be shown; of links those count that it shows
    :param current: the form of the row as it is stored
    """
    found: Origin = {field.name: _base(field) for field in _compared(current)}
    found |= {field.name: field.shown_links for field in leaves(form) if isinstance(field, RowCheckboxes)}
    return json.dumps(found, separators=(",", ":"))


def read_origin(text: str) -> Origin:
    """Read what a form was made from; what cannot be read is nothing."""
    try:
        found = json.loads(text[:_MOST]) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def remember_links(form: Any, origin: Origin) -> None:
    """Set in the fields of links the keys that the form has shown as linked."""
    for field in leaves(form):
        keys = origin.get(field.name)
        if isinstance(field, RowCheckboxes) and isinstance(keys, list):
            field.base = [key for key in keys if isinstance(key, str)]


class Merge:
    """The result of a form whose row was saved by another editor since.

    :param form: as it was sent; its fields take over what is stored, where that is to stay
    :param current: the form of the row as it is stored
    :param stale: whether the row is not what it was when the form was made
    """

    def __init__(self, form: Any, current: Any, origin: Origin, answers: Mapping[str, str], *, stale: bool) -> None:
        #: The fields that both have changed, each with the field that holds what is stored.
        self.open: list[tuple[Field, Field]] = []
        #: The fields that were changed meanwhile and stay so.
        self.theirs: list[Field] = []
        asked = set(answers.get(ASKED, "").split())
        for field, now in _pairs(form, current):
            answer = answers.get(field.name + USE) if field.name in asked else None
            if answer == NOW:
                _take_over(field, now)
            elif field.name in asked and answer != MINE:
                self.open.append((field, now))
            elif stale:
                self._settle(field, now, origin.get(field.name))

    def _settle(self, field: Field, now: Field, base: Any) -> None:
        mine, stored = _base(field), _base(now)
        if mine == stored:
            return
        if mine == base:
            _take_over(field, now)
            self.theirs.append(field)
        elif stored != base:
            self.open.append((field, now))


def differs(current: Any, origin: Origin) -> bool:
    """Return whether a row is not what it was when a form was made, by what the form shows."""
    return any(origin.get(field.name, base := _base(field)) != base for field in _compared(current))


def _compared(form: Any) -> Iterator[Field]:
    """Yield the fields that are compared: not links, of which each change is sent, and not files."""
    for field in form:
        if not isinstance(field, RowCheckboxes | fields.FileField) and field.type != "CSRFTokenField":
            yield field


def _pairs(form: Any, current: Any) -> Iterator[tuple[Field, Field]]:
    return ((field, current[field.short_name]) for field in _compared(form) if field.short_name in current)


def _take_over(field: Any, now: Field) -> None:
    """Set the stored value in a field, as if it had not been sent."""
    field.process(None, now.object_data)
    for one in [field, *(leaves(field) if isinstance(field, fields.FormField | fields.FieldList) else ())]:
        one.raw_data = None
        one.is_taken_over = True


def clear_errors(form: Any) -> bool:
    """Forget the errors of fields that hold what is stored; return whether there are none besides.

    What is not written need not pass.
    """
    for field in (*form, *leaves(form)):
        if getattr(field, "is_taken_over", False) and not isinstance(field, fields.FormField):
            field.errors = ()
    return not form.errors


def _base(field: Field) -> str:
    return hashlib.sha256(_state(field).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _state(field: Any) -> str:
    """Return what a field holds as a text that is the same for equal values, however they were entered."""
    if isinstance(field, RowSelect):
        return field.state
    if isinstance(field, fields.FormField):
        return json.dumps([[one.short_name, _state(one)] for one in _compared(field)])
    if isinstance(field, fields.FieldList):
        return json.dumps([_state(entry) for entry in field.entries])
    if field.process_errors:
        # It is no value, and no other; what is empty is an error only until the validators have looked.
        sent = [text for text in map(str, field.raw_data or ()) if text.strip()]
        return json.dumps(["sent", *sent]) if sent else ""
    if isinstance(field, JSONField):
        return json.dumps(field.data, sort_keys=True, default=str)
    return _plain(field.data, is_area=isinstance(field, fields.TextAreaField))


def _plain(value: Any, *, is_area: bool) -> str:
    match value:
        case None:
            return ""
        case str():
            text = printable(value.replace("\r\n", "\n").replace("\r", "\n"))
            return text if is_area else text.replace("\n", "")
        case enum.Enum():
            return value.name
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).replace(microsecond=0).isoformat()
        case datetime() | time():
            # Controls show seconds.
            return value.replace(microsecond=0).isoformat()
        case Decimal() if value.is_finite():
            return format(value.normalize() + 0, "f")
        case Sequence() | set() | frozenset():
            return json.dumps(sorted(map(str, value)) if isinstance(value, set | frozenset) else [*map(str, value)])
    return str(value)
