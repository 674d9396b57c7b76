"""Passkeys in Chromium, with an authenticator that its developer tools pretend: register, sign in, delete."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect
from sqlalchemy import update

from app.accounts import users
from app.accounts.factors.passkeys import PasskeyRules
from app.accounts.models import Passkey
from app.accounts.models import User
from core.data.models import now
from services import db
from tests.accounts.users import PASSWORD
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in as send_password
from tests.forms import open_form

PASSKEYS = "/accounts/passkeys"
SIGN_IN = "/accounts/sign-in/passkey"


class Authenticator:
    """Authenticator of Chromium: a phone or a security key."""

    def __init__(self, page: Page, **options: Any) -> None:
        self.page = page
        self.cdp = page.context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable")
        wanted = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        wanted |= {"isUserVerified": True, "automaticPresenceSimulation": True, **options}
        self.id = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": wanted})["authenticatorId"]

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]
        return found

    def put(self, credential: dict[str, Any]) -> None:
        """Have a credential of another device."""
        self.cdp.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": credential})

    def clear(self) -> None:
        self.cdp.send("WebAuthn.clearCredentials", {"authenticatorId": self.id})


class Visitor:
    """A user at a browser."""

    def __init__(self, page: Page, url: str, email: str = "ada@example.org") -> None:
        self.page, self.url, self.email = page, url, email

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def give_password(self) -> None:
        self.open("/accounts/sign-in")
        self.page.get_by_label("Email").fill(self.email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def sign_out(self) -> None:
        self.open("/accounts/")
        self.page.get_by_role("banner").get_by_role("button", name="Sign out").click()

    def make(self, name: str = "Phone", use: str = "Instead of the password") -> None:
        self.open(PASSKEYS)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label(use).check()
        self._press("Make a passkey")

    def delete(self, name: str = "Phone") -> None:
        self.open(PASSKEYS)
        self.page.get_by_role("link", name=f"Delete {name}").click()
        self.page.locator("main").get_by_role("button", name="Delete").click()

    def use(self, path: str = SIGN_IN) -> None:
        self.open(path)
        self._press("Use a passkey")

    def _press(self, button: str) -> None:
        """Press a button, and wait until the browser has asked for a passkey, or has said why not."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button).click()
        expect(self.page.locator("form[data-passkey]:has(.passkey-fault:empty)")).to_have_count(0)

    def is_in(self) -> bool:
        self.open("/accounts/")
        return self.page.get_by_text(self.email).is_visible()

    def hears(self, text: str) -> None:
        expect(self.page.get_by_text(text)).to_be_visible()


@pytest.fixture
def base_url(sqlite_app: Flask, live_server: Callable[[Flask], str]) -> str:
    """Serve the whole application, with two people in it, under a name: an address can have no passkeys."""
    make_user(sqlite_app)
    make_user(sqlite_app, "eve@example.org", "Eve")
    return live_server(sqlite_app).replace("127.0.0.1", "localhost")


@pytest.fixture
def user(page: Page, base_url: str) -> Visitor:
    """Return Ada, who has signed in with her password."""
    ada = Visitor(page, base_url)
    ada.give_password()
    return ada


@pytest.fixture
def authenticator(page: Page) -> Authenticator:
    """Return a phone that asks for a finger, and gets it."""
    return Authenticator(page)


def change(sqlite_app: Flask, statement: Any) -> None:
    with sqlite_app.app_context():
        db.session.execute(statement)
        db.session.commit()


# --- instead of the password --------------------------------------------------------------------


def test_passkey_signs_in(sqlite_app: Flask, user: Visitor, authenticator: Authenticator) -> None:
    user.make()
    user.hears("The passkey “Phone” is ready")
    (kept,) = authenticator.credentials()
    assert (kept["rpId"], kept["isResidentCredential"]) == ("localhost", True)
    user.sign_out()
    user.use()
    user.page.wait_for_url(f"{user.url}/accounts/")
    assert user.is_in()
    assert [mail["Subject"] for mail in mails(sqlite_app)] == ["A passkey was added"]


def test_passkey_leads_to_requested_page(user: Visitor, authenticator: Authenticator) -> None:
    user.make()
    user.sign_out()
    user.use(f"{SIGN_IN}?next=/accounts/profile")
    user.page.wait_for_url(f"{user.url}/accounts/profile")


def test_deleted_passkey_refused(sqlite_app: Flask, user: Visitor, authenticator: Authenticator) -> None:
    user.make()
    user.delete()
    user.hears("does not open this account any more")
    user.sign_out()
    user.use()
    user.hears("This passkey is not known here.")
    assert not user.is_in()
    assert [mail["Subject"] for mail in mails(sqlite_app)] == ["A passkey was added", "A passkey was deleted"]


def test_passkey_change_ends_other_sessions(sqlite_app: Flask, user: Visitor, authenticator: Authenticator) -> None:
    for change in (user.make, user.delete):
        other = sqlite_app.test_client()
        send_password(other)
        assert other.get("/accounts/").status_code == 200
        change()
        user.hears("other browsers are signed out")
        assert other.get("/accounts/").status_code == 303
        assert user.is_in()


def test_deletion_asks_first(sqlite_app: Flask, browser: Browser, user: Visitor, authenticator: Authenticator) -> None:
    """Also without JavaScript, for who has lost what the passkey was in."""
    user.make("Tom & “Ada”")
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(user.page.context.cookies())
    plain = Visitor(context.new_page(), user.url)
    plain.open(PASSKEYS)
    plain.page.get_by_role("link", name="Delete Tom & “Ada”").click()
    plain.hears("Delete the passkey Tom & “Ada”?")
    plain.page.get_by_role("link", name="Keep it").click()
    plain.page.get_by_role("link", name="Delete Tom & “Ada”").click()
    plain.page.get_by_role("button", name="Delete").click()
    plain.hears("does not open this account any more")
    context.close()
    with sqlite_app.app_context():
        assert users.find(user.email).webauthn == []


def test_deletion_of_no_passkey_leads_back(sqlite_app: Flask) -> None:
    make_user(sqlite_app)
    client = sqlite_app.test_client()
    send_password(client)
    for query in ("", "?name=x", "?name=%E2%82%AC"):
        assert client.get(f"{PASSKEYS}/delete{query}").location == PASSKEYS


def test_copied_passkey_refused_after_use(user: Visitor, authenticator: Authenticator) -> None:
    user.make()
    (copy,) = authenticator.credentials()
    user.sign_out()
    user.use()
    user.sign_out()
    authenticator.clear()
    authenticator.put(copy)
    user.use()
    user.hears("The passkey could not be verified.")
    assert not user.is_in()


def test_passkey_of_disabled_account_refused(sqlite_app: Flask, user: Visitor, authenticator: Authenticator) -> None:
    user.make()
    user.sign_out()
    change(sqlite_app, update(User).values(active=False))
    user.use()
    user.page.wait_for_url(f"{user.url}{SIGN_IN}")
    with sqlite_app.app_context():
        assert users.find(user.email).webauthn[0].sign_count == 1, "it was taken for a sign-in"
    change(sqlite_app, update(User).values(active=True))
    assert not user.is_in()


def test_second_factor_passkey_needs_password(user: Visitor, page: Page) -> None:
    Authenticator(page)
    user.make("Key", "After the password")
    user.sign_out()
    user.use()
    # It is not discoverable, so the browser has none to offer; a wrong use is refused by the server as well.
    assert not user.is_in()


def test_passkey_without_user_verification_refused(user: Visitor, page: Page) -> None:
    Authenticator(page, hasUserVerification=False, isUserVerified=False)
    user.make()
    expect(page.locator(".passkey-fault")).not_to_be_empty()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_same_passkey_is_not_made_twice(user: Visitor, authenticator: Authenticator) -> None:
    user.make()
    user.make("Again")
    user.hears("This passkey belongs to your account already.")
    user.make("Phone")
    expect(user.page.locator("#name-error")).to_contain_text("You have a passkey “Phone” already.")


def test_ip_address_explains_missing_passkeys(page: Page, base_url: str) -> None:
    ada = Visitor(page, base_url.replace("localhost", "127.0.0.1"))
    Authenticator(page)
    ada.give_password()
    ada.make()
    ada.hears("Passkeys need an address with a name, such as localhost instead of 127.0.0.1.")


# --- after the password -------------------------------------------------------------------------


def test_passkey_follows_the_password(user: Visitor, page: Page, caplog: pytest.LogCaptureFixture) -> None:
    Authenticator(page, transport="usb", hasResidentKey=False, hasUserVerification=False, isUserVerified=False)
    user.make("Key", "After the password")
    user.hears("The passkey “Key” is ready")
    user.sign_out()
    user.give_password()
    page.wait_for_url(f"{user.url}{SIGN_IN}")
    user.hears("Your password was right.")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{user.url}/accounts/")
    assert user.is_in()
    seen = [record.by for record in caplog.records if getattr(record, "event", "") == "sign-in.succeeded"]
    assert seen == ["password+webauthn"]


def test_foreign_passkey_after_password_refused(sqlite_app: Flask, user: Visitor, page: Page) -> None:
    """With a stolen passkey one does not get in by another account's password."""
    found = Authenticator(page, transport="usb", hasUserVerification=False, isUserVerified=False)
    user.make("Key", "After the password")
    user.sign_out()
    (key,) = found.credentials()
    with sqlite_app.app_context():
        eve = users.find("eve@example.org")
        own = Passkey(name="Own", credential_id=b"own", public_key=b"", sign_count=0, usage="secondary")
        own.device_type, own.backup_state, own.lastuse_datetime = "single_device", False, now()
        eve.webauthn.append(own)
        db.session.commit()
    thief = Visitor(page, user.url, "eve@example.org")
    thief.give_password()
    page.wait_for_url(f"{user.url}{SIGN_IN}")
    offer_any_key(page, key["credentialId"])
    page.get_by_role("button", name="Use a passkey").click()
    thief.hears("This passkey belongs to another account.")
    assert not user.is_in()
    assert not thief.is_in()


def offer_any_key(page: Page, credential_id: str) -> None:
    """Change what the server allows, as a user at the browser can."""
    text = credential_id.replace("+", "-").replace("/", "_").rstrip("=")

    def allow(route: Any) -> None:
        answer = route.fetch()
        allowed = (
            f"&#34;allowCredentials&#34;: [{{&#34;id&#34;: &#34;{text}&#34;, &#34;type&#34;: &#34;public-key&#34;}}]"
        )
        body, count = re.subn(r"&#34;allowCredentials&#34;: \[.*?\]", allowed, answer.text())
        assert count == 1 or route.request.method == "GET"
        route.fulfill(response=answer, body=body)

    page.route(f"**{SIGN_IN}", allow)


def test_app_or_passkey_chosen(sqlite_app: Flask, user: Visitor, page: Page) -> None:
    Authenticator(page)
    user.make("Key", "After the password")
    with sqlite_app.app_context():
        owner = users.find(user.email)
        owner.tf_primary_method = "authenticator"
        owner.tf_totp_secret = sqlite_app.extensions["security"].totp_factory.generate_totp_secret()
        db.session.commit()
    user.sign_out()
    user.give_password()
    user.hears("What do you have at hand?")
    page.get_by_label("A passkey").check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{user.url}/accounts/")
    assert user.is_in()


def test_passkey_alone_counts_as_both(sqlite_app: Flask, user: Visitor, authenticator: Authenticator) -> None:
    user.make()
    with sqlite_app.app_context():
        owner = users.find(user.email)
        owner.tf_primary_method = "authenticator"
        owner.tf_totp_secret = sqlite_app.extensions["security"].totp_factory.generate_totp_secret()
        db.session.commit()
    user.sign_out()
    user.use()
    user.page.wait_for_url(f"{user.url}/accounts/")


# --- once more, before something is changed -----------------------------------------------------


def test_passkey_reauthenticates(sqlite_app: Flask, user: Visitor, authenticator: Authenticator) -> None:
    user.make()
    sqlite_app.config["SECURITY_FRESHNESS"] = timedelta(seconds=0.001)
    user.open("/accounts/recovery-codes")
    assert "/accounts/verify?next=" in user.page.url
    sqlite_app.config["SECURITY_FRESHNESS"] = timedelta(minutes=15)
    user.page.get_by_role("button", name="Use a passkey instead").click()
    user.page.wait_for_url(f"{user.url}/accounts/recovery-codes")


# --- what may be sent ---------------------------------------------------------------------------


def test_answer_counts_once(sqlite_app: Flask, user: Visitor, authenticator: Authenticator) -> None:
    """Also of a passkey that does not count its uses, as none does that is copied between devices."""
    user.make()
    user.sign_out()
    sent: list[Any] = []
    user.page.on("request", lambda request: sent.append(request) if f"{SIGN_IN}/" in request.url else None)
    user.use()
    assert user.is_in()
    change(sqlite_app, update(Passkey).values(sign_count=0))
    client = sqlite_app.test_client()
    (request,) = sent
    token = open_form(client, SIGN_IN)["csrf_token"]
    (credential,) = parse_qs(request.post_data)["credential"]
    again = client.post(
        request.url.removeprefix(user.url),
        data={"csrf_token": token, "credential": credential},
        base_url=user.url,
    )
    assert again.location == SIGN_IN
    assert "used already" in client.get(SIGN_IN, base_url=user.url).text
    assert client.get("/accounts/", base_url=user.url).status_code == 303


def answered(**response: str) -> str:
    return json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": response})


HOSTILE = [
    *("", "x", "[]", "null", "1e999", "{}", '{"id": 1}', "[" * 5000),
    answered(),
    answered(clientDataJSON="e30", authenticatorData="AA", signature="AA", userHandle="%%"),
    answered(clientDataJSON="e30", authenticatorData="AA", signature="AA"),
    answered(clientDataJSON="e30", attestationObject="AA"),
    answered(clientDataJSON="\ud800", attestationObject="é"),
]


@pytest.mark.parametrize("credential", HOSTILE)
@pytest.mark.parametrize("place", ["sign-in", "register", "verify"])
def test_broken_answer_is_refused(sqlite_app: Flask, place: str, credential: str) -> None:
    make_user(sqlite_app)
    client = sqlite_app.test_client()
    paths = {"sign-in": SIGN_IN, "register": PASSKEYS, "verify": "/accounts/verify/passkey"}
    if place != "sign-in":
        send_password(client)
    fields = {**open_form(client, paths[place]), "name": "Phone", "usage": "first"}
    page = client.post(paths[place], data=fields).text
    action = re.search(rf'action="({paths[place]}/[^"]+)', page)
    assert action
    answer = client.post(action[1], data={"csrf_token": fields["csrf_token"], "credential": credential})
    assert (answer.status_code, answer.location) == (302, paths[place])
    assert "alert-danger" in client.get(paths[place]).text


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 65, "​"])
def test_name_that_is_none_is_refused(sqlite_app: Flask, name: str) -> None:
    make_user(sqlite_app)
    client = sqlite_app.test_client()
    send_password(client)
    fields = {**open_form(client, PASSKEYS), "name": name, "usage": "first"}
    assert "field-errors" in client.post(PASSKEYS, data=fields).text


def test_passkey_name_shown_as_written(sqlite_app: Flask) -> None:
    assert PasskeyRules(sqlite_app).name_svn(" Tom & <b>Ada</b>’s ") == (None, "Tom & <b>Ada</b>’s")


def test_account_existence_not_revealed(sqlite_app: Flask) -> None:
    make_user(sqlite_app)
    client = sqlite_app.test_client()
    fields = open_form(client, SIGN_IN)
    pages = [
        client.post(SIGN_IN, data={**fields, "identity": who}).text for who in ("ada@example.org", "x@example.org")
    ]
    assert all("&#34;allowCredentials&#34;: []" in page for page in pages)
