"""Deprecated endpoints, as views declare them. A module announces them.

``deprecate(blueprint, Deprecation(since=date(2027, 1, 1), sunset=date(2027, 7, 1)))`` for a version of an
API, ``@deprecated(Deprecation(…))`` above a view, or the attribute ``deprecation`` of a resource.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time

from flask.blueprints import Blueprint

from ..declarations import View
from ..declarations import declare
from ..declarations import declaring

#: Characters allowed between ``<`` and ``>`` of a Link header.
_URL = re.compile(r"[!#-;=?-~]+")


@dataclass(frozen=True)
class Deprecation:
    """Since when something should not be used any more, and until when it can be.

    :param since: a day (UTC), or a moment with its zone (RFC 9745)
    :param sunset: from then on it may be gone (RFC 8594)
    :param link: URL of a page that explains it
    :param successor: URL of what to use instead
    :raises ValueError: if the sunset lies before, a moment has no zone, or a URL is none
    """

    since: date
    sunset: date | None = None
    link: str | None = None
    successor: str | None = None

    def __post_init__(self) -> None:
        since = moment(self.since)
        if self.sunset is not None and moment(self.sunset) < since:
            raise ValueError(f"What is deprecated since {self.since} cannot be gone on {self.sunset}: correct one.")
        for url in (self.link, self.successor):
            if url is not None and not _URL.fullmatch(url):
                raise ValueError(f"{url!r} is no URL: percent-encode what is not ASCII.")


def moment(when: date) -> datetime:
    """Return the beginning of a day in UTC; a moment stays as it is."""
    if not isinstance(when, datetime):
        return datetime.combine(when, time(), UTC)
    if when.tzinfo is None:
        raise ValueError(f"{when!r} has no zone: give tzinfo=UTC, or a date.")
    return when


def deprecate(blueprint: Blueprint, deprecation: Deprecation) -> None:
    """Deprecate all endpoints of a blueprint, such as a version of an API."""
    declare(blueprint, "deprecation", deprecation)


def deprecated(deprecation: Deprecation) -> Callable[[View], View]:
    """Return a decorator that deprecates a view."""
    return declaring("deprecation", deprecation)
