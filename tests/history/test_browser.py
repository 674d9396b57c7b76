"""The history in a real browser: from a row to what it was, without JavaScript, accessible."""

from collections.abc import Callable
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect

from tests.history.conftest import EVA
from tests.history.conftest import Office
from tests.history.ledger import Group

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
VIOLATIONS = "axe.run().then(found => found.violations.map(one => [one.id, one.nodes[0].html]))"


@pytest.fixture
def page_without_scripts(browser: Browser) -> Iterator[Page]:
    """Return a page that runs no JavaScript."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture
def entry_id(sqlite_office: Office) -> int:
    """Let there be an entry with a history, of which a part was changed again; Eva sits at the desk."""
    group = sqlite_office.add(Group, name="House")
    key = sqlite_office.add(title="Rent", amount=Decimal(5), pin="1234")
    sqlite_office.change(key, title="Lease", amount=Decimal(6), group_id=group)
    sqlite_office.change(key, title="Hire", pin="5678")
    sqlite_office.delete(sqlite_office.add(title="Mistake"))
    sqlite_office.who = EVA
    return key


def test_browser_follows_row_to_history(
    page_without_scripts: Page, sqlite_office: Office, entry_id: int, live_server: Callable[[Flask], str]
) -> None:
    page_without_scripts.goto(f"{live_server(sqlite_office.app)}/ledger/entries/{entry_id}")
    page_without_scripts.get_by_role("link", name="History", exact=True).last.click()
    expect(page_without_scripts.get_by_role("heading", level=1)).to_have_text("History of Hire")
    page_without_scripts.get_by_role("link", name="Undo").first.click()
    expect(page_without_scripts.get_by_role("table")).to_contain_text("Lease")
    page_without_scripts.get_by_role("button", name="Set it back").click()
    expect(page_without_scripts.get_by_role("status")).to_have_text("The change was taken back.")
    expect(page_without_scripts.get_by_role("heading", level=1)).to_have_text("Lease")


@pytest.mark.parametrize("name", ["all", "none", "wrong", "row", "new", "partly", "update", "gone", "one", "value"])
def test_pages_are_accessible(
    page: Page, sqlite_office: Office, entry_id: int, live_server: Callable[[Flask], str], name: str
) -> None:
    paths = {"all": "/history/changes", "none": "/history/changes?day=2020-01-31", "wrong": "/history/changes?day=x"}
    paths |= {"row": f"/history/rows/ledger_entry/{entry_id}"}
    one = f"/history/changes/{sqlite_office.changes()[2].id}"
    paths |= {"one": one, "value": f"{one}/after/title"}
    for kind, number in {"new": 1, "partly": 2, "update": 3, "gone": 5}.items():
        paths[kind] = f"/history/changes/{sqlite_office.changes()[number].id}/undo"
    page.goto(f"{live_server(sqlite_office.app)}{paths[name]}")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert not page.evaluate(VIOLATIONS), f"{scheme}, {width} px"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"wider than {width} px"
