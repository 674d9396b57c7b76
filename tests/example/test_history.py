"""The catalogue has a history; movements of stock are one themselves."""

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app.example.models import Product
from app.example.resources import products
from app.history.models import Change
from services import db
from tests.example.conftest import Shop


def changes(app: Flask) -> list[tuple[str, str, str]]:
    """Return (table, verb, user) of the whole history, the oldest first."""
    with app.app_context():
        found = db.session.scalars(sa.select(Change).order_by(Change.id))
        return [(one.model, one.verb, one.actor_name) for one in found]


def test_product_links_to_history(catalogue: Shop, client: FlaskClient) -> None:
    catalogue.app.config["WTF_CSRF_ENABLED"] = False
    key = catalogue.product(name="Hammer", tags=[catalogue.tag(name="New")])
    page = client.get(f"/example/products/{key}").text
    assert f'href="/history/rows/example_product/{key}"' in page
    client.post(f"/example/products/{key}/delete", data={"version": "1"})
    assert catalogue.read(Product, key) is None
    (last,) = changes(catalogue.app)[-1:]
    assert last == ("example_product", "delete", "Olga")
    number = _last(catalogue.app)
    assert client.post(f"/history/changes/{number}/undo").headers["Location"] == f"/example/products/{key}"
    row = catalogue.read(Product, key)
    assert row is not None
    assert (row["name"], len(row["tags"]), row["version"]) == ("Hammer", 1, 2)


def test_stock_movement_recorded_for_product(catalogue: Shop, client: FlaskClient) -> None:
    catalogue.product(sku="HA-1", stock=3)
    call = {"jsonrpc": "2.0", "method": "example.move_stock", "params": ["HA-1", 4, "DELIVERY"], "id": 1}
    assert client.post("/rpc", json=call).json["result"]["stock"] == 7
    with catalogue.app.app_context():
        change = db.session.get_one(Change, _last(catalogue.app))
        assert (change.before, change.after, change.actor_name) == ({"stock": 3}, {"stock": 7}, "Olga")
    assert not [one for one in changes(catalogue.app) if one[0] == "example_stock_movement"]


def test_delivery_is_not_undone_alone(catalogue: Shop, client: FlaskClient) -> None:
    catalogue.app.config["WTF_CSRF_ENABLED"] = False
    key = catalogue.product(sku="HA-1", stock=3)
    call = {"jsonrpc": "2.0", "method": "example.move_stock", "params": ["HA-1", 4, "DELIVERY"], "id": 1}
    client.post("/rpc", json=call)
    path = f"/history/changes/{_last(catalogue.app)}/undo"
    assert "part of something else" in client.get(path).text
    assert client.post(path, data={"version": "2"}).status_code == 409
    row = catalogue.read(Product, key)
    assert row is not None
    assert row["stock"] == 7


def test_typed_stock_is_set_back(catalogue: Shop, client: FlaskClient) -> None:
    catalogue.app.config["WTF_CSRF_ENABLED"] = False
    key = catalogue.product(sku="HA-1", stock=3)
    with catalogue.app.app_context():
        products.update(products.get(key), {"stock": 9})
        db.session.commit()
    assert client.post(f"/history/changes/{_last(catalogue.app)}/undo", data={"version": "2"}).status_code == 303
    row = catalogue.read(Product, key)
    assert row is not None
    assert row["stock"] == 3


def _last(app: Flask) -> int:
    with app.app_context():
        found: int = db.session.scalars(sa.select(sa.func.max(Change.id))).one()
        return found
