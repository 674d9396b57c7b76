"""The pages of roles in a browser: on a phone, in the dark, without a script, and for who cannot see them."""

from collections.abc import Callable
from pathlib import Path

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect

from tests.accounts.users import PASSWORD
from tests.accounts.users import make_user

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
PAGES = (
    "roles",
    "roles/new",
    "roles/staff",
    "roles/administrator",
    "people",
    "people/{ada}",
    "people/{ada}/roles",
    "access",
    "access?q=post&who=member",
    "access?q=there+is+no+such+thing",
)

#: Findings of axe-core: (rule, first element), each once.
VIOLATIONS = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]);
}"""


@pytest.fixture
def base_url(sqlite_app: Flask, live_server: Callable[[Flask], str]) -> str:
    """Return the address of a site with an administrator, and with Ada."""
    make_user(sqlite_app, "root@example.org", "Root", ["administrator"])
    make_user(sqlite_app, name="Ada Lovelace")
    return f"{live_server(sqlite_app)}/accounts"


def sign_in(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/sign-in")
    page.get_by_label("Email address").fill("root@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()


def test_header_keeps_to_one_line(page: Page, base_url: str) -> None:
    sign_in(page, base_url)
    expect(page.get_by_role("banner").get_by_role("link", name="Root")).to_have_attribute("aria-current", "true")
    heights = {}
    for width in (360, 576, 768, 992, 1199, 1200, 1280, 1399, 1400):
        page.set_viewport_size({"width": width, "height": 800})
        heights[width] = page.get_by_role("banner").evaluate("header => header.offsetHeight")
    assert max(heights.values()) < 80, heights


BOX = "one => { const { x, y, width } = one.getBoundingClientRect(); return { x, y, width }; }"


@pytest.mark.parametrize("width", [1280, 360])
def test_matrix_heads_stay_on_scroll(page: Page, base_url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    sign_in(page, base_url)
    page.goto(f"{base_url}/access")
    frame = page.get_by_role("region", name="Access by role")
    frame.evaluate("frame => frame.scrollTo(200, 900)")
    heads = ("thead th:first-child", "thead th:nth-child(2)", "tbody tr:nth-child(30) th")
    corner, top, side = (page.locator(f".matrix {head}").evaluate(BOX) for head in heads)
    around = frame.evaluate(BOX)
    assert [round(box["y"] - around["y"]) for box in (corner, top)] == [1, 1]
    assert [round(box["x"] - around["x"]) for box in (corner, side)] == [1, 1]
    # On a phone at least two roles stand beside what may be asked.
    assert around["width"] - side["width"] > 150
    frame.focus()
    page.keyboard.press("Home")
    expect(page.get_by_role("rowheader").first).to_be_in_viewport()


def test_matrix_is_searched_without_a_script(browser: Browser, base_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, base_url)
    page.goto(f"{base_url}/access")
    page.get_by_role("searchbox").fill("post accounts")
    page.get_by_label("Role", exact=True).select_option("Member")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("columnheader")).to_have_text(["Endpoint", "Member", "Policy"])
    expect(page.get_by_role("row", name="POST /accounts/profile")).to_contain_text("Yes")
    expect(page.get_by_role("row", name="POST /accounts/roles")).to_have_count(0)
    page.get_by_role("searchbox").fill("there is no such thing")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="Clear the search").click()
    expect(page.get_by_role("columnheader", name="Staff")).to_be_visible()
    context.close()


def ada(page: Page, base_url: str) -> str:
    page.goto(f"{base_url}/people?q=ada")
    link = page.get_by_role("link", name="Ada Lovelace").get_attribute("href")
    return str(link).rpartition("/")[2]


def test_axe_finds_nothing_on_any_page(page: Page, base_url: str) -> None:
    sign_in(page, base_url)
    key = ada(page, base_url)
    for width, scheme in ((1280, "light"), (360, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        for name in PAGES:
            page.goto(f"{base_url}/{name.format(ada=key)}")
            # The page's own policy lets no other script in than its own.
            page.evaluate(AXE.read_text())
            assert page.evaluate(VIOLATIONS) == [], (name, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_roles_are_given_without_a_script(browser: Browser, base_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, base_url)
    page.get_by_role("link", name="People").click()
    page.get_by_role("link", name="Ada Lovelace").click()
    page.get_by_role("link", name="Change the roles").click()
    page.get_by_label("staff").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved the roles of Ada Lovelace.")
    expect(page.get_by_role("main")).to_contain_text("member, staff")
    context.close()
