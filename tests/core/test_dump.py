from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from datetime import timezone
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from marshmallow import Schema
from marshmallow import fields
from marshmallow import post_dump
from marshmallow import pre_dump

from core.fields import Exact
from core.fields import Text
from core.fields import Whole
from core.fields.schemas import ModelSchema
from core.http.json import dump_bytes
from core.rest import dump
from core.rest.rows import RowReader
from core.rest.rows import make_reader
from services import db
from tests.core.warehouse import Color
from tests.core.warehouse import Maker
from tests.core.warehouse import Thing
from tests.core.warehouse import ThingSchema
from tests.core.warehouse import things

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
seconds = st.times().map(lambda value: value.replace(microsecond=0))
#: MariaDB's DATETIME without a precision has none.
moments = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30))
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11))])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
rows = st.fixed_dictionaries(
    {"name": text, "price": st.decimals("-99999999.99", "99999999.99", places=2), "live": st.booleans()},
    optional={
        "rank": st.integers(-99, 2**31 - 1),
        "slot": st.none() | st.integers(-(2**15), 2**15 - 1),
        "big": st.integers(-(2**63), 2**63 - 1),
        "weight": st.floats(allow_nan=False, allow_infinity=False),
        "color": st.sampled_from(Color),
        "size": st.sampled_from("SML"),
        "day": st.dates(date(1000, 1, 1)),
        "clock": seconds,
        "local": moments.map(lambda value: value.replace(microsecond=0)),
        "moment": st.builds(lambda moment, zone: moment.replace(tzinfo=zone), moments, zones),
        "uid": st.uuids(version=4),
        "data": json_values,
        "notes": text,
    },
)


@pytest.fixture
def app_context(app: Flask) -> Any:
    with app.app_context():
        db.session.add(Maker(id=1, name="Acme"))
        db.session.commit()
        yield
        db.session.rollback()


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=4, unique_by=lambda row: row.get("slot") or object()))
def test_rows_are_written_as_marshmallow_would(app_context: None, given: list[dict[str, Any]]) -> None:
    db.session.execute(sa.delete(Thing))
    db.session.add_all([Thing(maker_id=1, **row) for row in given])
    db.session.commit()
    schema = ThingSchema()
    reader = make_reader(things, schema)
    assert isinstance(reader, RowReader)
    stored = list(db.session.scalars(sa.select(Thing).order_by(Thing.id)))
    expected = dump_bytes(schema.dump(stored, many=True))
    page = reader.page(things.listing.parse({"sort": "id", "limit": "100"}))
    assert dump_bytes(page.items) == expected
    one, version = reader.one(stored[0].id)
    assert dump_bytes(one) == dump_bytes(schema.dump(stored[0]))
    assert version == 1


def test_chosen_and_renamed_fields_are_compiled(app_context: None) -> None:
    class Some(ThingSchema):
        title = Text(attribute="name", data_key='label\'s "title"')
        cost = Exact(attribute="price", precision=10, scale=2)

    db.session.add(Thing(name="pen", maker_id=1))
    db.session.commit()
    schema = Some(only=("id", "title", "cost"))
    reader = make_reader(things, schema)
    assert isinstance(reader, RowReader)
    item = db.session.scalars(sa.select(Thing)).one()
    assert dump_bytes(reader.one(item.id)[0]) == dump_bytes(schema.dump(item))


class Shout(Text):
    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._serialize(str(value).upper(), *args, **kwargs)


class Rounded(fields.Float):
    def _format_num(self, value: Any) -> float:
        return round(float(value), 1)


class LoudNumber(Whole):
    def _to_string(self, value: Any) -> str:
        return f"{value}!"


class Fixed(Text):
    def get_value(self, *args: Any, **kwargs: Any) -> str:
        return "fixed"


class Whispered(Shout):
    """Inherits the override of its parent."""


class Marked(fields.DateTime):
    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return "day"


class Sorted(dict[str, Any]):
    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name.upper(), value)


def _as_it_is(self: Schema, item: Any, **_: Any) -> Any:
    return item


def _hooked(self: Schema, data: Any, **_: Any) -> Any:
    return {**data, "name": "hooked"}


def _schema(**members: Any) -> type[Schema]:
    return type("Special", (ThingSchema,), members)


@pytest.mark.parametrize(
    "members",
    [
        {"x": fields.Method("show"), "show": lambda self, item: item.name},
        {"x": fields.Function(lambda item: item.name)},
        {"x": fields.String(attribute="maker.name")},
        {"maker": fields.Nested(lambda: _maker_schema())},
        {"x": fields.Pluck(lambda: _maker_schema(), "name", attribute="maker")},
        {"data": fields.List(fields.String())},
        {"name": fields.String(dump_default="none")},
        {"x": fields.String(dump_default="none")},
        {"x": fields.Constant("c")},
        {"name": Shout()},
        {"name": Whispered()},
        {"name": Fixed()},
        {"weight": Rounded()},
        {"rank": LoudNumber(as_string=True)},
        {"rank": fields.Integer(as_string=True)},
        {"big": Whole(as_string=True)},
        {"weight": fields.Float(as_string=True)},
        {"rank": fields.String()},
        {"weight": fields.Integer()},
        {"rank": fields.Float()},
        {"rank": fields.Boolean()},
        {"uid": fields.String()},
        {"moment": Marked()},
        {"moment": fields.DateTime(format="rfc")},
        {"moment": fields.DateTime(format="timestamp")},
        {"day": fields.Date(format="%d.%m.%Y")},
        {"moment": fields.Date()},
        {"price": fields.Decimal(places=1)},
        {"price": fields.Decimal()},
        {"price": fields.Float()},
        {"price": Exact(places=1)},
        {"price": fields.String()},
        {"rank": Exact()},
        {"color": fields.Enum(Color, by_value=True)},
        {"color": fields.Enum(Color, by_value=fields.String())},
        {"color": fields.String()},
        {"size": fields.Email()},
        {"live": fields.Integer()},
        {"data": fields.String()},
        {"data": fields.Dict()},
        {"loud": pre_dump(_as_it_is)},
        {"loud": post_dump(_hooked)},
        {"loud": post_dump(_hooked, pass_collection=True)},
        {"get_attribute": lambda self, obj, attr, default: "gotten" if attr == "name" else getattr(obj, attr, default)},
        {"Meta": type("Meta", (ThingSchema.Meta,), {"datetimeformat": "rfc"})},
        {"Meta": type("Meta", (ThingSchema.Meta,), {"dateformat": "%Y"})},
        {"on_bind_field": lambda self, name, field: setattr(field, "data_key", (field.data_key or field.name).upper())},
        {"dump": lambda self, obj, many=None: {"dumped": True} if not many else [{"dumped": True}] * len(obj)},
        {"dict_class": property(lambda self: Sorted)},
    ],
    ids=lambda members: "-".join(f"{name}:{type(value).__name__}" for name, value in members.items()),
)
def test_compiled_dump_equals_marshmallow(app_context: None, members: dict[str, Any]) -> None:
    """Compiled or not: what the reader does not serve is dumped by marshmallow itself."""
    values = {"rank": 5, "big": 6, "weight": 2.25, "price": "7.25", "color": Color.RED, "size": "M", "data": [1]}
    values |= {"day": date(2026, 1, 31), "moment": datetime(2026, 1, 31, 12, tzinfo=UTC), "clock": time(1)}
    db.session.add(Thing(name="pen", maker_id=1, **{**values, "price": 7}))
    db.session.commit()
    schema = _schema(**members)()
    item = db.session.scalars(sa.select(Thing)).one()
    reader = make_reader(things, schema)
    if isinstance(reader, RowReader):
        assert dump_bytes(reader.one(item.id)[0]) == dump_bytes(schema.dump(item))


def _maker_schema() -> Schema:
    return Schema.from_dict({"name": fields.String()})()


@pytest.mark.parametrize(
    "members",
    [
        {"x": fields.Method("show"), "show": lambda self, item: item.name},
        {"x": fields.Function(lambda item: item.name)},
        {"x": fields.String(attribute="maker.name")},
        {"name": fields.String(dump_default="none")},
        {"name": Shout()},
        {"get_attribute": lambda self, *args: None},
        {"loud": post_dump(_as_it_is)},
    ],
    ids=["method", "function", "dotted", "default", "subclass", "get_attribute", "hook"],
)
def test_unsupported_schema_left_to_marshmallow(members: dict[str, Any]) -> None:
    assert dump.plan(_schema(**members)(), Thing) is None


def test_application_column_not_compiled_away() -> None:
    class Named(ModelSchema):
        class Meta:
            model = Maker
            include_relationships = True

    assert dump.plan(Named(), Maker) is None
