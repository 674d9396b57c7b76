"""Columns and their values as text on a page."""

import enum
import json
from collections.abc import Callable
from collections.abc import Sequence
from datetime import UTC
from datetime import date
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from babel.numbers import get_decimal_symbol
from flask import Flask
from flask_babel import format_date
from flask_babel import format_decimal
from flask_babel import format_time
from flask_babel import get_locale
from flask_babel import gettext
from flask_babel import to_user_timezone
from markupsafe import Markup
from markupsafe import escape

from ..crud.readers import may_read
from ..fields import columns
from ..fields import words
from ..fields.words import choice_label
from ..http.languages import SOURCE
from ..http.languages import language
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
        return found + " " + gettext("and %(number)s more", number=format_decimal(others))
    more = Markup('<a href="{}">{}</a>').format(url, gettext("%(number)s more", number=format_decimal(others)))
    return found + " " + escape(gettext("and %(more)s")) % {"more": more}


def _yes(value: bool) -> str:
    return gettext("Yes") if value else gettext("No")


def _decimal(value: Decimal) -> str:
    """Write a decimal with all its digits, and the language's point."""
    text = format(value, "f")
    return text if is_english() else text.replace(".", get_decimal_symbol(get_locale()))


def _moment(value: datetime) -> Markup:
    """Write a time in the zone of the reader, with the moment in UTC as its title; one without a zone as it is."""
    # HTML knows three digits of a second.
    timespec = "milliseconds" if value.microsecond else "seconds"
    if not value.tzinfo:
        text = _clock(value)
        return Markup('<time datetime="{}">{}</time>').format(value.isoformat(timespec=timespec), text)
    local = to_user_timezone(value)
    zone = local.tzname()
    exact = value.astimezone(UTC).isoformat(timespec=timespec)
    return Markup('<time datetime="{}" title="{}">{} {}</time>').format(
        value.isoformat(timespec=timespec), exact, _clock(local), zone
    )


def _clock(value: datetime) -> str:
    if is_english():
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{format_date(value, 'medium', rebase=False)} {format_time(value, 'short', rebase=False)}"


def _day(value: date) -> Markup:
    text = value.isoformat() if is_english() else format_date(value, "medium")
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), text)


def is_english() -> bool:
    """Return whether the answer is in English, whose readers of all continents get dates as ISO 8601 has them."""
    return language() == SOURCE


_WRITERS: tuple[tuple[type, Callable[[Any], str | Markup]], ...] = (
    (bool, _yes),
    (enum.Enum, choice_label),
    (Decimal, _decimal),
    (datetime, _moment),
    (date, _day),
    (bytes, lambda value: gettext("%(number)s bytes", number=format_decimal(len(value)))),
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
