"""The pages of the second factor and of passkeys: accessible, on a phone and in the dark."""

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
from tests.accounts.users import PASSWORD
from tests.accounts.users import make_user

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"

#: Findings of axe-core: (rule, first element), each once.
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
def user_page(
    page: Page, sqlite_app: Flask, live_server: Callable[[Flask], str], request: pytest.FixtureRequest
) -> Iterator[Walk]:
    scheme, width = request.param
    make_user(sqlite_app)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    walk = Walk(page, live_server(sqlite_app).replace("127.0.0.1", "localhost"))
    walk.sign_in()
    return walk


def add_key(sqlite_app: Flask) -> None:
    with sqlite_app.app_context():
        owner = users.find("ada@example.org")
        for number, usage in enumerate(("first", "secondary")):
            key = Passkey(
                name=f"Key & {number}", credential_id=b"%d" % number, public_key=b"", sign_count=0, usage=usage
            )
            key.device_type, key.backup_state, key.lastuse_datetime = "single_device", False, now()
            owner.webauthn.append(key)
        db.session.commit()


def add_app(sqlite_app: Flask) -> None:
    with sqlite_app.app_context():
        owner = users.find("ada@example.org")
        owner.tf_primary_method = "authenticator"
        owner.tf_totp_secret = sqlite_app.extensions["security"].totp_factory.generate_totp_secret()
        db.session.commit()


def test_account_pages_accessible(sqlite_app: Flask, user_page: Walk) -> None:
    user_page.open("/accounts/second-factor")
    user_page.look("overview-off")
    user_page.open("/accounts/authenticator")
    user_page.look("app-off")
    user_page.press("Set it up")
    user_page.look("app-key")
    add_app(sqlite_app)
    add_key(sqlite_app)
    user_page.open("/accounts/second-factor")
    user_page.look("overview-on")
    user_page.open("/accounts/authenticator")
    user_page.look("app-on")
    user_page.open("/accounts/recovery-codes")
    user_page.look("codes")
    user_page.press("Make new codes")
    user_page.look("codes-new")
    user_page.open("/accounts/passkeys")
    user_page.look("passkeys")
    user_page.page.get_by_role("link", name="Delete Key & 0").click()
    user_page.look("passkey-delete")
    user_page.page.get_by_role("link", name="Keep it").click()
    user_page.press("Make a passkey")
    user_page.look("passkeys-error")
    user_page.page.get_by_label("Name").fill("Phone")
    user_page.press("Make a passkey")
    user_page.look("passkeys-asked")


def test_reauthentication_pages_accessible(sqlite_app: Flask, user_page: Walk) -> None:
    add_app(sqlite_app)
    add_key(sqlite_app)
    sqlite_app.config["SECURITY_FRESHNESS"] = timedelta(seconds=0.001)
    user_page.open("/accounts/recovery-codes")
    user_page.look("verify")
    user_page.press("Go on")
    user_page.look("verify-error")
    user_page.press("Use a passkey instead")
    user_page.look("verify-passkey")


def test_sign_in_pages_accessible(sqlite_app: Flask, user_page: Walk) -> None:
    add_app(sqlite_app)
    add_key(sqlite_app)
    user_page.page.context.clear_cookies()
    user_page.open("/accounts/sign-in")
    user_page.look("sign-in")
    user_page.open("/accounts/sign-in/passkey")
    user_page.look("sign-in-passkey")
    user_page.press("Use a passkey")
    user_page.look("sign-in-passkey-asked")
    user_page.sign_in()
    user_page.look("factor")
    user_page.press("Go on")
    user_page.look("factor-error")
    user_page.page.get_by_label("A passkey").check()
    user_page.press("Go on")
    user_page.look("factor-passkey")
    user_page.open("/accounts/sign-in/second-factor")
    user_page.page.get_by_label("A code").check()
    user_page.press("Go on")
    user_page.look("code")
    user_page.page.get_by_label("Code").fill("000000")
    user_page.press("Sign in")
    user_page.look("code-error")
    user_page.open("/accounts/sign-in/recovery-code")
    user_page.look("recovery-code")
