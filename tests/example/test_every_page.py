"""Every page of accounts and of the history, as an administrator and as a member see it: found, not listed."""

from collections.abc import Callable
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from flask import Flask
from flask import url_for
from flask_security import hash_password
from playwright.sync_api import Page
from playwright.sync_api import expect
from sqlalchemy import select

from app.accounts import users
from app.accounts.models import Role
from app.accounts.tokens import issuing
from app.example.models import Category
from app.example.models import Product
from app.history.models import Change
from services import db
from tests.accounts.users import PASSWORD

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"

#: Findings of axe-core: (rule, first element), each once.
VIOLATIONS = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]);
}"""

#: Where a page leads on this site.
LINKS = """[...document.querySelectorAll("header a, main a")].map(link => link.getAttribute("href"))
    .filter(href => href.startsWith("/"))"""

#: Which pages are there for those who look after the accounts, and for them only.
ADMINISTRATION = {
    *("accounts.access_matrix", "accounts.person_roles", "accounts.user_detail", "accounts.user_list"),
    *("accounts.role_create", "accounts.role_delete", "accounts.role_edit", "accounts.role_list"),
    *("history.change_list", "history.index"),
}


@pytest.fixture
def sender() -> None:
    """Let no visitor in who has not signed in."""


def fill(app: Flask, role: str) -> dict[str, Any]:
    """Make Ada, and something for each page to show; return what addresses are made with."""
    with app.app_context():
        ada = users.create("ada@example.org", "Ada Lovelace", hash_password(PASSWORD), [role])
        db.session.add(Role(name="editor", description="Who keeps the texts."))
        product = Product(name="Hammer", sku="H1", category=Category(name="Tools"), price=Decimal("9.50"))
        product.owner_key = ada.key
        db.session.add(product)
        db.session.commit()
        product.price = Decimal("8.50")
        token, _ = issuing.make(ada, "Backup", ["api.city.add"])
        db.session.commit()
        change = db.session.scalar(select(Change).where(Change.model == "example_product", Change.verb == "update"))
        assert change is not None
        made = {"token": "x", "table": "example_product", "token_id": token.id, "side": "after"}
        names = {"accounts": "editor", "history": "price"}
        keys = {"accounts": ada.id, "history": change.id, "history.row": product.id}
        return {**made, "names": names, "keys": keys}


def addresses(app: Flask, made: Mapping[str, Any]) -> dict[str, str]:
    """Return the address of each page, by its endpoint; the history's API is for programs."""
    found = {}
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            blueprint = rule.endpoint.rpartition(".")[0]
            is_page = blueprint in ("accounts", "security", "history") and "GET" in (rule.methods or ())
            if is_page and not rule.endpoint.endswith(".static"):
                keys, names = made["keys"], made["names"]
                key = keys.get(rule.endpoint) or keys.get(blueprint)
                values = {**made, "key": key, "name": names.get(blueprint)}
                found[rule.endpoint] = url_for(rule.endpoint, **{name: values[name] for name in rule.arguments})
    return found


def look(page: Page) -> None:
    """Look at a page wide and light, and on a phone in the dark."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme, width in (("light", 1280), ("dark", 360)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(VIOLATIONS) == [], (page.url, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (page.url, width)
    expect(page.locator("h1")).to_have_count(1)
    assert page.title().endswith(" · Andamio")


@pytest.mark.parametrize("role", ["administrator", "member"])
def test_every_page_public_without_dead_links(
    sqlite_app: Flask, page: Page, live_server: Callable[[Flask], str], role: str
) -> None:
    made = fill(sqlite_app, role)
    base = live_server(sqlite_app)
    page.goto(f"{base}/accounts/sign-in")
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
    refused, seen, links = set(), set(), set()
    for endpoint, address in addresses(sqlite_app, made).items():
        answer = page.goto(base + address)
        assert answer is not None
        assert answer.status in (200, 403), address
        if answer.status == 403:
            refused.add(endpoint)
        links |= {*page.evaluate(LINKS)}
        # Where a page leads on to another one, that has been looked at; and one refusal looks like the other.
        place = 403 if answer.status == 403 else page.url
        if place not in seen:
            seen.add(place)
            look(page)
    assert refused == (set() if role == "administrator" else ADMINISTRATION)
    assert {link: status for link in sorted(links) if (status := page.request.get(base + link).status) >= 400} == {}
