from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.crud import integrity
from core.exceptions import InUse
from core.exceptions import Invalid
from core.exceptions import VerbError
from services import NAMING_CONVENTION
from services import db

LONG = "a_table_whose_name_is_so_long_that_no_constraint_has_room"


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Order(Base):
    """With names that the words of the engines have as well."""

    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    column: Mapped[str | None] = mapped_column(sa.String(40), unique=True)
    null: Mapped[str] = mapped_column(sa.String(40))
    failed: Mapped[int | None]
    renamed: Mapped[str | None] = mapped_column("old name", sa.String(40), unique=True)


class LongNamed(Base):
    __tablename__ = LONG
    __table_args__ = (sa.UniqueConstraint("first_of_the_long_names", "second_of_the_long_names"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    first_of_the_long_names: Mapped[int]
    second_of_the_long_names: Mapped[int]


class Line(Base):
    __tablename__ = "order_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None] = mapped_column("order", sa.ForeignKey("order.id"))


class Parcel(Base):
    """Of a tenant, which no face shows."""

    __tablename__ = "order_parcel"
    __table_args__ = (sa.UniqueConstraint("name", "tenant"), sa.CheckConstraint("weight > 0", "heavy"))
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))
    tenant: Mapped[str] = mapped_column(sa.String(20), info={"hidden": True})
    serial: Mapped[str | None] = mapped_column(sa.String(20), unique=True, info={"hidden": True})
    weight: Mapped[int] = mapped_column(default=1, info={"hidden": True})


@pytest.fixture(autouse=True)
def database(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Iterator[None]:
    app = make_app(database_of(engine_name, Base.metadata), [])
    with app.app_context():
        yield
        db.session.rollback()


def explained(*items: Any, data: dict[str, Any] | None = None) -> VerbError:
    db.session.add_all(items)
    with pytest.raises((IntegrityError, OperationalError)) as caught:
        db.session.flush()
    db.session.rollback()
    return integrity.explain(caught.value, type(items[-1]), data or {})


def fields(error: VerbError) -> list[str]:
    assert isinstance(error, Invalid)
    return list(error.errors)


def test_unique_column_named_by_keyword() -> None:
    assert fields(explained(Order(column="x", null="x"), Order(column="x", null="x"))) == ["column"]


def test_unique_column_goes_by_its_attribute() -> None:
    assert fields(explained(Order(renamed="x", null="x"), Order(renamed="x", null="x"))) == ["renamed"]


def test_truncated_constraint_name_found() -> None:
    pair = {"first_of_the_long_names": 1, "second_of_the_long_names": 2}
    assert fields(explained(LongNamed(**pair), LongNamed(**pair))) == list(pair)


def test_missing_value_named_by_keyword() -> None:
    assert fields(explained(Order(column="failed", null=None))) == ["null"]


def test_dangling_key_reported_by_attribute() -> None:
    assert fields(explained(Line(order_id=99), data={"order_id": 99})) == ["order_id"]


def test_absent_key_reported_for_whole() -> None:
    assert fields(explained(Line(order_id=99))) == [""]


def test_row_in_use_described() -> None:
    db.session.add(Order(id=1, null="x"))
    db.session.flush()
    db.session.add(Line(order_id=1))
    db.session.commit()
    with pytest.raises(IntegrityError) as caught:
        db.session.execute(sa.delete(Order))
    db.session.rollback()
    error = integrity.explain(caught.value, Order, {}, deleting=True)
    assert isinstance(error, InUse)
    assert "this order" in str(error)


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"name": "a", "tenant": "x"}, {"name": ["Another parcel has this already."]}),
        ({"name": "b", "tenant": "x", "serial": "1"}, {"": ["Another parcel has this already."]}),
        ({"name": "b"}, {"": ["A value is missing."]}),
        ({"name": "b", "tenant": "x", "weight": 0}, {"": ["It breaks the rule “heavy”."]}),
    ],
)
def test_hidden_column_is_not_named(values: dict[str, Any], errors: dict[str, list[str]]) -> None:
    db.session.add(Parcel(name="a", tenant="x", serial="1"))
    db.session.commit()
    error = explained(Parcel(**values), data=values)
    assert isinstance(error, Invalid)
    assert error.errors == errors
