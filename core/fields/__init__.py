"""Strict marshmallow fields, the one that fits a column, and what each is in JSON Schema."""

from .columns import field_class
from .columns import make_field
from .json_schema import json_schema
from .relations import Related
from .strict import Blob
from .strict import Exact
from .strict import Flag
from .strict import Json
from .strict import Real
from .strict import Text
from .strict import UniqueId
from .strict import UniqueIdText
from .strict import Whole
from .temporal import Clock
from .temporal import Day
from .temporal import Duration
from .temporal import Local
from .temporal import Moment
from .temporal import ZonedClock

__all__ = [
    "Blob",
    "Clock",
    "Day",
    "Duration",
    "Exact",
    "Flag",
    "Json",
    "Local",
    "Moment",
    "Real",
    "Related",
    "Text",
    "UniqueId",
    "UniqueIdText",
    "Whole",
    "ZonedClock",
    "field_class",
    "json_schema",
    "make_field",
]
