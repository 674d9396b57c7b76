"""Access to the catalogue."""

from typing import Any

import pytest
from flask import Flask

from app.accounts.tokens import scopes
from app.example.models import Product
from core.access import Identity
from tests import forms
from tests.identities import Ask
from tests.identities import ask_with_roles


@pytest.fixture
def request_as(app: Flask) -> Ask:
    """Ask as a user with a role."""
    return ask_with_roles(app)


def test_shelves_are_for_staff(request_as: Ask) -> None:
    assert request_as("", "GET", "/example/categories").status_code == 200
    assert request_as("", "GET", "/example/categories/new").status_code == 303
    assert request_as("member", "GET", "/example/categories/new").status_code == 403
    assert request_as("staff", "GET", "/example/categories/new").status_code == 200


def test_page_offers_what_one_may_do(request_as: Ask) -> None:
    assert "/example/products/new" not in request_as("", "GET", "/example/products").text
    assert "/example/products/new" in request_as("member", "GET", "/example/products").text


@pytest.mark.parametrize("who", ["", "member"])
def test_notes_are_for_staff(request_as: Ask, catalogue: Any, who: str) -> None:
    key = catalogue.product(name="Axe", notes="Blunt since spring", owner_key="member")
    page, search = f"/example/products/{key}", "/example/products?q=spring"
    assert "Blunt since spring" not in request_as(who, "GET", page).text
    assert page not in request_as(who, "GET", search).text
    assert "Blunt since spring" in request_as("staff", "GET", page).text
    assert page in request_as("staff", "GET", search).text


def test_owner_edits_without_notes(request_as: Ask, catalogue: Any) -> None:
    key = catalogue.product(name="Axe", notes="Blunt since spring", owner_key="member")
    form = f"/example/products/{key}/edit"
    page = request_as("member", "GET", form).text
    assert "Blunt since spring" not in page
    assert "Blunt since spring" in request_as("staff", "GET", form).text
    fields = {**forms.read(page), "name": "Hatchet"}
    assert request_as("member", "POST", form, data=fields).status_code == 303
    assert request_as("member", "POST", form, data={**fields, "version": "2", "notes": "Sharp"}).status_code == 400
    stored = catalogue.read(Product, key)
    assert (stored["name"], stored["notes"]) == ("Hatchet", "Blunt since spring")


def test_stock_is_moved_by_staff(request_as: Ask) -> None:
    call = {"jsonrpc": "2.0", "method": "example.move_stock", "params": {"sku": "X", "quantity": 1}, "id": 1}
    codes = {who: request_as(who, "POST", "/rpc", json=call).json["error"]["code"] for who in ("", "member", "staff")}
    # Anonymous, not allowed, and no such product.
    assert codes == {"": -32006, "member": -32007, "staff": -32001}


def test_token_scope_covers_own_products(sqlite_app: Flask) -> None:
    with sqlite_app.app_context():
        offered = scopes.offered(Identity("ada", "Ada"))
    words = {scope.name: scope.words for group in offered for scope in group.scopes}
    # A user who owns products may edit them.
    assert words["example.product.edit"] == "Edit product, where it is yours"
    assert "example.product.add" not in words
