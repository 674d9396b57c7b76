"""The field that fits a column of a type that only PostgreSQL or MariaDB has."""

from typing import Any

import sqlalchemy as sa
from marshmallow import fields
from marshmallow import validate
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql

from core.fields.columns import Chosen
from core.fields.columns import field_class
from core.fields.strict import Whole

from .fields import CIDR
from .fields import INET
from .fields import INET4
from .fields import INET6
from .fields import MACADDR
from .fields import MACADDR8
from .fields import ONE_DAY
from .fields import Array
from .fields import Choices
from .fields import Hstore
from .fields import MultiRange
from .fields import Patterned
from .fields import Range
from .fields import bits

#: Bounds of PostgreSQL's ranges.
_ENDS: tuple[tuple[type, type, Any], ...] = (
    (postgresql.INT4RANGE, postgresql.INT4MULTIRANGE, sa.Integer()),
    (postgresql.INT8RANGE, postgresql.INT8MULTIRANGE, sa.BigInteger()),
    (postgresql.NUMRANGE, postgresql.NUMMULTIRANGE, sa.Numeric()),
    (postgresql.DATERANGE, postgresql.DATEMULTIRANGE, sa.Date()),
    (postgresql.TSRANGE, postgresql.TSMULTIRANGE, sa.DateTime()),
    (postgresql.TSTZRANGE, postgresql.TSTZMULTIRANGE, sa.DateTime(timezone=True)),
)


def choose(type_: Any) -> Chosen | None:
    """Return the field class for a type, with its arguments; ``None`` for a type of all engines."""
    return _of_postgresql(type_) or _of_mysql(type_)


def _of_postgresql(type_: Any) -> Chosen | None:
    match type_:
        case sa.ARRAY():
            inner = _item(type_.item_type)
            return Array, {"inner": inner, "dimensions": type_.dimensions or 1, "as_tuple": type_.as_tuple}
        case postgresql.HSTORE():
            return Hstore, {}
        case postgresql.OID():
            return Whole, {"validate": [validate.Range(0, 2**32 - 1)]}
        case postgresql.BIT():
            return Patterned, bits(type_.length or 1, varying=type_.varying)
        case postgresql.INET():
            return Patterned, INET
        case postgresql.CIDR():
            return Patterned, CIDR
        case postgresql.MACADDR():
            return Patterned, MACADDR
        case postgresql.MACADDR8():
            return Patterned, MACADDR8
        case postgresql.ranges.AbstractRange():
            return _range_of(type_)
    return None


def _of_mysql(type_: Any) -> Chosen | None:
    match type_:
        case mysql.YEAR():
            return Whole, {"validate": [validate.Range(1901, 2155)]}
        case mysql.BIT():
            return Whole, {"validate": [validate.Range(0, 2 ** (type_.length or 1) - 1)]}
        case mysql.SET():
            return Choices, {"choices": type_.values}
        case mysql.INET4():
            return Patterned, INET4
        case mysql.INET6():
            return Patterned, INET6
    return None


def _range_of(type_: Any) -> Chosen | None:
    for single, several, end in _ENDS:
        if isinstance(type_, single | several):
            step = {"Integer": 1, "BigInteger": 1, "Date": ONE_DAY}.get(type(end).__name__)
            inner = _item(end)
            if isinstance(type_, single):
                return Range, {"inner": inner, "step": step}
            return MultiRange, {"inner": Range(inner, step=step)}
    return None


def _item(type_: Any) -> fields.Field[Any]:
    cls, arguments = field_class(sa.Column("item", type_))
    return cls(**arguments, allow_none=False)
