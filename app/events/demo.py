"""A month of a small shop's visitors, so that the summaries show something."""

import random
import uuid
from datetime import datetime
from datetime import timedelta
from typing import Any

from core.data import cursors

from . import events
from .moments import DAY
from .moments import HOUR
from .moments import floor
from .moments import now

DAYS = 30
COUNT = 4000

#: Page or product: how often it is seen.
PAGES = {"/": 30, "/pricing": 14, "/blog/spring": 9, "/about": 6, "/contact": 4, "/blog/tools": 3}
PRODUCTS = {"HA-1000": 9, "PO-1001": 7, "GA-1002": 6, "LI-1003": 4, "KI-1007": 3}


def load() -> int:
    """Load the events if there are none yet.

    :return: how many were added
    """
    if cursors.read("SELECT id FROM events_event LIMIT 1"):
        return 0
    # The same visitors every time; only the moments follow the calendar.
    chance = random.Random(11)  # noqa: S311 - not for secrets
    last = floor(now(), HOUR)
    rows = [_event(chance, last) for _ in range(COUNT)]
    return sum(events.store(rows[start : start + 500]) for start in range(0, COUNT, 500))


def _event(chance: random.Random, last: datetime) -> dict[str, Any]:
    # More of late than a month ago, and most of it in the afternoon.
    days = int(DAYS * (1 - chance.random() ** 0.7))
    hours = min(max(chance.gauss(15, 4), 0), 23.99)
    occurred_at = floor(last, DAY) - timedelta(days=days) + timedelta(hours=hours)
    if occurred_at > last:
        occurred_at -= DAY
    event = {"id": uuid.UUID(int=chance.getrandbits(128), version=4), "visitor": f"v-{chance.randrange(900):03x}"}
    event |= {"occurred_at": occurred_at, "kind": "product", "name": "view"}
    if chance.random() < 0.7:
        subject = chance.choices(list(PAGES), weights=list(PAGES.values()))[0]
        return {**event, "kind": "page", "subject": subject, "value": round(chance.expovariate(1 / 40), 1)}
    subject = chance.choices(list(PRODUCTS), weights=list(PRODUCTS.values()))[0]
    added = {"name": "add-to-cart", "value": float(chance.randint(1, 4))} if chance.random() < 0.2 else {}
    return {**event, "subject": subject, **added}
