"""Moments as the table keeps them, in whole microseconds since 1970, and how they fall into hours and days."""

from datetime import UTC
from datetime import datetime
from datetime import timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

#: Earlier moments come from a clock that was never set.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

#: A visitor's clock may be so much ahead of the server's and is still believed.
MOST_AHEAD = timedelta(minutes=5)


def now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


def is_believed(moment: datetime, arrived: datetime) -> bool:
    """Return whether a visitor's clock may have been right."""
    return EARLIEST <= moment <= arrived + MOST_AHEAD


def to_number(moment: datetime) -> int:
    """Return a moment as the table keeps it."""
    return (moment - EPOCH) // MICROSECOND


def from_number(number: int) -> datetime:
    """Return the moment that the table keeps as this number."""
    return EPOCH + number * MICROSECOND


def floor(moment: datetime, width: timedelta) -> datetime:
    """Return the beginning of the hour, the day, … that a moment is in."""
    return moment - (moment - EPOCH) % width


def ceil(moment: datetime, width: timedelta) -> datetime:
    """Return the first beginning of an hour, a day, … that is not before a moment."""
    return moment + (EPOCH - moment) % width
