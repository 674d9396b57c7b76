"""Included rows found by their keys, as the driver gives them, on each engine."""

import json
import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.crud import Crud
from core.data.models import Money
from core.data.models import UtcDateTime
from core.fields.schemas import ModelSchema
from core.http.json import dump_bytes
from core.rest.projections import Projection
from core.rest.rows import RowReader
from core.rest.rows import make_lookups
from core.rest.rows import make_reader
from services import db

UIDS = [uuid.UUID(int=number) for number in range(1, 4)]


class Base(DeclarativeBase):
    pass


class Badge(Base):
    __tablename__ = "lookup_badge"
    uid: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    worth: Mapped[Decimal] = mapped_column(Money(10, 2))
    made_at: Mapped[Any | None] = mapped_column(UtcDateTime)


class Day(Base):
    __tablename__ = "lookup_day"
    day: Mapped[date] = mapped_column(primary_key=True)


class Place(Base):
    __tablename__ = "lookup_place"
    code: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    is_open: Mapped[bool]


class Person(Base):
    __tablename__ = "lookup_person"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    badge_uid: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("lookup_badge.uid"))
    born: Mapped[date | None] = mapped_column(sa.ForeignKey("lookup_day.day"))
    code: Mapped[str | None] = mapped_column(sa.ForeignKey("lookup_place.code"))
    badge: Mapped[Badge | None] = relationship()
    birthday: Mapped[Day | None] = relationship()
    place: Mapped[Place | None] = relationship()
    open_place: Mapped[Place | None] = relationship(
        primaryjoin="and_(Person.code == Place.code, Place.is_open)", viewonly=True
    )


def schema_of(model_: type[Any]) -> type[ModelSchema]:
    return type(f"{model_.__name__}Schema", (ModelSchema,), {"Meta": type("Meta", (), {"model": model_})})


class People(Crud):
    model = Person


INCLUDES = {name: schema_of(model) for name, model in {"badge": Badge, "birthday": Day, "place": Place}.items()}


@pytest.fixture
def reader(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Any:
    app = make_app(database_of(engine_name, Base.metadata), [])
    with app.app_context():
        db.session.add_all(Badge(uid=uid, worth=Decimal("1.5")) for uid in UIDS)
        db.session.add_all([Day(day=date(2026, 1, 31)), Place(code="ä/b", is_open=True)])
        db.session.flush()
        db.session.add_all(Person(id=number, badge_uid=uid) for number, uid in enumerate([None, *UIDS, UIDS[0]]))
        db.session.add(Person(id=9, born=date(2026, 1, 31), code="ä/b"))
        db.session.commit()
        yield make_reader(People(), schema_of(Person)(), INCLUDES)
        db.session.rollback()


def test_rows_found_by_any_key(reader: RowReader) -> None:
    shown = Projection(include=tuple(INCLUDES))
    assert set(reader.lookups) == set(INCLUDES)
    query = reader.verbs.listing.parse({})
    found = reader.page(query, shown).items
    expected = reader.entities.page(query, shown).items
    assert json.loads(dump_bytes(found)) == json.loads(dump_bytes(expected))
    assert [item["badge"] and item["badge"]["uid"] for item in found[:5]] == [None, *UIDS, UIDS[0]]
    assert (found[5]["birthday"], found[5]["place"]["code"]) == ({"day": date(2026, 1, 31)}, "ä/b")
    assert reader.one("9", shown)[0] == found[5]


def test_statement_per_power_of_two(reader: RowReader) -> None:
    badges = reader.lookups["badge"]
    keys = [item["badge_uid"] for item in reader.page(reader.verbs.listing.parse({})).items if item["badge_uid"]]
    if db.engine.dialect.name != "postgresql":
        keys = [key.hex for key in keys]
    for number in range(1, 5):
        assert len(badges.find(keys[:number])) == min(number, 3)
    assert {size for _, size in badges._prepared} == {1, 2, 4}
    assert badges.find([]) == {}


def test_conditional_relation_left_to_orm() -> None:
    schema = schema_of(Place)
    assert set(make_lookups(Person, {"open_place": schema, "place": schema})) == {"place"}
