"""Events come in by POST, and are listed and summed up."""

from datetime import timedelta
from typing import Any

from flask import Response

from core.api.bodies import JSON
from core.api.bodies import json_response
from core.api.contract import contract
from core.api.limits import limited
from core.http.links import cursor_urls
from core.http.links import link_header
from core.http.links import query_url

from . import bp
from . import events
from . import schemas
from . import summaries
from .moments import DAY
from .moments import HOUR

#: `navigator.sendBeacon(url, text)` sends this, and asks no other site first whether it may.
BEACON = "text/plain"

#: Events of one request.
MOST_AT_ONCE = 100

#: Events of one address, behind which a whole office may sit; each of a batch counts.
RATE_LIMIT = "1000 per minute"

EXAMPLE = {
    "id": "5f0c3f8e-6f0a-4b52-9d5e-0d9f6c1c2a11",
    "kind": "page",
    "name": "view",
    "subject": "/pricing",
    "visitor": "v-81f3",
    "value": 12.5,
}


@bp.post("")
@limited(RATE_LIMIT)
@contract(
    body=schemas.EventSchema,
    batch=MOST_AT_ONCE,
    media=(JSON, BEACON),
    answer=schemas.ReceiptSchema,
    problems=("unavailable",),
    examples={"one": EXAMPLE, "batch": [EXAMPLE]},
)
def collect(body: list[dict[str, Any]]) -> dict[str, int]:
    """Store an event, or up to 100.

    One that was stored before, by its id, stays as it is: what may have got lost on the way can be sent again.
    """
    return {"received": len(body), "stored": events.store(body)}


@bp.get("")
@contract(query=schemas.EventQuerySchema, answer=schemas.EventPageSchema, problems=("unavailable",))
def index(query: dict[str, Any]) -> Response:
    """List the events, newest first."""
    page = events.find(query)
    return _respond({"items": page.items, "links": cursor_urls(page.places)})


@bp.get("/hours")
@contract(query=schemas.HourQuerySchema, answer=schemas.BucketsSchema, problems=("unavailable",))
def hours(query: dict[str, Any]) -> Response:
    """Count the events of each hour, with a moving average.

    Hours without events are there with 0. At most 750 are given, the last of the period.
    """
    return _with_earlier(summaries.buckets(query, HOUR, timedelta(hours=24)))


@bp.get("/days")
@contract(query=schemas.DayQuerySchema, answer=schemas.BucketsSchema, problems=("unavailable",))
def days(query: dict[str, Any]) -> Response:
    """Count the events of each day, with a moving average.

    Days without events are there with 0. At most 750 are given, the last of the period.
    """
    return _with_earlier(summaries.buckets(query, DAY, timedelta(days=30)))


@bp.get("/top")
@contract(query=schemas.TopQuerySchema, answer=schemas.TopSchema, problems=("unavailable",))
def top(query: dict[str, Any]) -> dict[str, Any]:
    """Rank the subjects, or the names, by their events.

    Of whole days, at most the last 750 of the period.
    """
    return summaries.top(query, DAY, timedelta(days=30))


def _with_earlier(summary: dict[str, Any]) -> Response:
    earlier = summary.pop("cut")
    links = {"prev": query_url(to=f"{summary['from']:%Y-%m-%dT%H:%M:%SZ}")} if earlier else {}
    return _respond({**summary, "links": links})


def _respond(body: dict[str, Any]) -> Response:
    """Answer with links in the body, and the same ones as a header (RFC 8288)."""
    response = json_response(body)
    if body["links"]:
        response.headers["Link"] = link_header(body["links"])
    return response
