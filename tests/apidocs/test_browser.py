"""The page in a real browser, under the strict Content-Security-Policy: its console must stay empty."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Blueprint
from flask import request

from core.http.apis import mark_api
from tests.core import warehouse


@pytest.fixture
def docs_page(make_app, live_server, page):
    """Open the page of an API that returns its caller, and of the module with every type."""
    app = make_app(None, [warehouse.__name__, "app.home", "app.apidocs"])
    bank = Blueprint("bank", __name__, url_prefix="/bank")
    mark_api(bank)

    @bank.get("/teller")
    def teller() -> dict[str, str]:
        """Say who calls."""
        return {"caller": request.headers.get("Authorization", "anonymous")}

    app.register_blueprint(bank)
    page.goto(f"{live_server(app)}/docs")
    page.locator("#operations-bank-bankTeller").wait_for()
    return page


def test_page_replaces_list_with_operations(docs_page):
    assert docs_page.locator(".opblock").count() > 30
    assert docs_page.locator("#contents").is_hidden()
    assert docs_page.locator("main").count() == 1
    assert docs_page.title().startswith("API")


def test_operation_is_tried_with_a_token(docs_page):
    docs_page.get_by_role("button", name="Authorize", exact=True).click()
    docs_page.locator(".auth-container input").fill("secret-of-mine")
    docs_page.get_by_role("button", name="Apply credentials").click()
    docs_page.get_by_role("button", name="Close", exact=True).last.click()
    operation = docs_page.locator("#operations-bank-bankTeller")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()

    operation.locator(".live-responses-table").get_by_text("Bearer secret-of-mine").first.wait_for()


def test_address_leads_to_an_operation(docs_page):
    docs_page.locator("#operations-bank-bankTeller .opblock-summary-control").click()
    assert docs_page.url.endswith("#/bank/bankTeller")
    docs_page.reload()

    docs_page.locator("#operations-bank-bankTeller.is-open").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_is_accessible(docs_page, width, scheme):
    docs_page.emulate_media(color_scheme=scheme)
    docs_page.set_viewport_size({"width": width, "height": 900})
    docs_page.locator("#operations-warehouse-things-warehouseThingsCreate .opblock-summary-control").click()
    docs_page.locator(".opblock.is-open textarea").wait_for()

    assert docs_page.evaluate("document.documentElement.scrollWidth") <= width
    assert docs_page.locator("html.dark-mode").count() == (scheme == "dark")
    found = Axe().run(docs_page).response["violations"]
    assert [(one["id"], node["html"][:200]) for one in found for node in one["nodes"]] == []


def test_page_without_scripts_has_the_list(browser, make_app, live_server):
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{live_server(make_app(None, [warehouse.__name__, 'app.apidocs']))}/docs")

    assert page.get_by_text("GET /warehouse/things/{key}").is_visible()
    assert page.get_by_role("link", name="OpenAPI document").is_visible()
    page.close()
