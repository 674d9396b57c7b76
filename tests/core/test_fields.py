from contextlib import suppress
from datetime import UTC
from datetime import date
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from marshmallow import fields

from core.data.models import Money
from core.data.models import UtcDateTime
from core.fields import Blob
from core.fields import Exact
from core.fields import Flag
from core.fields import Json
from core.fields import Real
from core.fields import Text
from core.fields import UniqueId
from core.fields import UniqueIdText
from core.fields import Whole
from core.fields.columns import make_field
from core.fields.columns import not_blank
from core.fields.strict import from_text
from core.fields.temporal import Clock
from core.fields.temporal import Day
from core.fields.temporal import Duration
from core.fields.temporal import Local
from core.fields.temporal import Moment
from core.fields.temporal import ZonedClock
from tests.core.warehouse import Color

ALL = [
    Text(),
    Whole(),
    Flag(),
    Exact(precision=10, scale=2),
    Real(),
    Moment(),
    Day(),
    Json(),
    UniqueId(),
    UniqueIdText(),
    Local(),
    Clock(),
    ZonedClock(),
    Duration(),
    Blob(length=8),
]


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (sa.String(5), Text),
        (sa.Text(), Text),
        (sa.SmallInteger(), Whole),
        (sa.BigInteger(), Whole),
        (sa.Boolean(), Flag),
        (sa.Numeric(10, 2), Exact),
        (Money(10, 2), Exact),
        (sa.Float(), Real),
        (sa.Double(), Real),
        (sa.Date(), Day),
        (UtcDateTime(), Moment),
        (sa.DateTime(timezone=True), Moment),
        (sa.Enum(Color), fields.Enum),
        (sa.Enum("S", "M"), Text),
        (sa.Time(), Clock),
        (sa.Time(timezone=True), ZonedClock),
        (sa.Interval(), Duration),
    ],
    ids=lambda value: type(value).__name__,
)
def test_column_type_has_field(type_: Any, expected: type) -> None:
    assert type(make_field(sa.Column("x", type_))) is expected


@pytest.mark.parametrize("type_", [sa.LargeBinary(), sa.JSON()], ids=lambda value: type(value).__name__)
def test_column_without_an_order_has_none(type_: Any) -> None:
    with pytest.raises(TypeError, match="neither filtered, sorted nor a key"):
        make_field(sa.Column("x", type_))


@pytest.mark.parametrize(
    ("type_", "low", "high"),
    [
        (sa.SmallInteger(), -(2**15), 2**15 - 1),
        (sa.Integer(), -(2**31), 2**31 - 1),
        (sa.BigInteger(), -(2**63), 2**63 - 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whole_numbers_fit_their_column(type_: Any, low: int, high: int) -> None:
    field = make_field(sa.Column("x", type_))
    assert [from_text(field, str(value)) for value in (low, high)] == [low, high]
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError):
            from_text(field, str(value))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (Whole(), "+7", 7),
        (Whole(), "-0", 0),
        (Flag(), "true", True),
        (Flag(), "false", False),
        (Flag(), "yes", None),
        (Real(), "-1.5", -1.5),
        (Real(), "3.", 3.0),
        (Exact(precision=10, scale=2), "-0", Decimal("0.00")),
        (Exact(precision=10, scale=2), "1.500", None),
        (Moment(), "2026-01-31T13:00:00+01:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (Day(), "2026-01-31", date(2026, 1, 31)),
    ],
    ids=lambda value: str(value)[:20],
)
def test_text_is_read(field: fields.Field[Any], text: str, value: Any) -> None:
    if value is None:
        with pytest.raises(ValidationError):
            from_text(field, text)
    else:
        assert repr(from_text(field, text)) == repr(value)


@given(st.sampled_from(ALL), st.text(max_size=60))
def test_no_text_breaks_a_field(field: fields.Field[Any], text: str) -> None:
    with suppress(ValidationError):
        from_text(field, text)


@given(
    st.sampled_from(ALL),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_no_json_value_breaks_a_field(field: fields.Field[Any], value: Any) -> None:
    with suppress(ValidationError):
        field.deserialize(value)


@given(st.decimals("-99999999.99", "99999999.99", places=2))
def test_exact_amount_round_trips(amount: Decimal) -> None:
    field = Exact(precision=10, scale=2)
    loaded = field.deserialize(str(amount))
    assert loaded == amount
    assert loaded.as_tuple().exponent == -2
    assert field.deserialize(format(loaded, "f")) == loaded


@pytest.mark.parametrize(
    "amount",
    ["0.001", "100000000", "-100000000", "9" * 39, "0." + "0" * 39 + "1", "1" * 41, "1e5", "NaN", "-Infinity", "0x1"],
)
def test_amount_out_of_range_refused(amount: str) -> None:
    with pytest.raises(ValidationError):
        Exact(precision=10, scale=2).deserialize(amount)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (sa.Column("x", sa.String(5), nullable=False), True),
        (sa.Column("x", sa.String(5)), False),
        (sa.Column("x", sa.String(5), nullable=False, default=""), False),
        (sa.Column("x", sa.String(5), nullable=False, server_default=""), False),
        (sa.Column("x", sa.Integer, nullable=False), False),
        (sa.Column("x", sa.Enum("", "a"), nullable=False), False),
    ],
)
def test_required_text_not_blank(column: sa.Column[Any], expected: bool) -> None:
    assert not_blank(column) is expected
