import threading
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.crud import Crud
from core.exceptions import NotFound
from core.fields.schemas import ModelSchema
from core.rest import rows
from core.rest.changes import add_defaults
from core.rest.rows import EntityReader
from core.rest.rows import RowReader
from core.rest.rows import make_reader
from services import db
from tests.core.warehouse import Maker
from tests.core.warehouse import Thing
from tests.core.warehouse import ThingSchema
from tests.core.warehouse import things


class Base(DeclarativeBase):
    pass


class Animal(Base):
    __tablename__ = "animal"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    name: Mapped[str] = mapped_column(sa.String(20))


class Dog(Animal):
    """In the table of the animals."""

    __mapper_args__ = {"polymorphic_identity": "dog"}


class Bird(Animal):
    """With a table of its own beside it."""

    __tablename__ = "bird"
    __mapper_args__ = {"polymorphic_identity": "bird"}
    id: Mapped[int] = mapped_column(sa.ForeignKey("animal.id"), primary_key=True)
    wings: Mapped[int]


class Old(Base):
    """With names that are not those of the columns."""

    __tablename__ = "old"
    number: Mapped[int] = mapped_column("ID", primary_key=True)
    title: Mapped[str] = mapped_column("strange name", sa.String(20))
    note: Mapped[str | None] = mapped_column("strange note", sa.String(20))


def reader_of(model_: type[Any], **options: Any) -> RowReader | EntityReader:
    verbs = type("Verbs", (Crud,), {"model": model_, **options})()
    schema = type("Schema", (ModelSchema,), {"Meta": type("Meta", (), {"model": model_})})()
    return make_reader(verbs, schema)


@pytest.fixture
def animals_app(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Iterator[Flask]:
    app = make_app(database_of(engine_name, Base.metadata), [])
    with app.app_context():
        db.session.add_all([Dog(name="Rex"), Animal(name="Cat"), Bird(name="Kea", wings=2), Dog(name="Ida")])
        db.session.add(Old(number=7, title="x"))
        db.session.commit()
        yield app
        db.session.rollback()


def names(reader: RowReader | EntityReader, **args: str) -> list[str]:
    query = reader.verbs.listing.parse({"count": "true", **args})
    expected = reader.verbs.list(query)
    page = reader.page(query)
    assert [item["name"] for item in page.items] == [item.name for item in expected.items]
    assert page.total == expected.total
    assert expected.total == len(expected.items)
    return [item.name for item in expected.items]


def test_shared_table_rows_separated(animals_app: Flask) -> None:
    dogs = reader_of(Dog, search=("name",), order=("name",))
    assert names(dogs) == ["Ida", "Rex"]
    assert names(dogs, q="e") == ["Rex"]
    cat = db.session.scalar(sa.select(Animal.id).where(Animal.name == "Cat"))
    with pytest.raises(NotFound):
        dogs.verbs.get(cat)
    with pytest.raises(NotFound):
        dogs.one(cat)


def test_two_table_rows_joined(animals_app: Flask) -> None:
    birds = reader_of(Bird, order=("name",), filters={"wings": ("eq",)})
    assert names(birds) == ["Kea"]
    assert names(birds, wings="2") == ["Kea"]
    kea = birds.verbs.list(birds.verbs.listing.parse({})).items[0]
    shown = birds.one(kea.id)[0]
    assert shown["wings"] == 2


def test_attribute_and_column_names_differ(animals_app: Flask) -> None:
    old = reader_of(Old, sorts=("title",), filters={"title": ("eq",)})
    assert isinstance(old, RowReader)
    assert old.one("7")[0] == {"number": 7, "title": "x", "note": None}
    assert old.page(old.verbs.listing.parse({"sort": "-title", "title": "x"})).items == [old.one("7")[0]]


# --- the raw way --------------------------------------------------------------------------------


@pytest.fixture
def reader(app: Flask) -> Iterator[RowReader]:
    with app.app_context():
        db.session.add(Maker(id=1, name="Acme"))
        db.session.flush()
        db.session.add_all([Thing(name=f"n{number}", maker_id=1, rank=number) for number in range(3)])
        db.session.commit()
        yield make_reader(things, ThingSchema())
        db.session.rollback()


def test_statement_prepared_per_shape(reader: RowReader) -> None:
    for text in ("1", "2", "0"):
        query = things.listing.parse({"rank": text})
        assert [item["rank"] for item in reader.page(query).items] == [int(text)]
    assert len(reader._prepared) == 1


def test_strange_queries_evict_no_others(reader: RowReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_PREPARED", 10)
    for number in range(1, 30):
        reader.page(things.listing.parse({"rank__in": ",".join(["1"] * number)}))
    assert len(reader._prepared) <= rows.MOST_PREPARED
    known = things.listing.parse({"rank": "1"})
    assert reader.page(known).items == reader.page(known).items


def test_read_leaves_session_transaction(reader: RowReader) -> None:
    maker = Maker(id=9, name="New")
    db.session.add(maker)
    db.session.flush()
    reader.page(things.listing.parse({}))
    assert maker in db.session
    db.session.commit()
    assert db.session.get(Maker, maker.id) is maker


def test_connection_returned_unchanged(reader: RowReader) -> None:
    db.session.rollback()
    for _ in range(30):
        reader.page(things.listing.parse({}))
        with pytest.raises(NotFound):
            reader.one(2**31 - 1)
    with db.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
        assert (
            not connection.connection.driver_connection.autocommit if db.engine.dialect.name == "postgresql" else True
        )


def test_threads_read_at_once(app: Flask, reader: RowReader) -> None:
    results: list[int] = []

    def read() -> None:
        with app.app_context():
            for limit in ("1", "2", "3"):
                results.append(len(reader.page(things.listing.parse({"limit": limit})).items))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [1] * 8 + [2] * 8 + [3] * 8


def test_reader_serves_applications_on_different_engines(
    make_app: Callable[..., Flask], database_url: Callable[[str], URL]
) -> None:
    reader = make_reader(things, ThingSchema())
    for number, engine_name in enumerate(("sqlite", "postgresql", "mariadb", "sqlite")):
        app = make_app(database_url(engine_name), [])
        with app.app_context():
            if number < 3:
                db.session.add(Maker(id=1, name="Acme"))
                db.session.flush()
                db.session.add(Thing(name=engine_name, maker_id=1, live=True, price=2))
                db.session.commit()
            (item,) = reader.page(things.listing.parse({"live": "true"})).items
            assert (item["name"], item["price"], item["live"]) == (engine_name, "2.00", True)


def test_put_defaults_by_attribute_name(animals_app: Flask) -> None:
    """The names of the columns are others."""
    schema = type("Schema", (ModelSchema,), {"Meta": type("Meta", (), {"model": Old})})()
    assert add_defaults(schema, Old, {"title": "x"}) == {"title": "x", "note": None}
