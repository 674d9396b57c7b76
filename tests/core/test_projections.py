"""Sparse fields and included rows, asked as callers ask."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import fields
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import DynamicMapped
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship
from werkzeug.test import TestResponse

from core.crud import Crud
from core.fields.schemas import ModelSchema
from core.http.json import dump_bytes
from core.rest import Api
from core.rest import ModelResource
from core.rest.rows import RowReader
from services import db
from tests.core import warehouse
from tests.core.warehouse import Box
from tests.core.warehouse import Label
from tests.core.warehouse import Maker
from tests.core.warehouse import Tag
from tests.core.warehouse import Thing
from tests.core.warehouse import ThingSchema
from tests.core.warehouse import things

THINGS = "/warehouse/things"


@pytest.fixture
def count_selects(app: Flask) -> Callable[[str], tuple[Any, int]]:
    """Ask for a URL; return the answer's JSON and how many SELECTs it took."""

    def ask(url: str) -> tuple[Any, int]:
        seen: list[str] = []
        with app.app_context():
            listener = lambda c, cursor, statement, *rest: seen.append(statement)  # noqa: E731
            sa.event.listen(db.engine, "before_cursor_execute", listener)
            answer = app.test_client().get(url)
            sa.event.remove(db.engine, "before_cursor_execute", listener)
        assert answer.status_code == 200, answer.text
        return answer.json, sum(statement.lstrip().startswith("SELECT") for statement in seen)

    return ask


def fill(app: Flask, *rows: Any) -> None:
    with app.app_context():
        db.session.add_all(rows)
        db.session.commit()


def refused(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    assert answer.json["type"] == "/problems/bad-query"
    assert all(error["parameter"] == error["field"] for error in answer.json["errors"])
    return {error["parameter"]: error["message"] for error in answer.json["errors"]}


# --- sparse fields ------------------------------------------------------------------------------


def test_requested_fields_in_schema_order(app: Flask, client: FlaskClient) -> None:
    fill(app, Thing(id=1, name="pen", maker_id=1, price=2), Thing(id=2, name="ink", maker_id=1))
    answer = client.get(f"{THINGS}?fields=price,name&sort=-name")
    assert answer.json["items"] == [{"name": "pen", "price": "2.00"}, {"name": "ink", "price": "1.50"}]
    assert list(answer.json["items"][0]) == ["name", "price"]
    answer = client.get(f"{THINGS}/1?fields=price,id")
    assert (answer.data, answer.headers["ETag"]) == (b'{"id":1,"price":"2.00"}', '"1"')


def test_requested_columns_only_read(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    fill(sqlite_app, Thing(id=1, name="pen", maker_id=1))
    seen: list[str] = []
    with sqlite_app.app_context():
        listener = lambda c, cursor, statement, *rest: seen.append(statement)  # noqa: E731
        sa.event.listen(db.engine, "before_cursor_execute", listener)
        sqlite_client.get(f"{THINGS}?fields=name&sort=rank")
        sa.event.remove(db.engine, "before_cursor_execute", listener)
    (select,) = [statement for statement in seen if statement.startswith("SELECT")]
    columns = select.partition(" \nFROM")[0].removeprefix("SELECT ").split(", ")
    # The sort keys are for the cursor, the version for the ETag.
    assert {column.rpartition(".")[2] for column in columns} == {"name", "rank", "id", "version"}


def test_cursor_keeps_fields(app: Flask, client: FlaskClient) -> None:
    fill(app, *(Thing(name=f"thing {number}", maker_id=1, rank=number // 2) for number in range(5)))
    found, url = [], f"{THINGS}?fields=name&sort=-rank&limit=2"
    while url:
        answer = client.get(url)
        found += answer.json["items"]
        url = answer.json["links"].get("next")
    assert found == [{"name": f"thing {number}"} for number in (4, 3, 2, 1, 0)]


def test_fields_of_what_only_entities_show(app: Flask, client: FlaskClient) -> None:
    fill(app, Label(id=1, name="new"))
    place = client.post("/warehouse/boxes", json={"name": "x", "maker_id": 1, "labels": [1]}).headers["Location"]
    assert client.get(f"{place}?fields=labels,name").json == {"name": "x", "labels": [1]}
    assert client.get("/warehouse/boxes?fields=labels").json["items"] == [{"labels": [1]}]


def test_fields_named_as_in_json(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    class Schema(ModelSchema):
        called = fields.String(attribute="name", data_key="isCalled", required=True)

        class Meta:
            model = Thing
            exclude = ("name",)

    serve(sqlite_app, verbs=things, schema=Schema)
    fill(sqlite_app, Thing(id=1, name="pen", maker_id=1))
    assert sqlite_client.get("/other/things/1?fields=isCalled").json == {"isCalled": "pen"}
    assert set(refused(sqlite_client.get("/other/things/1?fields=called"))) == {"fields"}


@pytest.mark.parametrize("url", [THINGS, f"{THINGS}/1"])
@pytest.mark.parametrize("text", ["nothing", "name,", ",", "name,nothing", "Name", " name", "maker", "name;id", "*"])
def test_unknown_field_lists_known(sqlite_client: FlaskClient, url: str, text: str) -> None:
    message = refused(sqlite_client.get(url, query_string={"fields": text}))["fields"]
    assert message.startswith("Name one or more of id, name, ")


# --- includes -----------------------------------------------------------------------------------


def test_included_row_under_relation_name(app: Flask, client: FlaskClient) -> None:
    fill(app, Thing(id=1, name="pen", maker_id=1))
    whole = client.get(f"{THINGS}/1").json
    maker = {"id": 1, "name": "Acme"}
    assert client.get(f"{THINGS}/1?include=maker").json == {**whole, "maker": maker}
    assert client.get(f"{THINGS}?include=maker").json["items"] == [{**whole, "maker": maker}]
    assert client.get(f"{THINGS}/1?include=owner,maker").json == {**whole, "maker": maker, "owner": None}


def test_included_rows_replace_keys(app: Flask, client: FlaskClient) -> None:
    fill(app, Label(id=1, name="a"), Label(id=2, name="b"), Tag(code="y"), Tag(code="x"))
    body = {"name": "outer", "maker_id": 1, "labels": [1, 2], "tags": ["x", "y"]}
    outer = client.post("/warehouse/boxes", json=body).json
    inner = client.post("/warehouse/boxes", json={"name": "inner", "maker_id": 1, "inside_id": outer["id"]}).json
    shown = client.get(f"/warehouse/boxes/{outer['id']}?include=labels,tags,boxes").json
    assert shown["labels"] == [{"id": 2, "name": "b"}, {"id": 1, "name": "a"}]
    assert shown["tags"] == [{"code": "x", "title": None}, {"code": "y", "title": None}]
    assert shown["boxes"] == [inner]
    assert shown["maker"] == 1
    assert {**shown, "labels": 0, "tags": 0, "boxes": 0} == {**outer, "labels": 0, "tags": 0, "boxes": 0}


def test_fields_and_includes_go_together(app: Flask, client: FlaskClient) -> None:
    fill(app, Thing(id=1, name="pen", maker_id=1))
    expected = {"name": "pen", "maker": {"id": 1, "name": "Acme"}}
    assert client.get(f"{THINGS}/1?fields=name&include=maker").json == expected
    assert client.get(f"{THINGS}?include=maker&fields=name").json["items"] == [expected]
    shown = client.get("/warehouse/makers/1?fields=id&include=things").json
    assert (shown["id"], [thing["name"] for thing in shown["things"]]) == (1, ["pen"])


@pytest.mark.parametrize("rows", [1, 20, 100])
def test_relation_read_in_one_query(app: Flask, client: FlaskClient, count_selects: Any, rows: int) -> None:
    labels, tags = [Label(name="a"), Label(name="b")], {Tag(code="x"), Tag(code="y")}
    made = [Maker(id=100 + number, name=f"maker {number}") for number in range(rows)]
    fill(
        app,
        *(Thing(name="pen", maker=maker, owner=maker) for maker in made),
        *(Box(name="box", maker=maker, labels=labels, tags=tags) for maker in made),
    )
    for url, queries in (
        (f"{THINGS}?include=maker", 2),
        (f"{THINGS}?include=maker,owner", 3),
        ("/warehouse/makers?include=things", 2),
    ):
        found, took = count_selects(f"{url}&limit={rows}")
        assert (len(found["items"]), took) == (rows, queries)
    as_keys = count_selects(f"/warehouse/boxes?limit={rows}")[1]
    found, took = count_selects(f"/warehouse/boxes?limit={rows}&include=labels,tags")
    assert (len(found["items"][-1]["labels"]), took) == (2, as_keys)


def test_included_page_has_links(app: Flask, client: FlaskClient) -> None:
    fill(app, *(Thing(name=f"thing {number}", maker_id=1) for number in range(3)))
    answer = client.get(f"{THINGS}?include=maker&limit=2")
    rest = client.get(answer.json["links"]["next"]).json["items"]
    assert [(item["name"], item["maker"]["name"]) for item in rest] == [("thing 2", "Acme")]


@pytest.mark.parametrize("text", ["things", "maker,things", "maker.things", "maker_id", ",", "__class__", "Maker"])
@pytest.mark.parametrize("url", [THINGS, f"{THINGS}/1"])
def test_undeclared_relation_refused(sqlite_client: FlaskClient, url: str, text: str) -> None:
    assert refused(sqlite_client.get(f"{url}?include={text}")) == {"include": "Name one or more of maker, owner."}


def test_resource_without_includes_refuses_parameter(sqlite_client: FlaskClient) -> None:
    for url in ("/warehouse/tags", "/warehouse/tags/x"):
        assert refused(sqlite_client.get(f"{url}?include=x"))["include"].startswith("Unknown parameter.")


def test_wrong_parameters_reported_together(sqlite_client: FlaskClient) -> None:
    query = "?fields=x&include=x&limit=x&x=x"
    found = refused(sqlite_client.get(THINGS + query))
    assert set(found) == {"fields", "include", "limit", "x"}
    assert "count, fields, include, " in found["x"]
    found = refused(sqlite_client.get(f"{THINGS}/1{query}"))
    assert set(found) == {"fields", "include", "limit", "x"}
    assert found["limit"] == "Unknown parameter. An item knows fields, include."


# --- rows or entities ---------------------------------------------------------------------------


def plain(found: Any) -> Any:
    return json.loads(dump_bytes(found))


def test_rows_and_entities_show_the_same(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    fill(sqlite_app, *(Thing(name=f"{number}", maker_id=1, owner_id=[None, 1][number % 2]) for number in range(4)))
    resource = warehouse.ThingResource()
    assert isinstance(resource.reader, RowReader)
    with sqlite_app.app_context():
        for args in ({}, {"fields": "name,price"}, {"include": "owner"}, {"include": "maker,owner", "fields": "id"}):
            shown, _ = resource.projections.read(args)
            query = things.listing.parse({})
            found = resource.reader.page(query, shown).items
            assert plain(found) == plain(resource.reader.entities.page(query, shown).items)
            for item in resource.reader.page(query).items:
                one = resource.reader.one(item["id"], shown)
                assert plain(one) == plain(resource.reader.entities.one(item["id"], shown))


# --- declarations -------------------------------------------------------------------------------


def serve(app: Flask, **declared: Any) -> None:
    bp = Blueprint("other", __name__, url_prefix="/other")
    type("Other", (ModelResource,), declared).register(Api(bp), "/things")
    app.register_blueprint(bp)


class Base(DeclarativeBase):
    pass


class Hall(Base):
    __tablename__ = "hall"
    id: Mapped[int] = mapped_column(primary_key=True)
    doors: DynamicMapped["Door"] = relationship(lazy="dynamic")


class Door(Base):
    __tablename__ = "door"
    id: Mapped[int] = mapped_column(primary_key=True)
    hall_id: Mapped[int] = mapped_column(sa.ForeignKey("hall.id"))


class Halls(Crud):
    model = Hall


@pytest.mark.parametrize(
    ("verbs", "includes", "message"),
    [
        (things, {"nothing": ThingSchema}, "Thing has no relationship of this name"),
        (things, {"maker_id": ThingSchema}, "Thing has no relationship of this name"),
        (things, {"maker": ThingSchema}, "ThingSchema shows Thing, not Maker"),
        (things, {"maker": Maker}, "must be a class of a schema"),
        (things, {"maker": warehouse.MakerSchema()}, "must be a class of a schema"),
        (Halls(), {"doors": ThingSchema}, "too long to be read as a whole"),
    ],
)
def test_wrong_declaration_fails_at_start(sqlite_app: Flask, verbs: Any, includes: Any, message: str) -> None:
    with pytest.raises(TypeError, match=rf"Other\.includes\['{next(iter(includes))}'\].*{message}"):
        serve(sqlite_app, verbs=verbs, schema=ThingSchema, includes=includes)
