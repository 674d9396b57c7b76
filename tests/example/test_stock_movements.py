"""Stock comes in and goes out by JSON-RPC: never below zero, and never lost between two at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.example.models import Product
from app.example.models import StockMovement
from app.example.resources import products
from core.exceptions import InUse

Call = Callable[..., Any]


@pytest.fixture
def call(client: FlaskClient) -> Call:
    """Call a method and give its response object."""

    def ask(method: str, **params: Any) -> Any:
        request = {"jsonrpc": "2.0", "method": f"example.{method}", "params": params, "id": 1}
        return client.post("/rpc", json=request).json

    return ask


def test_stock_moves(call: Call, catalogue: Any) -> None:
    key = catalogue.product(sku="HA-1", stock=3)
    version = catalogue.read(Product, key)["version"]
    moved = call("move_stock", sku="HA-1", quantity=-2, reason="SALE")["result"]
    assert (moved["quantity"], moved["reason"], moved["stock"]) == (-2, "SALE", 1)
    assert datetime.fromisoformat(moved["moved_at"]).tzinfo
    assert call("stock", sku="HA-1")["result"] == 1
    stored = catalogue.read(Product, key)
    # An open form of the product conflicts with it.
    assert (stored["stock"], stored["version"]) == (1, version + 1)


def test_movements_are_listed_newest_first(call: Call, catalogue: Any) -> None:
    catalogue.product(sku="HA-1", stock=0)
    catalogue.product(sku="HA-2", stock=9)
    call("move_stock", sku="HA-2", quantity=1)
    for quantity in (5, -1, -2):
        call("move_stock", sku="HA-1", quantity=quantity)
    found = call("stock_movements", sku="HA-1", limit=2)["result"]
    assert [one["quantity"] for one in found] == [-2, -1]
    assert {one["reason"] for one in found} == {"CORRECTION"}


@pytest.mark.parametrize(
    ("params", "code", "fields"),
    [
        ({"sku": "HA-1", "quantity": -4}, -32002, ["quantity"]),
        ({"sku": "HA-1", "quantity": 0}, -32002, ["quantity"]),
        ({"sku": "HA-1", "quantity": 1_000_001}, -32602, ["quantity"]),
        ({"sku": "HA-1", "quantity": "1"}, -32602, ["quantity"]),
        ({"sku": "HA-1", "quantity": 1, "reason": "Sale"}, -32602, ["reason"]),
        ({"sku": "", "quantity": 1}, -32602, ["sku"]),
        ({"quantity": 1}, -32602, ["sku"]),
        ({"sku": "HA-9", "quantity": 1}, -32001, None),
        ({"sku": "ha-1", "quantity": 1}, -32001, None),
        ({"sku": "HA-1 ", "quantity": 1}, -32001, None),
    ],
)
def test_wrong_movement_changes_nothing(
    call: Call, catalogue: Any, params: dict[str, Any], code: int, fields: list[str] | None
) -> None:
    catalogue.product(sku="HA-1", stock=3)
    before = catalogue.content()
    error = call("move_stock", **params)["error"]
    assert error["code"] == code
    assert fields is None or [one["field"] for one in error["data"]["errors"]] == fields
    assert catalogue.content() == before


def test_stock_stays_within_its_column(call: Call, catalogue: Any) -> None:
    key = catalogue.product(sku="HA-1", stock=2**31 - 2)
    assert call("move_stock", sku="HA-1", quantity=1)["result"]["stock"] == 2**31 - 1
    assert call("move_stock", sku="HA-1", quantity=1)["error"]["code"] == -32002
    assert catalogue.read(Product, key)["stock"] == 2**31 - 1


def test_concurrent_withdrawals_never_exceed_stock(app: Flask, catalogue: Any) -> None:
    key = catalogue.product(sku="HA-1", stock=10)
    request = {"jsonrpc": "2.0", "method": "example.move_stock", "params": ["HA-1", -1, "SALE"], "id": 1}

    def sell(_: int) -> Any:
        return app.test_client().post("/rpc", json=request).json

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(sell, range(24)))
    codes = [answer["error"]["code"] for answer in answers if "error" in answer]
    assert codes == [-32002] * 14
    assert sorted(answer["result"]["stock"] for answer in answers if "result" in answer) == [*range(10)]
    assert catalogue.read(Product, key)["stock"] == 0


def test_product_page_has_its_last_movements(call: Call, catalogue: Any, client: FlaskClient) -> None:
    key = catalogue.product(sku="HA-1", stock=3)
    assert "None yet." in client.get(f"/example/products/{key}").text
    call("move_stock", sku="HA-1", quantity=-2, reason="LOSS")
    page = client.get(f"/example/products/{key}").text
    assert "-2" in page
    assert "Loss" in page


def test_moved_product_not_deleted(app: Flask, call: Call, catalogue: Any) -> None:
    key = catalogue.product(sku="HA-1", stock=3)
    call("move_stock", sku="HA-1", quantity=1)
    with app.app_context(), pytest.raises(InUse):
        products.delete(products.get(key))
    assert catalogue.only(StockMovement, quantity=1)["product_id"] == key
