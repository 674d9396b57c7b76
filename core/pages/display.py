"""Columns and their values as text on a page."""

import enum
import json
from collections.abc import Callable
from collections.abc import Sequence
from datetime import date
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask_babel import gettext
from markupsafe import Markup

from ..crud.readers import may_read
from ..fields import columns
from ..fields import words
from ..fields.words import choice_label
from .model_pages import page_of
from .several import SHOWN
from .several import Several

#: Characters that a cell of a list shows of a value.
LONGEST_CELL = 300

_NOTHING = Markup('<span class="text-body-secondary">—</span>')


def init_app(app: Flask) -> None:
    """Give the templates the filters ``show`` and ``brief``, and the functions ``label`` and ``page_of``."""
    app.jinja_env.filters |= {"show": show, "brief": brief}
    app.jinja_env.globals |= {"label": label, "page_of": page_of, "is_number": is_number}


def show(value: Any) -> str | Markup:
    """Write a value for people; a row becomes a link if it has a page, and nothing if it is hidden."""
    if isinstance(value, str):
        return value or _NOTHING
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    if value is None:
        return _NOTHING
    if isinstance(value, Several):
        return _several(value.items, value.others, value.url)
    if isinstance(value, list) and all(hasattr(one, "__mapper__") for one in value):
        return _several(value[:SHOWN], len(value) - SHOWN, None)
    if isinstance(value, dict | list | tuple):
        # An array may have items of any type.
        return Markup("<code>{}</code>").format(json.dumps(value, ensure_ascii=False, default=str))
    if hasattr(value, "__mapper__") and not may_read(value):
        return _NOTHING
    url = page_of(value)
    return Markup('<a href="{}">{}</a>').format(url, value) if url else str(value)


def brief(value: Any) -> str | Markup:
    """Write a value for a cell of a table: of a long text, or of long JSON, the beginning."""
    is_json = isinstance(value, dict | tuple | list) and not (
        isinstance(value, list) and all(hasattr(one, "__mapper__") for one in value)
    )
    text = json.dumps(value, ensure_ascii=False, default=str) if is_json else value
    return f"{text[:LONGEST_CELL]}…" if isinstance(text, str) and len(text) > LONGEST_CELL else show(value)


def _several(rows: Sequence[Any], others: int, url: str | None) -> Markup:
    found = Markup(", ").join(map(show, rows)) if rows else _NOTHING
    if others < 1:
        return found
    if url is None:
        return found + f" and {others:,} more"
    return found + Markup(' and <a href="{}">{:,} more</a>').format(url, others)


def _yes(value: bool) -> str:
    return gettext("Yes") if value else gettext("No")


def _moment(value: datetime) -> Markup:
    zone = " UTC" if value.tzinfo else ""
    # HTML knows three digits of a second.
    moment = value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M}{}</time>').format(moment, value, zone)


def _day(value: date) -> Markup:
    return Markup('<time datetime="{0}">{0}</time>').format(value.isoformat())


_WRITERS: tuple[tuple[type, Callable[[Any], str | Markup]], ...] = (
    (bool, _yes),
    (enum.Enum, choice_label),
    (Decimal, lambda value: format(value, "f")),
    (datetime, _moment),
    (date, _day),
    (bytes, lambda value: f"{len(value):,} bytes"),
    (set, lambda value: ", ".join(sorted(map(str, value))) or _NOTHING),
)


def label(model: type[Any], name: str) -> str:
    """Return the name of an attribute as people read it: from its ``info``, or in words."""
    attribute = sa.inspect(model).all_orm_descriptors.get(name)
    info = getattr(attribute, "info", None) or {}
    return words.label(name, info, model)


@lru_cache(maxsize=1000)
def is_number(model: type[Any], name: str) -> bool:
    """Return whether an attribute holds numbers, which are set flush right."""
    column = sa.inspect(model).columns.get(name)
    return column is not None and columns.is_number(column) and not column.foreign_keys
