"""Children are written with their parent: an array replaces them, an object names those that change."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import ForeignKey
from sqlalchemy.engine import URL
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import Identity
from core.access import set_identity_loader
from core.resources import derivation
from services import db
from tests.core import orders

EVERYTHING = frozenset(
    f"orders.{noun}.{verb}" for noun in ("order", "line") for verb in ("read", "add", "edit", "delete")
)
ORDERS = "/orders/api/v1/orders"
PEN = {"position": 1, "product": "Pen", "quantity": 2, "price": "1.50"}
INK = {"position": 2, "product": "Ink"}


@pytest.fixture
def client(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> FlaskClient:
    """Return a client who may do everything with orders and their lines, on each engine."""
    app = make_app(database_of(engine_name, orders.Base.metadata), ["app.bulk", orders.__name__, "app.jsonrpc"])
    set_identity_loader(app, lambda: Identity("clerk", "Clerk", EVERYTHING))
    return app.test_client()


def add(client: FlaskClient, **values: Any) -> str:
    """Add an order, and return its address."""
    response = client.post(ORDERS, json={"customer": "Ana", **values})
    assert response.status_code == 201, response.json
    return str(response.headers["Location"])


def read(client: FlaskClient, address: str) -> Any:
    """Return an order with its children."""
    return client.get(f"{address}?include=lines,parcels").json


def change(client: FlaskClient, address: str, **values: Any) -> Any:
    """Change the order as it is now, and return the response."""
    return client.patch(address, json=values, headers={"If-Match": client.get(address).headers["ETag"]})


def shown(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(line["position"], line["product"], line["quantity"]) for line in lines]


def test_create_with_children(client: FlaskClient) -> None:
    order = read(client, add(client, lines=[PEN, INK], parcels=[{"number": 7, "grams": 300}]))

    assert shown(order["lines"]) == [(1, "Pen", 2), (2, "Ink", 1)]
    assert [(one["number"], one["grams"]) for one in order["parcels"]] == [(7, 300)]
    assert order["version"] == 1


def test_array_replaces_children(client: FlaskClient) -> None:
    address = add(client, lines=[PEN, INK])
    pen, _ = read(client, address)["lines"]
    # The new line takes the position of the one that goes.
    response = change(client, address, lines=[{"id": pen["id"], "quantity": 5}, {"position": 2, "product": "Paper"}])
    assert response.status_code == 200, response.json

    order = read(client, address)
    assert shown(order["lines"]) == [(1, "Pen", 5), (2, "Paper", 1)]
    assert order["lines"][0]["id"] == pen["id"]
    assert order["version"] == 2


def test_children_change_places(client: FlaskClient) -> None:
    address = add(client, lines=[PEN, INK])
    pen, ink = (line["id"] for line in read(client, address)["lines"])
    response = change(client, address, lines=[{"id": ink, "position": 1}, {"id": pen, "position": 2}])
    assert response.status_code == 200, response.json

    assert shown(read(client, address)["lines"]) == [(1, "Ink", 1), (2, "Pen", 2)]


def test_object_changes_only_what_it_names(client: FlaskClient) -> None:
    address = add(client, lines=[PEN, INK])
    pen, ink = (line["id"] for line in read(client, address)["lines"])
    sent = {str(pen): {"quantity": 9}, str(ink): None, "+a": {"position": 3, "product": "Paper"}}
    assert change(client, address, lines=sent).status_code == 200

    assert shown(read(client, address)["lines"]) == [(1, "Pen", 9), (3, "Paper", 1)]


def test_absent_children_stay(client: FlaskClient) -> None:
    address = add(client, lines=[PEN])
    assert change(client, address, customer="Eva").status_code == 200
    assert change(client, address, lines={}).status_code == 200

    order = read(client, address)
    assert (order["customer"], shown(order["lines"]), order["version"]) == ("Eva", [(1, "Pen", 2)], 2)


def test_natural_keys_are_changed_or_added(client: FlaskClient) -> None:
    address = add(client, parcels=[{"number": 1, "grams": 10}, {"number": 2, "grams": 20}])
    response = change(client, address, parcels=[{"number": 2, "grams": 25}, {"number": 3, "grams": 30}])
    assert response.status_code == 200, response.json

    assert [(one["number"], one["grams"]) for one in read(client, address)["parcels"]] == [(2, 25), (3, 30)]


def test_object_adds_natural_keys(client: FlaskClient) -> None:
    address = add(client, parcels=[{"number": 1, "grams": 10}])
    sent = {"1": {"grams": 15}, "+a": {"number": 2, "grams": 20}}
    assert change(client, address, parcels=sent).status_code == 200

    assert [(one["number"], one["grams"]) for one in read(client, address)["parcels"]] == [(1, 15), (2, 20)]
    response = change(client, address, parcels={"+a": {"number": 2, "grams": 25}})
    assert [error["pointer"] for error in response.json["errors"]] == ["#/parcels/+a/number"]


def test_condition_of_relationship_is_kept(client: FlaskClient) -> None:
    address = add(client, warnings=[{"text": "Heavy"}, {"text": "Fragile"}])
    with client.application.app_context():
        db.session.execute(sa.update(orders.Remark).where(orders.Remark.text == "Heavy").values(kind="note"))
        db.session.commit()
    assert change(client, address, warnings=[]).status_code == 200

    with client.application.app_context():
        assert db.session.scalars(sa.select(orders.Remark.text)).all() == ["Heavy"]


@pytest.mark.parametrize(
    ("lines", "pointer"),
    [
        ([PEN, {"position": 2}], "#/lines/1/product"),
        ([{**PEN, "quantity": 0}], "#/lines/0/quantity"),
        ([{**PEN, "colour": "red"}], "#/lines/0/colour"),
        ([{**PEN, "order_id": 7}], "#/lines/0/order_id"),
        ([PEN, {**INK, "position": 1}], None),
        ([{"id": 999, "quantity": 3}], "#/lines/0/id"),
        ({"999": {"quantity": 3}}, "#/lines/999/id"),
        ({"x": {"quantity": 3}}, "#/lines/x"),
        ({"+a": {"position": 2}}, "#/lines/+a/product"),
        ("Pen", "#/lines"),
        (["Pen"], "#/lines/0"),
        ([PEN] * 201, "#/lines"),
        ({str(number): {"quantity": 1} for number in range(1, 2000)}, "#/lines"),
        ({"+a": {**PEN, "id": 1}}, "#/lines/+a/id"),
    ],
)
def test_wrong_children_change_nothing(client: FlaskClient, lines: Any, pointer: str | None) -> None:
    address = add(client, lines=[{**PEN, "position": 5}])
    response = change(client, address, customer="Eva", lines=lines)

    assert response.status_code in (409, 422)
    if pointer is not None:
        assert [error["pointer"] for error in response.json["errors"]] == [pointer]
    order = read(client, address)
    assert (order["customer"], shown(order["lines"]), order["version"]) == ("Ana", [(5, "Pen", 2)], 1)


def test_same_key_twice_is_refused(client: FlaskClient) -> None:
    address = add(client, lines=[PEN])
    (pen,) = read(client, address)["lines"]
    response = change(client, address, lines=[{"id": pen["id"]}, {"id": pen["id"]}])

    assert [error["pointer"] for error in response.json["errors"]] == ["#/lines/1/id"]


def test_children_of_another_parent_are_refused(client: FlaskClient) -> None:
    mine, other = add(client), add(client, lines=[PEN])
    (pen,) = read(client, other)["lines"]
    for sent in ([{"id": pen["id"], "quantity": 7}], {str(pen["id"]): None}):
        assert change(client, mine, lines=sent).status_code == 422

    assert shown(read(client, other)["lines"]) == [(1, "Pen", 2)]


def test_older_version_is_refused(client: FlaskClient) -> None:
    address = add(client, lines=[PEN])
    etag = client.get(address).headers["ETag"]
    assert change(client, address, lines=[]).status_code == 200

    response = client.patch(address, json={"lines": [INK]}, headers={"If-Match": etag})
    assert response.status_code == 412
    assert read(client, address)["lines"] == []


def test_one_of_two_writers_is_stale(client: FlaskClient) -> None:
    address = add(client, lines=[PEN, INK])
    for _ in range(4):
        pen, ink = (line["id"] for line in read(client, address)["lines"])
        headers = {"If-Match": client.get(address).headers["ETag"]}
        barrier = Barrier(2)

        def write(lines: Any, barrier: Barrier = barrier, headers: dict[str, str] = headers) -> int:
            barrier.wait()
            return client.application.test_client().patch(address, json={"lines": lines}, headers=headers).status_code

        exchange = [{"id": ink, "position": 1}, {"id": pen, "position": 2}]
        with ThreadPoolExecutor() as pool:
            assert sorted(pool.map(write, (exchange, {str(ink): {"quantity": 5}}))) == [200, 412]


def test_children_ask_for_their_own_permissions(client: FlaskClient) -> None:
    address = add(client, lines=[PEN])
    allowed = EVERYTHING - {"orders.line.delete"}
    set_identity_loader(client.application, lambda: Identity("clerk", "Clerk", allowed))

    assert change(client, address, lines=[]).status_code == 403
    assert shown(read(client, address)["lines"]) == [(1, "Pen", 2)]


def test_bulk_and_methods_write_children(client: FlaskClient) -> None:
    operations = [{"method": "create", "data": {"customer": "Eva", "lines": [PEN]}}]
    result = client.post(f"{ORDERS}:bulk", json={"operations": operations}).json["results"][0]
    assert shown(read(client, result["location"])["lines"]) == [(1, "Pen", 2)]

    params = {"key": result["item"]["id"], "values": {"lines": [INK]}, "version": 1}
    body = {"jsonrpc": "2.0", "id": 1, "method": "orders.order.update", "params": params}
    assert client.post("/rpc", json=body).json["result"]["version"] == 2
    assert shown(read(client, result["location"])["lines"]) == [(2, "Ink", 1)]


def test_document_describes_children(make_app: Callable[..., Flask], database_of: Callable[..., URL]) -> None:
    app = make_app(database_of("sqlite", orders.Base.metadata), [orders.__name__, "app.apidocs"])
    document = app.test_client().get("/openapi.json").json
    body = document["paths"][ORDERS]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    array, by_key = schema["properties"]["lines"]["oneOf"]

    assert set(array["items"]["properties"]) == {"id", "position", "product", "quantity", "price"}
    assert by_key["additionalProperties"]["type"] == ["object", "null"]


def test_relationship_of_one_is_refused() -> None:
    class Base(DeclarativeBase):
        pass

    class House(Base):
        __tablename__ = "house"
        id: Mapped[int] = mapped_column(primary_key=True)
        roof: Mapped["Roof"] = relationship(back_populates="house")

    class Roof(Base):
        __tablename__ = "roof"
        house_id: Mapped[int] = mapped_column(ForeignKey(House.id), primary_key=True)
        house: Mapped[House] = relationship(back_populates="roof")

    for model, name, text in ((House, "roof", "one row at most"), (Roof, "house", "no one-to-many relationship")):
        with pytest.raises(TypeError, match=text):
            derivation.schema(model, children=[name])
