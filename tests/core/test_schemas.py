from typing import Any

import pytest
import sqlalchemy as sa
from marshmallow import ValidationError
from marshmallow import validate
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.schemas import ModelSchema
from core.schemas import is_read_only
from tests.core.shelf import TagSchema
from tests.core.shelf import Thing
from tests.core.shelf import ThingSchema

READ_ONLY = {"id", "version", "created_at", "updated_at"}


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(10), info={"label": "Headline", "description": "Seen by all."})
    share: Mapped[float] = mapped_column(sa.Double, default=0.5, info={"min": 0, "max": 1})
    secret: Mapped[str | None] = mapped_column(sa.String(10), info={"read_only": True})
    kind: Mapped[str] = mapped_column(sa.String(5), server_default="plain")


class NoteSchema(ModelSchema):
    class Meta:
        model = Note


def test_each_column_has_a_field_in_its_order() -> None:
    assert list(ThingSchema().fields) == list(sa.inspect(Thing).columns.keys())


def test_columns_of_the_application_are_only_shown() -> None:
    schema = ThingSchema()
    assert set(schema.dump_fields) - set(schema.load_fields) == READ_ONLY
    assert set(NoteSchema().load_fields) == {"title", "share", "kind"}


def test_key_that_is_not_counted_up_is_taken_in() -> None:
    assert TagSchema().load({"code": "a"}) == {"code": "a"}


def test_required_is_what_has_no_default_and_may_not_be_missing() -> None:
    assert {name for name, field in ThingSchema().fields.items() if field.required} == {"name", "maker_id"}
    assert {name for name, field in NoteSchema().fields.items() if field.required} == {"title"}


def test_null_is_for_columns_that_may_be_empty() -> None:
    nullable = {name for name, field in ThingSchema().load_fields.items() if field.allow_none}
    assert nullable == {name for name in ThingSchema().load_fields if Thing.__table__.c[name].nullable}


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"title": "x", "id": 1}, {"id"}),
        ({"title": "x", "secret": "x"}, {"secret"}),
        ({"title": "x", "nothing": 1}, {"nothing"}),
        ({"title": "x" * 11}, {"title"}),
        ({"title": "\u2003"}, {"title"}),
        ({"title": None}, {"title"}),
        ({"title": "x", "share": -0.1}, {"share"}),
        ({"title": "x", "share": 1.1}, {"share"}),
        ({"title": "x", "share": None}, {"share"}),
        ({"share": 0.5}, {"title"}),
    ],
)
def test_body_that_breaks_a_rule_names_the_field(body: dict[str, Any], faults: set[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        NoteSchema().load(body)
    assert set(caught.value.normalized_messages()) == faults


def test_body_becomes_a_mapping_not_a_row() -> None:
    assert NoteSchema().load({"title": "x", "share": 1}) == {"title": "x", "share": 1.0}


def test_words_for_people_are_metadata() -> None:
    assert NoteSchema().fields["title"].metadata | {"label": "Headline", "description": "Seen by all."} == (
        NoteSchema().fields["title"].metadata
    )


def test_rules_stand_once() -> None:
    rules = [type(rule) for rule in ThingSchema().fields["code"].validators]
    assert rules == [validate.Length]
    assert [type(rule) for rule in ThingSchema().fields["size"].validators] == [validate.OneOf]


def test_read_only_columns() -> None:
    assert {column.name for column in Thing.__table__.columns if is_read_only(column)} == READ_ONLY
    assert not is_read_only(sa.Column("free"))
