from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from marshmallow import ValidationError
from marshmallow import validate
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import DynamicMapped
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.fields.relations import MOST_RELATED
from core.fields.schemas import ModelSchema
from core.fields.schemas import is_read_only
from services import db
from services import ma
from tests.core.warehouse import Box
from tests.core.warehouse import BoxSchema
from tests.core.warehouse import CrateSchema
from tests.core.warehouse import Label
from tests.core.warehouse import Maker
from tests.core.warehouse import Spot
from tests.core.warehouse import Tag
from tests.core.warehouse import TagSchema
from tests.core.warehouse import Thing
from tests.core.warehouse import ThingSchema

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


def test_columns_have_ordered_fields() -> None:
    assert list(ThingSchema().fields) == list(sa.inspect(Thing).columns.keys())


def test_application_columns_read_only() -> None:
    schema = ThingSchema()
    assert set(schema.dump_fields) - set(schema.load_fields) == READ_ONLY
    assert set(NoteSchema().load_fields) == {"title", "share", "kind"}


def test_uncounted_key_writable() -> None:
    assert TagSchema().load({"code": "a"}) == {"code": "a"}


def test_required_without_default() -> None:
    assert {name for name, field in ThingSchema().fields.items() if field.required} == {"name", "maker_id"}
    assert {name for name, field in NoteSchema().fields.items() if field.required} == {"title"}


def test_null_for_nullable_columns() -> None:
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
def test_invalid_body_names_field(body: dict[str, Any], faults: set[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        NoteSchema().load(body)
    assert set(caught.value.normalized_messages()) == faults


def test_body_loads_as_mapping() -> None:
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


# --- relationships ------------------------------------------------------------------------------


@pytest.fixture
def stored_rows(app: Flask) -> Iterator[None]:
    with app.app_context():
        db.session.add_all([Label(id=1, name="new"), Label(id=2, name="old"), Maker(id=1, name="Acme")])
        db.session.add_all([Tag(code="a"), Tag(code="b"), Spot(aisle="N", level=1), Spot(aisle="N", level=2)])
        db.session.commit()
        yield
        db.session.rollback()


def refused(values: dict[str, Any], schema: type[ModelSchema] = CrateSchema) -> dict[str, Any]:
    with pytest.raises(ValidationError) as caught:
        schema().load(values, partial=True)
    return caught.value.normalized_messages()


def test_relationships_excluded_by_default() -> None:
    assert not {"maker", "owner"} & set(ThingSchema().fields)
    assert {"maker_id", "owner_id"} <= set(ThingSchema().fields)


def test_relationship_replaces_foreign_key() -> None:
    relations = {"maker", "spot", "inside", "boxes", "labels", "tags"}
    foreign = {"maker_id", "aisle", "level", "inside_id"}
    assert relations | foreign <= set(BoxSchema().dump_fields)
    assert set(BoxSchema().load_fields) == {"name", "labels", "tags"} | foreign
    assert relations | {"id", "name", "version"} == set(CrateSchema().dump_fields)
    assert set(CrateSchema().load_fields) == {"name", "maker", "spot", "inside", "labels", "tags"}


def test_relationship_written_without_foreign_key() -> None:
    class Schema(ModelSchema):
        class Meta:
            model = Box
            include_relationships = True
            exclude = ("maker_id",)

    assert "maker" in Schema().load_fields
    assert "inside" not in Schema().load_fields


def test_relationship_may_be_declared_alone() -> None:
    class Schema(ModelSchema):
        labels = ma.auto_field()

        class Meta:
            model = Box
            fields = ("id", "labels")

    assert Schema().dump(Box(id=1, labels=[Label(id=5)])) == {"id": 1, "labels": [5]}


def test_relationship_required_like_foreign_key() -> None:
    loaded = CrateSchema().fields
    assert {name for name, field in loaded.items() if field.required} == {"name", "maker"}
    assert {name for name in ("maker", "spot", "inside", "labels", "tags") if loaded[name].allow_none} == {
        "spot",
        "inside",
    }


def test_relationship_has_its_words_for_people() -> None:
    assert BoxSchema().fields["labels"].metadata == {"label": "Stickers"}


def test_rows_shown_as_ordered_keys() -> None:
    box = Box(maker=Maker(id=7), spot=Spot(aisle="N", level=2), labels=[Label(id=3), Label(id=1)])
    box.tags = {Tag(code="z"), Tag(code="a")}
    shown = CrateSchema().dump(box)
    expected = {"maker": 7, "spot": {"aisle": "N", "level": 2}, "inside": None, "labels": [1, 3], "tags": ["a", "z"]}
    assert shown | expected == shown


def test_read_only_row_order_kept() -> None:
    box = Box(boxes=[Box(id=3), Box(id=1)])
    assert BoxSchema(only=["boxes"]).dump(box) == {"boxes": [3, 1]}


def test_columns_come_before_relationships() -> None:
    assert list(BoxSchema().fields)[:2] == ["id", "name"]
    assert list(BoxSchema().fields)[-6:] == ["maker", "spot", "inside", "boxes", "labels", "tags"]


def test_keys_become_rows(stored_rows: None) -> None:
    body = {"name": "x", "maker": 1, "labels": [2, 1], "tags": ["b"], "spot": {"level": 2, "aisle": "N"}}
    loaded = CrateSchema().load(body)
    assert loaded == {
        "name": "x",
        "maker": db.session.get(Maker, 1),
        "labels": [db.session.get(Label, 2), db.session.get(Label, 1)],
        "tags": {db.session.get(Tag, "b")},
        "spot": db.session.get(Spot, ("N", 2)),
        "inside": None,
    }
    assert not db.session.new


def test_keys_looked_up_in_one_query(stored_rows: None) -> None:
    seen: list[str] = []
    listener = lambda c, cursor, statement, *rest: seen.append(statement)  # noqa: E731
    sa.event.listen(db.engine, "before_cursor_execute", listener)
    CrateSchema().load({"labels": [1, 2]}, partial=True)
    sa.event.remove(db.engine, "before_cursor_execute", listener)
    assert len([statement for statement in seen if statement.startswith("SELECT")]) == 1


def test_missing_rows_named(stored_rows: None) -> None:
    assert refused({"labels": [1, 999, 5]}) == {"labels": ["There is no label 999.", "There is no label 5."]}
    assert refused({"maker": 999}) == {"maker": ["There is no maker 999."]}
    # MariaDB finds the tag "a" by this.
    assert refused({"tags": ["A"]}) == {"tags": ["There is no tag A."]}
    assert refused({"spot": {"aisle": "N", "level": 3}}) == {"spot": ["There is no spot N, 3."]}
    assert not db.session.new


@pytest.mark.parametrize(
    "values",
    [
        {"labels": ["a"]},
        {"labels": ["1"]},
        {"labels": [1.0]},
        {"labels": [True]},
        {"labels": [None]},
        {"labels": [[1]]},
        {"labels": [2**31]},
        {"labels": [{"id": 1, "name": "x"}]},
        {"labels": [{}]},
        {"labels": 1},
        {"labels": None},
        {"labels": {"id": 1}},
        {"labels": [1, 1]},
        {"labels": list(range(MOST_RELATED + 1))},
        {"tags": [1]},
        {"tags": ["a\0"]},
        {"tags": ["a" * 21]},
        {"maker": "1"},
        {"maker": {"id": 1}},
        {"maker": None},
        {"maker": [1]},
        {"spot": "N"},
        {"spot": {"aisle": "N"}},
        {"boxes": []},
    ],
    ids=lambda values: repr(values)[:40],
)
def test_invalid_key_refused_at_field(stored_rows: None, values: dict[str, Any]) -> None:
    messages = refused(values)
    assert set(messages) == set(values)
    assert all(isinstance(text, str) for texts in messages.values() for text in texts)


def test_unbounded_relationship_excluded() -> None:
    class Leaf(Base):
        __tablename__ = "leaf"
        id: Mapped[int] = mapped_column(primary_key=True)
        tree_id: Mapped[int] = mapped_column(sa.ForeignKey("tree.id"))

    class Tree(Base):
        __tablename__ = "tree"
        id: Mapped[int] = mapped_column(primary_key=True)
        leaves: DynamicMapped[Leaf] = relationship()

    class TreeSchema(ModelSchema):
        class Meta:
            model = Tree
            include_relationships = True

    assert list(TreeSchema().fields) == ["id"]
