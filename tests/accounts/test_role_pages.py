"""The pages of roles in a browser: on a phone, in the dark, without a script, and for who cannot see them."""

from collections.abc import Callable
from pathlib import Path

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect

from tests.accounts.people import PASSWORD
from tests.accounts.people import make_person

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
)

#: What axe-core finds: (rule, first element), each once.
VIOLATIONS = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]);
}"""


@pytest.fixture
def base(site: Flask, live_server: Callable[[Flask], str]) -> str:
    """Return the address of a site with an administrator, and with Ada."""
    make_person(site, "root@example.org", "Root", ["administrator"])
    make_person(site, name="Ada Lovelace")
    return f"{live_server(site)}/accounts"


def sign_in(page: Page, base: str) -> None:
    page.goto(f"{base}/sign-in")
    page.get_by_label("Email address").fill("root@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()


def ada(page: Page, base: str) -> str:
    page.goto(f"{base}/people?q=ada")
    link = page.get_by_role("link", name="Ada Lovelace").get_attribute("href")
    return str(link).rpartition("/")[2]


def test_axe_finds_nothing_on_any_page(page: Page, base: str) -> None:
    sign_in(page, base)
    key = ada(page, base)
    for width, scheme in ((1280, "light"), (360, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        for name in PAGES:
            page.goto(f"{base}/{name.format(ada=key)}")
            # The page's own policy lets no other script in than its own.
            page.evaluate(AXE.read_text())
            assert page.evaluate(VIOLATIONS) == [], (name, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_roles_are_given_without_a_script(browser: Browser, base: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, base)
    page.get_by_role("link", name="People").click()
    page.get_by_role("link", name="Ada Lovelace").click()
    page.get_by_role("link", name="Change the roles").click()
    page.get_by_label("staff").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved the roles of Ada Lovelace.")
    expect(page.get_by_role("main")).to_contain_text("member, staff")
    context.close()
