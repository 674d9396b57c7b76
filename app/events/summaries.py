"""Sums of events: by hour, by day, and the top ten. Window functions by hand, one statement each."""

from collections.abc import Mapping
from datetime import datetime
from datetime import timedelta
from typing import Any

from core.data import cursors

from .events import conditions_of
from .events import values_of
from .events import where
from .moments import EARLIEST
from .moments import MICROSECOND
from .moments import MOST_AHEAD
from .moments import ceil
from .moments import floor
from .moments import from_number
from .moments import now
from .moments import to_number

#: Hours or days of one answer. MariaDB ends a recursion at 1,000, and the moving average needs some as well.
MOST_BUCKETS = 750

_BUCKETS = """
    WITH RECURSIVE bucket (start) AS (
        SELECT :first
        UNION ALL
        SELECT start + :width FROM bucket WHERE start + :width < :until
    ), counted AS (
        SELECT
            occurred_at - occurred_at % :width AS start,
            COUNT(*) AS events,
            COUNT(DISTINCT visitor) AS visitors,
            SUM(value) AS value
        FROM events_event {where}
        GROUP BY 1
    ), complete AS (
        SELECT
            bucket.start,
            COALESCE(events, 0) AS events,
            COALESCE(visitors, 0) AS visitors,
            COALESCE(value, 0) AS value,
            AVG(COALESCE(events, 0)) OVER (
                ORDER BY bucket.start ROWS BETWEEN :before PRECEDING AND CURRENT ROW
            ) AS moving_average
        FROM bucket LEFT JOIN counted ON counted.start = bucket.start
    )
    SELECT start, events, visitors, value, moving_average FROM complete WHERE start >= :shown ORDER BY start
"""

_TOP = """
    SELECT what, events, visitors, value, share, place FROM (
        SELECT
            {column} AS what,
            COUNT(*) AS events,
            COUNT(DISTINCT visitor) AS visitors,
            COALESCE(SUM(value), 0) AS value,
            COUNT(*) * 1.0 / SUM(COUNT(*)) OVER () AS share,
            RANK() OVER (ORDER BY COUNT(*) DESC) AS place
        FROM events_event {where}
        GROUP BY {column}
    ) AS ranked
    ORDER BY place, what LIMIT :limit
"""


def buckets(query: Mapping[str, Any], width: timedelta, span: timedelta) -> dict[str, Any]:
    """Count the events of each hour, day, … of a period; one without events is there with 0.

    The moving average is over the bucket and those before it, also those before the period. Of a long
    period it is the end; ``cut`` says whether something lies before.

    :param query: as :class:`~app.events.schemas.HourQuerySchema` loads it
    :param width: of a bucket
    :param span: the period where the query names no beginning
    """
    since, until, cut = _period(query, width, span)
    first = since - (query["window"] - 1) * width
    query = {**query, "since": first, "until": until}
    values = {
        **values_of(query),
        "first": to_number(first),
        "shown": to_number(since),
        "width": width // MICROSECOND,
        "before": query["window"] - 1,
    }
    rows = cursors.read(_BUCKETS.format(where=where(list(conditions_of(query)))), values) if since < until else []
    return {"from": since, "to": until, "window": query["window"], "items": [_bucket(row) for row in rows], "cut": cut}


def _bucket(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "start": from_number(row["start"]),
        "events": row["events"],
        "visitors": row["visitors"],
        "value": round(float(row["value"]), 6),
        "moving_average": round(float(row["moving_average"]), 3),
    }


def top(query: Mapping[str, Any], width: timedelta, span: timedelta) -> dict[str, Any]:
    """Return what most events are about, each with its rank and its share of all; equals have the same rank.

    :param query: as :class:`~app.events.schemas.TopQuerySchema` loads it
    """
    since, until, _ = _period(query, width, span)
    query = {**query, "since": since, "until": until}
    # The schema lets through a few names of columns.
    sql = _TOP.format(column=query["by"], where=where(list(conditions_of(query))))
    rows = cursors.read(sql, {**values_of(query), "limit": query["limit"]})
    return {"from": since, "to": until, "by": query["by"], "items": [_ranked(row) for row in rows]}


def _ranked(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rank": row["place"],
        "what": row["what"],
        "events": row["events"],
        "visitors": row["visitors"],
        "value": round(float(row["value"]), 6),
        "share": round(float(row["share"]), 4),
    }


def _period(query: Mapping[str, Any], width: timedelta, span: timedelta) -> tuple[datetime, datetime, bool]:
    """Return the whole hours, days, … that a query is about, and whether that is only the end of them.

    No event is older than the earliest moment, or younger than a clock that is a little ahead.
    """
    last = ceil(now() + MOST_AHEAD, width)
    until = ceil(min(max(query.get("until") or now(), EARLIEST), last), width)
    since = floor(max(query.get("since") or until - span, EARLIEST), width)
    earliest = until - MOST_BUCKETS * width
    return min(max(since, earliest), until), until, since < earliest
