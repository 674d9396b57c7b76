"""Fields of what only PostgreSQL or MariaDB has refuse what they cannot read."""

from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from marshmallow import fields

from app.dialects import Array
from app.dialects import Choices
from app.dialects import Hstore
from app.dialects import MultiRange
from app.dialects import Patterned
from app.dialects import Range
from app.dialects.fields import CIDR
from app.dialects.fields import INET
from app.dialects.fields import INET4
from app.dialects.fields import INET6
from app.dialects.fields import MACADDR
from app.dialects.fields import MACADDR8
from app.dialects.fields import ONE_DAY
from app.dialects.fields import bits
from core.fields import Day
from core.fields import Text
from core.fields import Whole
from core.fields.columns import make_field
from core.fields.strict import from_text

ALL = [
    Array(Whole()),
    Array(Text(), dimensions=2),
    Hstore(),
    Choices(choices=["a", "b"]),
    Range(Whole(), step=1),
    MultiRange(Range(Day(), step=ONE_DAY)),
    *(Patterned(**arguments) for arguments in (INET, CIDR, INET4, INET6, MACADDR, MACADDR8)),
    Patterned(**bits(4, varying=True)),
]


def test_array_has_no_order() -> None:
    with pytest.raises(TypeError, match="neither filtered, sorted nor a key"):
        make_field(sa.Column("x", sa.ARRAY(sa.Integer)))


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
