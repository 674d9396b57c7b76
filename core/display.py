"""How columns and their values read on a page."""

import enum
from collections.abc import Callable
from datetime import date
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask import current_app
from flask import url_for
from markupsafe import Markup

from .fields import plain_type
from .forms import choice_label
from .integrity import words

_NOTHING = Markup('<span class="text-body-secondary">—</span>')


def init_app(app: Flask) -> None:
    """Give the templates the filter ``show`` and the functions ``label`` and ``page_of``."""
    app.extensions["pages"] = {}
    app.jinja_env.filters["show"] = show
    app.jinja_env.globals |= {"label": label, "page_of": page_of, "is_number": is_number}


def show(value: Any) -> str | Markup:
    """Write a value for people; a row becomes a link if it has a page."""
    if isinstance(value, str):
        return value or _NOTHING
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, list | tuple | set):
        return Markup(", ").join(map(show, value)) if value else _NOTHING
    url = page_of(value)
    return Markup('<a href="{}">{}</a>').format(url, value) if url else str(value)


def _yes(value: bool) -> str:
    return "Yes" if value else "No"


def _moment(value: datetime) -> Markup:
    zone = " UTC" if value.tzinfo else ""
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M}{}</time>').format(value.isoformat(), value, zone)


def _day(value: date) -> Markup:
    return Markup('<time datetime="{0}">{0}</time>').format(value.isoformat())


_WRITERS: tuple[tuple[type, Callable[[Any], str | Markup]], ...] = (
    (bool, _yes),
    (enum.Enum, choice_label),
    (Decimal, lambda value: format(value, "f")),
    (datetime, _moment),
    (date, _day),
)


def label(model: type[Any], name: str) -> str:
    """Give the name of an attribute as people read it: from its ``info``, or in words."""
    attribute = sa.inspect(model).all_orm_descriptors.get(name)
    info = getattr(attribute, "info", None) or {}
    return str(info.get("label") or words(name).replace("_", " ").capitalize())


@lru_cache(maxsize=1000)
def is_number(model: type[Any], name: str) -> bool:
    """Tell whether a column holds numbers, which are set flush right."""
    column = sa.inspect(model).columns.get(name)
    return column is not None and isinstance(plain_type(column), sa.Numeric | sa.Integer) and not column.foreign_keys


def page_of(item: Any) -> str | None:
    """Give the URL of a row's own page; ``None`` if no installed module has pages for its model."""
    known = current_app.extensions["pages"].get(type(item))
    if known is None or "get" not in known.pages.allow:
        return None
    return url_for(f"{known.prefix}_detail", key=sa.inspect(item).identity[0])
