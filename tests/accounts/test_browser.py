"""Accounts in a browser: with a script and without, on a phone, in the dark, and for who cannot see them."""

from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect

from tests.accounts.users import PASSWORD
from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.forms import submit

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
NEW = "four quiet otters borrow umbrellas"
OUTSIDE = ("sign-in", "register", "reset", "confirm", "confirm/x", "email/x")
INSIDE = ("", "profile", "password", "email", "verify")

#: Findings of axe-core: (rule, first element), each once.
VIOLATIONS = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, nodes }) => [id, nodes[0].html, nodes[0].failureSummary]);
}"""


@pytest.fixture
def base_url(sqlite_app: Flask, live_server: Callable[[Flask], str]) -> str:
    """Return the address of a site on which Ada has an account."""
    make_user(sqlite_app, name="Ada Lovelace")
    return f"{live_server(sqlite_app)}/accounts"


@pytest.fixture
def page_without_scripts(browser: Browser) -> Iterator[Page]:
    """Return a page of a browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def sign_in(page: Page, base_url: str, password: str = PASSWORD) -> None:
    page.goto(f"{base_url}/sign-in")
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def test_account_lifecycle_without_script(sqlite_app: Flask, base_url: str, page_without_scripts: Page) -> None:
    page_without_scripts.goto(base_url.removesuffix("/accounts"))
    page_without_scripts.get_by_role("link", name="Sign in").click()
    page_without_scripts.get_by_role("link", name="Register").click()
    page_without_scripts.get_by_label("Email address", exact=True).fill("grace@example.org")
    page_without_scripts.get_by_role("button", name="Register").click()
    expect(page_without_scripts.get_by_role("status")).to_contain_text("We have sent a mail to grace@example.org")
    page_without_scripts.goto(base_url.removesuffix("/accounts") + link(mails(sqlite_app)[0]))
    for label, text in (("Name", "Grace"), ("Password", NEW), ("Repeat the password", NEW)):
        page_without_scripts.get_by_label(label, exact=True).fill(text)
    page_without_scripts.get_by_role("button", name="Confirm the address").click()
    expect(page_without_scripts.get_by_role("status")).to_contain_text("You can sign in now")
    page_without_scripts.get_by_label("Email address").fill("grace@example.org")
    page_without_scripts.get_by_label("Password").fill(NEW)
    page_without_scripts.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page_without_scripts.get_by_role("heading", name="Account")).to_be_visible()
    page_without_scripts.get_by_role("banner").get_by_role("button", name="Sign out").click()
    expect(page_without_scripts.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()


def test_wrong_password_announced(base_url: str, page: Page) -> None:
    sign_in(page, base_url, "not the password")
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("The address or the password is wrong")
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Email address")).to_have_value("ada@example.org")


def test_sign_in_page_gives_reason(base_url: str, page: Page) -> None:
    page.goto(f"{base_url}/sign-in")
    expect(page.get_by_text("Sign in to go on")).to_have_count(0)
    page.goto(f"{base_url}/profile")
    expect(page.get_by_text("Sign in to continue.")).to_be_visible()


def test_keyboard_is_enough(base_url: str, page: Page) -> None:
    page.goto(f"{base_url}/sign-in")
    order = walk(page, until="Confirm your address")
    start = order.index("Email address")
    assert order[0] == "Skip to the content"
    assert order[start:] == [
        *("Email address", "Password", "Stay signed in when the browser is closed", "Sign in", "Forgot your password?"),
        *("Sign in with a passkey", "Register", "Confirm your address"),
    ]
    page.get_by_label("Email address").focus()
    for key in ("ada@example.org", "Tab", PASSWORD, "Enter"):
        page.keyboard.press(key) if key.isalpha() else page.keyboard.type(key)
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
    order = walk(page, until="Access tokens")
    assert order[order.index("Profile") :] == [
        *("Profile", "Email address", "Password", "Second factor", "Passkeys", "Sessions", "Access tokens")
    ]
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Access tokens")).to_be_visible()


def walk(page: Page, until: str) -> list[str]:
    """Press Tab until something has the focus; return what had it, each seen on the screen with its outline."""
    names: list[str] = []
    while until not in names:
        page.keyboard.press("Tab")
        name, is_shown = page.evaluate(FOCUS)
        assert is_shown, name
        names.append(name)
        assert len(names) < 40, names
    return names


#: The focused element: its name, and whether the focus is visible.
FOCUS = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect();
    const name = one.labels?.[0]?.childNodes[0].textContent ?? one.ariaLabel ?? one.innerText;
    const inside = box.width > 0 && box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
    return [name.trim(), inside && getComputedStyle(one).outlineStyle !== "none"];
}"""


def test_password_managers_find_their_fields(sqlite_app: Flask, base_url: str, page: Page) -> None:
    page.goto(f"{base_url}/sign-in")
    assert page.get_by_label("Email address").get_attribute("autocomplete").startswith("username")
    assert page.get_by_label("Password").get_attribute("autocomplete") == "current-password"
    page.goto(confirmation(sqlite_app, base_url))
    for label in ("Password", "Repeat the password"):
        field = page.get_by_label(label, exact=True)
        assert field.get_attribute("autocomplete") == "new-password"
        assert field.get_attribute("maxlength") is None
    # Pasting is not hindered.
    page.get_by_label("Password", exact=True).focus()
    page.evaluate("document.activeElement.dispatchEvent(new ClipboardEvent('paste', {cancelable: true})) || fail()")


def confirmation(sqlite_app: Flask, base_url: str) -> str:
    """Register, and return the address that the mail leads to."""
    submit(sqlite_app.test_client(), "/accounts/register", email="grace@example.org")
    return base_url.removesuffix("/accounts") + link(mails(sqlite_app)[-1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(sqlite_app: Flask, base_url: str, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(confirmation(sqlite_app, base_url))
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = {"confirmation": page.evaluate(VIOLATIONS)}
    for inside, paths in ((False, OUTSIDE), (True, INSIDE)):
        if inside:
            sign_in(page, base_url)
        for path in paths:
            page.goto(f"{base_url}/{path}")
            page.evaluate(AXE.read_text(encoding="utf-8"))
            found[path] = page.evaluate(VIOLATIONS)
    page.goto(f"{base_url}/password")
    page.get_by_role("main").get_by_role("button").click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found["with errors"] = page.evaluate(VIOLATIONS)
    assert {path: violations for path, violations in found.items() if violations} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_mail_is_accessible(sqlite_app: Flask, base_url: str, page: Page, scheme: str) -> None:
    page.goto(f"{base_url}/reset")
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("status")).to_contain_text("we have sent it a link")
    (mail,) = mails(sqlite_app)
    html = mail.get_body(("html",))
    assert html is not None
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    # A page of no address and of no policy, as in a mail program.
    page.goto("about:blank")
    page.set_content(html.get_content())
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(VIOLATIONS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.get_by_role("heading")).to_have_text(mail["Subject"])
    expect(page.get_by_role("link")).to_have_attribute("href", base_url.removesuffix("/accounts") + link(mail))
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(243, 245, 244)", "dark": "rgb(15, 21, 20)"}[scheme]


def test_nothing_is_wider_than_a_phone(base_url: str, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    wide = []
    for inside, paths in ((False, OUTSIDE), (True, INSIDE)):
        if inside:
            sign_in(page, base_url)
        for path in paths:
            page.goto(f"{base_url}/{path}")
            wide += [path] if page.evaluate("document.documentElement.scrollWidth") > 360 else []
            assert page.locator(".site-header").bounding_box()["height"] < 80, path
    assert wide == []
    page.get_by_role("link", name="Ada Lovelace").click()
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_sign_out_leaves_other_browser(base_url: str, page: Page, browser: Browser) -> None:
    other = browser.new_page()
    for each in (page, other):
        sign_in(each, base_url)
    page.get_by_role("banner").get_by_role("button", name="Sign out").click()
    page.goto(f"{base_url}/profile")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    other.goto(f"{base_url}/profile")
    expect(other.get_by_role("heading", name="Profile")).to_be_visible()
    other.close()
