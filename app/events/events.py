"""Events are stored once, and listed newest first. No HTTP."""

import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.data import cursors

from .moments import from_number
from .moments import is_believed
from .moments import now
from .moments import to_number

COLUMNS = ("id", "kind", "name", "subject", "visitor", "value", "occurred_at", "received_at")

_INSERT = f"""
    INSERT INTO events_event ({", ".join(COLUMNS)})
    VALUES ({", ".join(f":{name}" for name in COLUMNS)})
"""  # noqa: S608 - no value is in it
_INSERT_NEW = f"{_INSERT} ON CONFLICT (id) DO NOTHING"
#: IGNORE would also cut what is too long; nothing is, the schema has seen to it. Of a duplicate key that is
#: "updated" the driver says that a row was changed, so that what is new could not be counted.
_INSERT_NEW_MARIADB = _INSERT.replace("INSERT INTO", "INSERT IGNORE INTO")

#: MariaDB takes a LIMIT in a subquery only one level deeper.
_DELETE_OLD = """
    DELETE FROM events_event WHERE id IN (
        SELECT id FROM (
            SELECT id FROM events_event WHERE occurred_at < :until ORDER BY occurred_at, id LIMIT :limit
        ) AS old
    )
"""

#: A place in the list: next to which event, and on which side.
PLACE = re.compile(r"(after|before)\.([0-9]{1,17})\.([0-9a-f-]{36})")


def store(sent: Sequence[Mapping[str, Any]]) -> int:
    """Store the events that are not known yet by their id; one that is known stays as it is.

    :param sent: as :class:`~app.events.schemas.EventSchema` loads them
    :return: how many were new
    """
    received = now()
    # In order of the key: two batches that share events wait for one another instead of crossing.
    rows = sorted((_row(event, received) for event in sent), key=lambda row: row["id"])
    return cursors.retried(lambda: _insert(rows))


def _row(event: Mapping[str, Any], received: datetime) -> dict[str, Any]:
    # A sender with a wrong clock gets no answer that would help: a beacon sees none. The event is kept.
    occurred = event.get("occurred_at")
    if occurred is None or not is_believed(occurred, received):
        occurred = received
    return {
        "visitor": None,
        "value": None,
        **event,
        "id": str(event["id"]),
        "occurred_at": to_number(occurred),
        "received_at": to_number(received),
    }


def _insert(rows: Sequence[Mapping[str, Any]]) -> int:
    insert = _INSERT_NEW_MARIADB if cursors.engine_name() in ("mysql", "mariadb") else _INSERT_NEW
    if len(rows) == 1:
        return cursors.write(insert, rows[0])
    with cursors.transaction() as cursor:
        return cursor.executemany(insert, rows).rowcount


@dataclass(frozen=True)
class Page:
    """Some events, and the places from which those after and before them are listed."""

    items: list[dict[str, Any]]
    places: dict[str, str]


def find(query: Mapping[str, Any]) -> Page:
    """Return one page of the events, newest first.

    :param query: as :class:`~app.events.schemas.EventQuerySchema` loads it
    """
    limit = query["limit"]
    side, number, key = _place(query.get("cursor"))
    values = {**values_of(query), "at": number, "id": key, "limit": limit + 1}
    # One more than asked for shows whether more follow.
    rows = cursors.read(_page_sql(query, side), values)
    more, rows = len(rows) > limit, rows[:limit]
    if side == "before":
        rows.reverse()
    places = {}
    if rows and (more or side == "before"):
        places["next"] = _place_text("after", rows[-1])
    if rows and (more if side == "before" else side):
        places["prev"] = _place_text("before", rows[0])
    return Page([_shown(row) for row in rows], places)


def _page_sql(query: Mapping[str, Any], side: str) -> str:
    conditions = list(conditions_of(query))
    # The bound of the first column is said as well: else MariaDB reads the index from its beginning.
    if side == "after":
        conditions += ["occurred_at <= :at", "(occurred_at, id) < (:at, :id)"]
    elif side == "before":
        conditions += ["occurred_at >= :at", "(occurred_at, id) > (:at, :id)"]
    order = "occurred_at, id" if side == "before" else "occurred_at DESC, id DESC"
    return f"SELECT {', '.join(COLUMNS)} FROM events_event {where(conditions)} ORDER BY {order} LIMIT :limit"  # noqa: S608


def conditions_of(query: Mapping[str, Any]) -> Iterator[str]:
    """Yield the conditions that a query sets, their values as parameters; no word of them is the caller's."""
    if query.get("kind"):
        yield "kind = :kind"
    if query.get("name"):
        yield "name = :name"
    if query.get("since"):
        yield "occurred_at >= :since"
    if query.get("until"):
        yield "occurred_at < :until"


def values_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values for :func:`conditions_of`."""
    moments = {name: to_number(query[name]) for name in ("since", "until") if query.get(name)}
    return {"kind": query.get("kind"), "name": query.get("name"), **moments}


def where(conditions: Sequence[str]) -> str:
    """Join conditions to a WHERE; nothing for none."""
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def delete_before(moment: datetime, *, at_once: int = 1000) -> int:
    """Delete the events that occurred before a moment, some at a time, so that no lock is held for long.

    :return: how many
    """
    deleted = 0
    values = {"until": to_number(moment), "limit": at_once}
    while count := cursors.retried(lambda: cursors.write(_DELETE_OLD, values)):
        deleted += count
    return deleted


def _place(text: str | None) -> tuple[str, int, str]:
    found = PLACE.fullmatch(text or "")
    return (found[1], int(found[2]), found[3]) if found else ("", 0, "")


def _place_text(side: str, row: Mapping[str, Any]) -> str:
    return f"{side}.{row['occurred_at']}.{row['id']}"


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    moments = {name: from_number(row[name]) for name in ("occurred_at", "received_at")}
    return {**row, **moments}
