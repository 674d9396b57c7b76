"""Translate the values of filter controls into those of the query string, and back.

A browser sends a time without its zone, and often without its seconds, and a number as its visitor typed it. The
listing reads what REST reads, which is strict: what a control sends is brought into that form first.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import to_user_timezone

from ..fields.columns import field_class
from ..fields.columns import is_number
from ..fields.columns import plain_type
from ..fields.messages import translated
from ..fields.strict import Exact
from ..fields.strict import Real
from ..fields.temporal import Clock
from ..fields.temporal import Duration
from ..fields.temporal import Local
from ..fields.temporal import Moment
from ..fields.temporal import ZonedClock
from ..http.languages import moments
from ..http.languages import zone_name

#: HTML's valid floating-point number, with the final point that people type.
_NUMBER = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?")
#: A time of ``datetime-local``; of people also with a space.
_LOCAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,6})?")
_HOURS = re.compile(r"([0-9]{1,5}):([0-5][0-9])(?::([0-5][0-9]))?")


def input_of(column: Any) -> tuple[str, str]:
    """Return the type of the ``input`` for a column's values, and its step; "" for what has none."""
    chosen = field_class(column)[0]
    if is_number(column):
        return "number", _step(column)
    if issubclass(chosen, Moment | Local):
        return "datetime-local", "any"
    if issubclass(chosen, Clock) and not issubclass(chosen, ZonedClock):
        return "time", "any"
    return ("date" if isinstance(plain_type(column), sa.Date) else "text"), ""


def note_of(column: Any) -> str:
    """Return how to write a value where its control does not say."""
    chosen = field_class(column)[0]
    if issubclass(chosen, Duration):
        return gettext("Hours and minutes, 26:30, or a duration, P1DT2H30M.")
    return gettext("With its zone: 12:30:00+01:00.") if issubclass(chosen, ZonedClock) else ""


def wrong_of(column: Any, message: str) -> str:
    """Return what to say to a person of a text that is no value; the message of the field where it says it well.

    :param message: what the column's field says to a program
    """
    chosen = field_class(column)[0]
    if issubclass(chosen, Exact) and message == translated(Exact.default_error_messages["invalid"]):
        return gettext("Not a number: write 12.50.")
    if issubclass(chosen, Moment | Local):
        return gettext("Not a date and time: write 2026-01-31 12:00.")
    return (
        gettext("Not a duration: write 26:30 for hours and minutes, or P1DT2H30M.")
        if issubclass(chosen, Duration)
        else message
    )


def unit_of(column: Any) -> str:
    """Return what is added to the label of a control: the zone in which times are meant."""
    return f" ({zone_name()})" if issubclass(field_class(column)[0], Moment) else ""


def read_typed(column: Any, text: str) -> str:
    """Return what a query string would say for what a control has sent; the text itself where it says so already."""
    text = text.strip()
    chosen = field_class(column)[0]
    if is_number(column):
        return _number(text, whole=not issubclass(chosen, Exact | Real))
    if issubclass(chosen, Moment | Local):
        found = _LOCAL.fullmatch(text)
        if found is None:
            return text
        local = f"{found[1]}T{found[2]}{found[3] or ':00'}{found[4] or ''}"
        return _in_utc(local) if issubclass(chosen, Moment) else local
    if issubclass(chosen, Duration) and (found := _HOURS.fullmatch(text)):
        return f"PT{int(found[1])}H{int(found[2])}M{int(found[3] or 0)}S"
    return text


def shown_typed(column: Any, text: str) -> str:
    """Return the text of a query string as its control shows it: a moment by the reader's clock, without its zone."""
    chosen = field_class(column)[0]
    if not issubclass(chosen, Moment):
        return text
    try:
        moment = to_user_timezone(datetime.fromisoformat(read_typed(column, text)))
    except (ValueError, OverflowError):
        return text
    return moment.replace(tzinfo=None).isoformat()


def _in_utc(local: str) -> str:
    """Return a time of the reader's clock as a moment: of two the earlier; where clocks never show it, as in UTC."""
    try:
        found = moments(datetime.fromisoformat(local))
    except (ValueError, OverflowError):
        found = []
    return f"{found[0].replace(tzinfo=None).isoformat()}Z" if found and zone_name() != "UTC" else f"{local}Z"


def _number(text: str, *, whole: bool) -> str:
    if not _NUMBER.fullmatch(text):
        return text
    value = Decimal(text)
    if whole and value != value.to_integral_value():
        return text
    return format(value.to_integral_value() if whole else value, "f")


def _step(column: Any) -> str:
    type_ = plain_type(column)
    if isinstance(type_, sa.Numeric) and not isinstance(type_, sa.Float) and type_.scale is not None:
        return f"{Decimal(10) ** -type_.scale:f}"
    return "any" if isinstance(type_, sa.Numeric | sa.Float) else "1"
