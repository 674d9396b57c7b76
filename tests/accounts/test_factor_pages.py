"""The pages of the second factor and of passkeys: readable by everybody, on a phone and in the dark."""

from collections.abc import Callable
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Page

from app.accounts import users
from app.accounts.models import Passkey
from core.data.models import now
from services import db
from tests.accounts.people import PASSWORD
from tests.accounts.people import make_person

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"

#: What axe-core finds: (rule, first element), each once.
VIOLATIONS = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]);
}"""


class Walk:
    """A user who goes through the pages, and looks at each."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def press(self, button: str) -> None:
        self.page.locator("main").get_by_role("button", name=button).click()
        self.page.wait_for_load_state()

    def sign_in(self) -> None:
        self.open("/accounts/sign-in")
        self.page.get_by_label("Email").fill("ada@example.org")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Sign in")

    def look(self, name: str) -> None:
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        assert not self.page.evaluate(VIOLATIONS), name
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.page.viewport_size["width"], name
        assert self.page.locator("h1").count() == 1, name


@pytest.fixture(params=[("light", 1280), ("dark", 360)], ids=["wide", "dark"])
def walk(
    page: Page, site: Flask, live_server: Callable[[Flask], str], request: pytest.FixtureRequest
) -> Iterator[Walk]:
    scheme, width = request.param
    make_person(site)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    walk = Walk(page, live_server(site).replace("127.0.0.1", "localhost"))
    walk.sign_in()
    return walk


def add_key(site: Flask) -> None:
    with site.app_context():
        owner = users.find("ada@example.org")
        for number, usage in enumerate(("first", "secondary")):
            key = Passkey(
                name=f"Key & {number}", credential_id=b"%d" % number, public_key=b"", sign_count=0, usage=usage
            )
            key.device_type, key.backup_state, key.lastuse_datetime = "single_device", False, now()
            owner.webauthn.append(key)
        db.session.commit()


def add_app(site: Flask) -> None:
    with site.app_context():
        owner = users.find("ada@example.org")
        owner.tf_primary_method = "authenticator"
        owner.tf_totp_secret = site.extensions["security"].totp_factory.generate_totp_secret()
        db.session.commit()


def test_account_pages_accessible(site: Flask, walk: Walk) -> None:
    walk.open("/accounts/second-factor")
    walk.look("overview-off")
    walk.open("/accounts/authenticator")
    walk.look("app-off")
    walk.press("Set it up")
    walk.look("app-key")
    add_app(site)
    add_key(site)
    walk.open("/accounts/second-factor")
    walk.look("overview-on")
    walk.open("/accounts/authenticator")
    walk.look("app-on")
    walk.open("/accounts/recovery-codes")
    walk.look("codes")
    walk.press("Make new codes")
    walk.look("codes-new")
    walk.open("/accounts/passkeys")
    walk.look("passkeys")
    walk.page.get_by_role("link", name="Delete Key & 0").click()
    walk.look("passkey-delete")
    walk.page.get_by_role("link", name="Keep it").click()
    walk.press("Make a passkey")
    walk.look("passkeys-error")
    walk.page.get_by_label("Name").fill("Phone")
    walk.press("Make a passkey")
    walk.look("passkeys-asked")


def test_reauthentication_pages_accessible(site: Flask, walk: Walk) -> None:
    add_app(site)
    add_key(site)
    site.config["SECURITY_FRESHNESS"] = timedelta(seconds=0.001)
    walk.open("/accounts/recovery-codes")
    walk.look("verify")
    walk.press("Go on")
    walk.look("verify-error")
    walk.press("Use a passkey instead")
    walk.look("verify-passkey")


def test_sign_in_pages_accessible(site: Flask, walk: Walk) -> None:
    add_app(site)
    add_key(site)
    walk.page.context.clear_cookies()
    walk.open("/accounts/sign-in")
    walk.look("sign-in")
    walk.open("/accounts/sign-in/passkey")
    walk.look("sign-in-passkey")
    walk.press("Use a passkey")
    walk.look("sign-in-passkey-asked")
    walk.sign_in()
    walk.look("factor")
    walk.press("Go on")
    walk.look("factor-error")
    walk.page.get_by_label("A passkey").check()
    walk.press("Go on")
    walk.look("factor-passkey")
    walk.open("/accounts/sign-in/second-factor")
    walk.page.get_by_label("A code").check()
    walk.press("Go on")
    walk.look("code")
    walk.page.get_by_label("Code").fill("000000")
    walk.press("Sign in")
    walk.look("code-error")
    walk.open("/accounts/sign-in/recovery-code")
    walk.look("recovery-code")
