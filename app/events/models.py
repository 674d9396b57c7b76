"""The table of events, which hand-written SQL reads and writes: there is no model to it."""

import sqlalchemy as sa

from core.data.models import exact
from services import db

#: Kinds of an event.
KINDS = ("page", "product")

LONGEST_KIND = 20
LONGEST_NAME = 60
LONGEST_SUBJECT = 255
LONGEST_VISITOR = 64

#: Moments are whole microseconds since 1970: hours and days are divisions then, on every engine.
events = sa.Table(
    "events_event",
    db.metadata,
    sa.Column("id", exact(36), primary_key=True),
    sa.Column("kind", exact(LONGEST_KIND), nullable=False),
    sa.Column("name", exact(LONGEST_NAME), nullable=False),
    sa.Column("subject", exact(LONGEST_SUBJECT), nullable=False),
    sa.Column("visitor", exact(LONGEST_VISITOR)),
    sa.Column("value", sa.Double),
    sa.Column("occurred_at", sa.BigInteger, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    # The list reads each of its questions off one index, from any place: a page costs the same at every depth.
    sa.Index(None, "occurred_at", "id"),
    sa.Index(None, "kind", "occurred_at", "id"),
    sa.Index(None, "name", "occurred_at", "id"),
    sa.Index(None, "kind", "name", "occurred_at", "id"),
)
