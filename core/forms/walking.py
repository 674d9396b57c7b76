"""The fields of a form with those of the forms and lists within it."""

import re
from collections.abc import Iterator
from typing import Any

from wtforms import Field
from wtforms import fields
from wtforms.form import BaseForm


def leaves(form: Any) -> Iterator[Field]:
    """Yield the fields that have a control of their own, at any depth."""
    for field in form:
        if isinstance(field, fields.FormField | fields.FieldList):
            yield from leaves(field)
        else:
            yield field


def field_at(form: Any, path: str) -> Field | None:
    """Return the field at a place, as errors name it: ``lines.0.quantity``; ``None`` if there is none."""
    found: Any = form
    for step in path.split("."):
        inner = getattr(found, "form", found)
        found = _step(inner, step)
        if found is None:
            return None
    return found if isinstance(found, Field) else None


def _step(inside: Any, step: str) -> Any:
    if isinstance(inside, fields.FieldList):
        is_index = step.isascii() and step.isdigit() and int(step) < len(inside.entries)
        return inside.entries[int(step)] if is_index else None
    return inside[step] if isinstance(inside, BaseForm) and step in inside else None


def sent_names(form: Any) -> Iterator[tuple["re.Pattern[str]", Field]]:
    """Yield a pattern of each name that the form sends, with the field that reads it.

    The entries of a list are numbered as the browser has them: which there are is not known before it is read.
    """
    for field in form:
        yield from _sent(field, re.escape(field.name))


def _sent(field: Any, name: str) -> Iterator[tuple["re.Pattern[str]", Field]]:
    if isinstance(field, fields.FormField):
        for inner in field.form:
            yield from _sent(inner, name + re.escape(inner.name.removeprefix(field.name)))
    elif isinstance(field, fields.FieldList):
        entry: Any = field.entries[0] if field.entries else field.append_entry()
        separator = entry.name.removeprefix(field.name).removesuffix(entry.short_name)
        yield from _sent(entry, name + re.escape(separator) + "[0-9]{1,4}")
    else:
        yield re.compile(name), field
