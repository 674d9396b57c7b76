"""The catalogue in a real browser: the way through it, by keyboard, without JavaScript, accessible."""

import re
from collections.abc import Callable
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect

from app.example import demo
from app.example.models import Product

LIST = "/example/products"
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"


@pytest.fixture
def base_url(sqlite_app: Flask, live_server: Callable[[Flask], str]) -> str:
    """Return the address of a site with the demo catalogue."""
    with sqlite_app.app_context():
        demo.load()
    return live_server(sqlite_app)


@pytest.fixture
def page_without_scripts(browser: Browser) -> Iterator[Page]:
    """Return a page that runs no JavaScript."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture(params=["page", "page_without_scripts"])
def any_page(request: pytest.FixtureRequest) -> Page:
    """Return a page with JavaScript, and one without."""
    found: Page = request.getfixturevalue(request.param)
    return found


def rows(page: Page) -> list[str]:
    """Return the addresses of the rows of a list."""
    found: list[str] = page.locator("tbody th a").evaluate_all("links => links.map(link => link.href)")
    return found


# --- the way through ----------------------------------------------------------------------------


def test_whole_way_through_the_catalogue(any_page: Page, base_url: str, sqlite_catalogue: Any) -> None:
    page = any_page
    page.goto(base_url)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Products").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Products")
    _search_filter_sort(page)
    _create_with_an_error(page)
    _edit_and_meet_another_editor(page, sqlite_catalogue)
    _delete(page, sqlite_catalogue)


def _search_filter_sort(page: Page) -> None:
    page.get_by_role("searchbox").fill("kitchen")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("25 products")).to_be_visible()
    page.get_by_text("Filters").click()
    page.get_by_label("Status").select_option("On sale")
    page.get_by_label("Price from").fill("20")
    page.get_by_role("button", name="Search", exact=True).click()
    assert page.get_by_role("searchbox").input_value() == "kitchen"
    assert page.get_by_label("Status").input_value() == "ON_SALE"
    prices = [Decimal(cell) for cell in page.locator("tbody td.number:nth-of-type(5)").all_inner_texts()]
    assert prices
    assert min(prices) >= 20
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("columnheader", name="Price").get_by_role("link").click()
    page.get_by_role("columnheader", name="Price").get_by_role("link").click()
    expect(page.locator("[aria-sort=descending]")).to_have_text(re.compile("Price"))
    first = rows(page)
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("link", name="Page 2")).to_have_attribute("aria-current", "page")
    assert len({*first, *rows(page)}) == 40


def _create_with_an_error(page: Page) -> None:
    page.get_by_role("link", name="New product").click()
    page.get_by_label("Name").fill("Test hammer")
    page.get_by_label("SKU").fill("HA-1000")
    page.get_by_label("Category").select_option("Hand tools")
    page.get_by_label("Price").fill("-1")
    page.get_by_label("Sale").check()
    page.get_by_label("Notes").fill("first line\nsecond line")
    page.get_by_role("button", name="Create").click()
    summary = page.locator(".error-summary")
    expect(summary).to_contain_text("Price: Must be greater than or equal to 0.")
    summary.get_by_role("link", name="Price").click()
    expect(page.get_by_label("Price")).to_be_focused()
    assert page.get_by_label("Name").input_value() == "Test hammer"
    expect(page.get_by_label("Sale")).to_be_checked()
    page.get_by_label("Price").fill("19.90")
    page.get_by_role("button", name="Create").click()
    # The demo has a product of this number.
    expect(summary).to_contain_text("SKU: Another product has this already.")
    page.get_by_label("SKU").fill("TEST-1")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status")).to_have_text("Created product “Test hammer”.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Test hammer")


def _edit_and_meet_another_editor(page: Page, sqlite_catalogue: Any) -> None:
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    stored = sqlite_catalogue.only(Product, sku="TEST-1")
    # Saved untouched, with all the browser makes of its values.
    assert (stored["version"], stored["notes"]) == (1, "first line\nsecond line")
    page.get_by_role("link", name="Edit").click()
    assert page.context.browser is not None
    other = page.context.browser.new_page()
    other.goto(page.url)
    other.get_by_label("Name").fill("Her hammer")
    other.get_by_role("button", name="Save").click()
    other.close()
    page.get_by_label("Name").fill("My hammer")
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name="Name")
    expect(row).to_contain_text("Her hammer")
    expect(row).to_contain_text("My hammer")
    page.get_by_role("radio", name="Name Your value My hammer").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My hammer")


def _delete(page: Page, sqlite_catalogue: Any) -> None:
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete My hammer?")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_have_text("Deleted product “My hammer”.")
    page.get_by_role("searchbox").fill("TEST-1")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_text("No product matches.")).to_be_visible()


def test_create_by_keyboard_alone(page: Page, base_url: str, sqlite_catalogue: Any) -> None:
    page.goto(f"{base_url}{LIST}/new")
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    keys.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    _tab_to(page, "name")
    keys.press("Enter")
    expect(page.locator(".error-summary")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(page.locator("#name")).to_be_focused()
    keys.type("By keyboard")
    _tab_to(page, "sku")
    keys.type("KEY-1")
    _tab_to(page, "category")
    keys.type("Garden")
    _tab_to(page, "price")
    keys.type("5")
    _tab_to(page, "featured")
    keys.press("Space")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("By keyboard")
    stored = sqlite_catalogue.only(Product, sku="KEY-1")
    assert (stored["price"], stored["featured"]) == (5, True)


def test_enter_in_search_keeps_focus(page: Page, base_url: str, sqlite_catalogue: Any) -> None:
    for number in range(51):
        sqlite_catalogue.category(name=f"Shelf {number:02}")
    page.goto(f"{base_url}{LIST}/new")
    _tab_to(page, "category__search")
    page.keyboard.type("shelf 4")
    page.keyboard.press("Enter")
    expect(page.get_by_text("10 found.")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Find in Category")).to_be_focused()


def _tab_to(page: Page, name: str) -> None:
    for _ in range(40):
        if page.evaluate("document.activeElement.name") == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {name}")


def test_theme_remembered_across_pages(page: Page, base_url: str) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(base_url)
    light = _background(page)
    button = page.get_by_role("button", name="Theme")
    button.click()
    button.click()
    expect(button).to_have_accessible_name("Theme: dark")
    dark = _background(page)
    assert dark != light
    page.goto(f"{base_url}{LIST}")
    assert _background(page) == dark
    button.click()
    page.reload()
    assert _background(page) == light
    page.emulate_media(color_scheme="dark")
    assert _background(page) == dark


def _background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


# --- accessibility ------------------------------------------------------------------


def _visit(path: str) -> Callable[[Page, str], None]:
    def go(page: Page, base: str) -> None:
        page.goto(f"{base}{path}")

    return go


def _first(page: Page, base_url: str, name: str) -> None:
    page.goto(f"{base_url}{LIST}")
    page.locator("tbody th a").first.click()
    if name:
        page.get_by_role("link", name=name).click()


def _form_with_errors(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}{LIST}/new")
    page.get_by_role("button", name="Create").click()
    page.locator(".error-summary").wait_for()


def _conflict(page: Page, base_url: str) -> None:
    _first(page, base_url, "Edit")
    # As if the form had been made from another row.
    for name, value in (("version", "999"), ("name", "999"), ("form__origin", "")):
        page.evaluate(f"document.querySelector('[name={name}]').value = '{value}'")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Conflicting changes").wait_for()


def _without_token(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}{LIST}/new")
    page.evaluate("document.querySelector('main [name=csrf_token]').value = ''")
    page.get_by_role("button", name="Create").click()
    page.get_by_text("Error 400").wait_for()


def _refused_delete(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/example/categories")
    page.locator("tbody th a").first.click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("alert").wait_for()


STATES: dict[str, Callable[[Page, str], None]] = {
    "home": _visit("/"),
    "list": _visit(f"{LIST}?q=e&price__gte=3"),
    "empty list": _visit(f"{LIST}?q=nothing"),
    "list with errors": _visit(f"{LIST}?price__gte=cheap&colour=red&status=SOLD"),
    "detail": lambda page, base: _first(page, base, ""),
    "category": _visit("/example/categories"),
    "form": lambda page, base: _first(page, base, "Edit"),
    "form with errors": _form_with_errors,
    "conflict": _conflict,
    "delete": lambda page, base: _first(page, base, "Delete"),
    "refused delete": _refused_delete,
    "not found": _visit("/nowhere"),
    "without token": _without_token,
    "problem": _visit("/problems/precondition-failed"),
    "api": _visit("/api/"),
}


@pytest.mark.parametrize("state", STATES)
def test_page_accessible_on_every_screen(page: Page, base_url: str, state: str) -> None:
    STATES[state](page, base_url)
    expect(page.locator("h1")).to_have_count(1)
    page.wait_for_load_state()
    # The policy forbids pages to load scripts of others, not the debugger.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            faults = page.evaluate(VIOLATIONS)
            assert not faults, f"{scheme}, {width} px: {faults}"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"wider than {width} px"


def test_long_words_do_not_widen_page(page: Page, sqlite_app: Flask, sqlite_catalogue: Any, live_server: Any) -> None:
    category, tag = sqlite_catalogue.category(name="C" * 80, description="d" * 400), sqlite_catalogue.tag(name="T" * 40)
    key = sqlite_catalogue.product(name="W" * 120, sku="S" * 20, category=category, tags=[tag], notes="n" * 400)
    base = live_server(sqlite_app)
    page.set_viewport_size({"width": 360, "height": 800})
    row = f"{LIST}/{key}"
    for path in ("/", LIST, row, f"{row}/edit", f"{row}/delete", f"/example/categories/{category}", "/" + "x" * 300):
        page.goto(f"{base}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    page.goto(f"{base}{row}/edit")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto(f"{base}{LIST}?{'y' * 300}=1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


#: Findings of axe-core: (rule, first element), each once.
VIOLATIONS = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]);
}"""
