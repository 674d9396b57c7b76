"""The pages of the documentation take a token, in a real browser: what is tried there is done in its owner's name."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect

from app.api.models import Country
from app.example.models import Category
from app.example.models import Product
from services import db
from tests import tokens


@pytest.fixture
def sender() -> None:
    """Let no visitor in without a sign-in."""


@pytest.fixture
def base_url(sqlite_app: Flask, live_server: Callable[[Flask], str]) -> str:
    """Return the address of the platform; there is what the examples of its documentation name."""
    with sqlite_app.app_context():
        place = {"code": "ES", "iso3": "ESP", "name": "Spain", "continent": "EU"}
        db.session.add(Country(**place, population=48_000_000, area_km2=505_990))
        db.session.add(Product(name="Pen", sku="HA-1000", price=1, stock=5, category=Category(name="Office")))
        db.session.commit()
    return live_server(sqlite_app)


def authorize(page: Page, token: str) -> None:
    page.get_by_role("button", name="Authorize", exact=True).click()
    page.locator(".auth-container input").fill(token)
    page.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close", exact=True).last.click()


def test_operation_is_tried_with_a_token(sqlite_app: Flask, base_url: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{base_url}/docs")
    operation = page.locator("#operations-api-v1-cities-apiV1CitiesCreate")
    operation.locator(".opblock-summary-control").click()
    status = operation.locator(".live-responses-table .response-col_status").last
    operation.get_by_role("button", name="Execute").click()
    expect(status).to_contain_text("401")
    authorize(page, tokens.issue(sqlite_app, "api.city.add"))
    operation.get_by_role("button", name="Execute").click()
    expect(status).to_contain_text("201")
    page.close()


def test_method_is_called_with_a_token(sqlite_app: Flask, base_url: str, page: Page) -> None:
    page.goto(f"{base_url}/docs/rpc#example.move_stock")
    call = page.get_by_role("button", name="Call example.move_stock", exact=True)
    outcome = page.locator("[id='example.move_stock'] .outcome")
    call.click()
    expect(outcome).to_contain_text("It failed")
    expect(outcome).to_contain_text("Sign in first")
    page.get_by_label("Token").fill(tokens.issue(sqlite_app, "example.tag.add"))
    call.click()
    expect(outcome).to_contain_text("example.stock.move")
    page.get_by_label("Token").fill(tokens.issue(sqlite_app, "example.stock.move"))
    call.click()
    expect(outcome).to_contain_text("The result")
