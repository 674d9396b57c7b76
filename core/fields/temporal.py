"""Strict fields of dates, times and durations: ISO 8601 as RFC 3339 writes it, nothing dropped.

A fraction of a second has six digits at most, as Python and PostgreSQL keep it. MariaDB keeps none
unless the column says so: ``mysql.DATETIME(fsp=6)``.
"""

import datetime as dt
import re
from typing import Any

from flask_babel import gettext
from marshmallow import ValidationError
from marshmallow import fields

from .messages import Message
from .strict import Spelled
from .strict import matches

_HOUR = r"([01][0-9]|2[0-3]):[0-5][0-9]"

#: Every date that there is from the year 1000 on: MariaDB's begin there.
_DATE = (
    r"([1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    r"|02-(0[1-9]|1[0-9]|2[0-8]))|([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29)"
)

# Engines without intervals keep them as a time since 1970, from the year 1000 on: so many digits fit.
_DAYS = r"[0-9]{1,5}D"
_SECONDS = r"[0-9]{1,9}(\.[0-9]{1,6})?S"
_MINUTES = rf"([0-9]{{1,8}}M({_SECONDS})?|{_SECONDS})"
_HOURS = rf"T([0-9]{{1,6}}H{_MINUTES}?|{_MINUTES})"
_DURATION = rf"^-?P([0-9]{{1,4}}W|{_DAYS}({_HOURS})?|{_HOURS})$"

#: ``timedelta``'s argument for each letter of a duration.
_UNITS = {"W": "weeks", "D": "days", "H": "hours", "M": "minutes", "S": "seconds"}


def _fraction(places: int) -> str:
    # Python writes all six digits or none.
    return rf"(\.[0-9]{{1,{places}}}0{{0,{6 - places}}})?" if places else r"(\.0{1,6})?"


class _Matching(fields.Field[Any]):
    """Refuses what its pattern does not match, before marshmallow reads it."""

    pattern: str

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not matches(self.pattern, value):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class Moment(_Matching, fields.AwareDateTime):
    """A date and time with its zone, ``2026-01-31T12:00:00Z``; kept in UTC.

    :param places: digits of a fraction of a second that may be other than 0
    """

    default_error_messages = {"invalid": Message("A date and time needs its seconds and a zone: 2026-01-31T12:00:00Z.")}

    def __init__(self, *, places: int = 6, **kwargs: Any) -> None:
        self.pattern = rf"^[1-9][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}T{_HOUR}:[0-5][0-9]{_fraction(places)}(Z|[+-]{_HOUR})$"
        super().__init__(**kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | float | None:
        if value is not None and value.tzinfo is None:
            # SQLite and MariaDB have dropped it.
            value = value.replace(tzinfo=dt.UTC)
        return super()._serialize(value, attr, obj, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dt.datetime:
        moment: dt.datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            moment = moment.astimezone(dt.UTC)
        except OverflowError:
            moment = dt.datetime.min
        if moment.year < 1000:
            raise ValidationError(gettext("The year must be from 1000 to 9999, in UTC."))
        return moment

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        found = {"type": "string", "format": "date-time"}
        return found if shown else {**found, "pattern": self.pattern}


class Local(_Matching, fields.NaiveDateTime):
    """A date and time without a zone, ``2026-01-31T12:00:00``.

    :param places: digits of a fraction of a second that may be other than 0
    """

    default_error_messages = {"invalid": Message("Not a date and time without a zone: write 2026-01-31T12:00:00.")}

    def __init__(self, *, places: int = 6, **kwargs: Any) -> None:
        self.pattern = rf"^{_DATE}T{_HOUR}(:[0-5][0-9]{_fraction(places)})?$"
        super().__init__(**kwargs)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows: no format of JSON Schema is without a zone."""
        return {"type": "string"} if shown else {"type": "string", "pattern": self.pattern}


class Day(_Matching, fields.Date):
    """A date, ``2026-01-31``."""

    default_error_messages = {"invalid": Message("Not a date from the year 1000 on: write 2026-01-31.")}

    pattern = f"^{_DATE}$"

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        found = {"type": "string", "format": "date"}
        return found if shown else {**found, "pattern": "^[1-9]"}


class Clock(_Matching, fields.Time):
    """A time of day without a zone, ``12:30:00``.

    :param places: digits of a fraction of a second that may be other than 0
    """

    default_error_messages = {"invalid": Message("Not a time of day without a zone: write 12:30:00.")}

    def __init__(self, *, places: int = 6, **kwargs: Any) -> None:
        self.pattern = rf"^{_HOUR}(:[0-5][0-9]{_fraction(places)})?$"
        super().__init__(**kwargs)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows: JSON Schema's format of times has a zone."""
        return {"type": "string"} if shown else {"type": "string", "pattern": self.pattern}


class ZonedClock(Spelled, Clock):
    """A time of day with its zone, ``12:30:00+01:00``; only PostgreSQL keeps it."""

    default_error_messages = {"invalid": Message("A time of day needs its seconds and a zone: 12:30:00+01:00.")}

    def __init__(self, *, places: int = 6, **kwargs: Any) -> None:
        super().__init__(places=places, **kwargs)
        # PostgreSQL's zones end before 16 hours.
        self.pattern = rf"^{_HOUR}:[0-5][0-9]{_fraction(places)}(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])$"

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        found = {"type": "string", "format": "time"}
        return found if shown else {**found, "pattern": self.pattern}


class Duration(Spelled):
    """A span of time in ISO 8601, ``P1DT2H``, of weeks or of days, hours, minutes and seconds.

    Months and years have no fixed length. The format "duration" of JSON Schema (RFC 3339,
    appendix A) knows neither a fraction of a second nor a span below zero: a pattern says it.
    """

    default_error_messages = {"invalid": Message("Not a duration: write P1DT2H30M for a day, two hours and a half.")}

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else _iso_duration(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dt.timedelta:
        if not matches(_DURATION, value):
            raise self.make_error("invalid")
        found = dt.timedelta()
        for number, fraction, unit in re.findall(r"([0-9]+)(?:\.([0-9]+))?([A-Z])", value):
            # Not by float: 0.1 seconds are 100,000 microseconds.
            found += dt.timedelta(**{_UNITS[unit]: int(number)}, microseconds=int(fraction.ljust(6, "0")))
        return -found if value.startswith("-") else found

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what it takes and shows."""
        return {"type": "string"} if shown else {"type": "string", "pattern": _DURATION}


def _iso_duration(value: dt.timedelta) -> str:
    span = abs(value)
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    rest = f"{seconds}.{span.microseconds:06}".rstrip("0") if span.microseconds else str(seconds)
    parts = [f"{hours}H" * bool(hours), f"{minutes}M" * bool(minutes), f"{rest}S" * (rest != "0")]
    days, time = f"{span.days}D" * bool(span.days), "".join(parts)
    return f"{'-' * (value < span)}P{days}{'T' * bool(time)}{time}" if days or time else "PT0S"
