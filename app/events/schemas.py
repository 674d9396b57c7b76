"""Schemas of requests and responses."""

from flask_babel import lazy_gettext
from marshmallow import Schema
from marshmallow import fields
from marshmallow import validate

import settings
from core.fields import Real
from core.fields import Text
from core.fields import UniqueId
from core.fields import Whole
from core.fields.strict import require_visible
from core.fields.temporal import Moment

from .events import PLACE
from .models import KINDS
from .models import LONGEST_NAME
from .models import LONGEST_SUBJECT
from .models import LONGEST_VISITOR

#: However many are added up, the sum is a number.
LARGEST_VALUE = 1e12

#: Rows of a moving average: a week of hours.
LONGEST_WINDOW = 168

#: In Python, and only there, $ is also before a line break at the end.
END = r"$(?!\n)"

NAME = validate.Regexp(
    rf"^[a-z0-9][a-z0-9._-]{{0,{LONGEST_NAME - 1}}}{END}",
    error=f"Up to {LONGEST_NAME} small letters, digits, '.', '_' and '-', a letter or digit first.",
)


class EventSchema(Schema):
    """Something that happened on a site."""

    id = UniqueId(required=True, metadata={"description": "Made by the sender; one that is sent again is stored once."})
    kind = Text(required=True, validate=validate.OneOf(KINDS), metadata={"description": "What it is about."})
    name = Text(required=True, validate=NAME, metadata={"description": "What happened.", "example": "view"})
    subject = Text(
        required=True,
        validate=[validate.Length(max=LONGEST_SUBJECT), require_visible],
        metadata={"description": "The page's path, or the product's number.", "example": "/pricing"},
    )
    visitor = Text(
        allow_none=True,
        validate=validate.Length(1, LONGEST_VISITOR),
        metadata={"description": "A random id that the site gave the visitor; nothing that names a person."},
    )
    value = Real(
        allow_none=True,
        validate=validate.Range(-LARGEST_VALUE, LARGEST_VALUE),
        metadata={"description": "A number that is summed up: seconds, pieces, euros."},
    )
    occurred_at = Moment(
        metadata={
            "description": "When it happened. Without it, or where the visitor's clock is wrong (more than 5 minutes "
            "ahead, or before 2000), the moment of arrival counts."
        },
    )


class StoredEventSchema(EventSchema):
    """An event as it is kept."""

    visitor = Text(required=True, allow_none=True)
    value = Real(required=True, allow_none=True)
    occurred_at = Moment(required=True)
    received_at = Moment(required=True)


class ReceiptSchema(Schema):
    """Result of the events that were sent."""

    received = Whole(required=True, metadata={"description": "How many were understood."})
    stored = Whole(required=True, metadata={"description": "How many of them were new."})


# --- questions -----------------------------------------------------------------------------------


class PeriodSchema(Schema):
    """Filters of a list of events."""

    kind = Text(validate=validate.OneOf(KINDS), metadata={"description": "Only those about this."})
    name = Text(validate=NAME, metadata={"description": "Only those of this name."})
    # The parameter is called `from`, which is no name in Python.
    since = Moment(data_key="from", metadata={"description": "Only those that occurred then or later."})
    until = Moment(data_key="to", metadata={"description": "Only those that occurred before."})


class EventQuerySchema(PeriodSchema):
    """One page of the list."""

    limit = Whole(
        load_default=settings.PAGE_SIZE,
        validate=validate.Range(1, settings.MAX_PAGE_SIZE),
        metadata={"description": "Events on a page."},
    )
    cursor = Text(
        validate=validate.Regexp(
            rf"^{PLACE.pattern}{END}", error=lazy_gettext("Not a cursor of this list: take it from a link.")
        ),
        metadata={"description": "From a link of an answer: the page after or before."},
    )


def _window(default: int) -> Whole:
    return Whole(
        load_default=default,
        validate=validate.Range(1, LONGEST_WINDOW),
        metadata={"description": "How many rows the moving average is over, the row itself and those before it."},
    )


class HourQuerySchema(PeriodSchema):
    """A period, by default the last 24 hours; hours are UTC's."""

    window = _window(24)


class DayQuerySchema(PeriodSchema):
    """A period, by default the last 30 days; days are UTC's."""

    window = _window(7)


class TopQuerySchema(PeriodSchema):
    """A period of whole days, by default the last 30."""

    by = Text(
        load_default="subject",
        validate=validate.OneOf(("subject", "name", "kind")),
        metadata={"description": "What is counted."},
    )
    limit = Whole(load_default=10, validate=validate.Range(1, settings.MAX_PAGE_SIZE))


# --- answers -------------------------------------------------------------------------------------


class LinksSchema(Schema):
    """The neighbouring pages, where there are some."""

    next = fields.String()
    prev = fields.String()


class EventPageSchema(Schema):
    """One page of the list."""

    items = fields.List(fields.Nested(StoredEventSchema), required=True)
    links = fields.Nested(LinksSchema, required=True)


class SumSchema(Schema):
    """Sums of events."""

    events = Whole(required=True)
    visitors = Whole(required=True, metadata={"description": "Different visitors; events without one are not counted."})
    value = Real(required=True, metadata={"description": "The values, added up."})


class BucketSchema(SumSchema):
    """An hour or a day."""

    start = Moment(required=True)
    moving_average = Real(required=True, metadata={"description": "Events a row, over the window."})


class RankedSchema(SumSchema):
    """A subject, or a name, among the top."""

    rank = Whole(required=True)
    what = fields.String(required=True)
    share = Real(required=True, metadata={"description": "Of all events of the period, from 0 to 1."})


class AnswerPeriodSchema(Schema):
    """Period of an answer, in whole hours or days."""

    since = Moment(required=True, data_key="from")
    until = Moment(required=True, data_key="to")


class BucketsSchema(AnswerPeriodSchema):
    """A period, hour by hour or day by day."""

    window = Whole(required=True)
    items = fields.List(fields.Nested(BucketSchema), required=True)
    links = fields.Nested(LinksSchema, required=True)


class TopSchema(AnswerPeriodSchema):
    """The top of a period."""

    by = fields.String(required=True)
    items = fields.List(fields.Nested(RankedSchema), required=True)
