"""Two real browsers at once: what one ends is ended in the other; and the pages, looked at."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import BrowserContext
from playwright.sync_api import Page
from playwright.sync_api import expect
from sqlalchemy.engine import URL

from tests.accounts.users import PASSWORD
from tests.accounts.users import make_user

NEW = "four quiet otters borrow umbrellas"


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def base_url(
    request: pytest.FixtureRequest,
    make_app: Callable[..., Flask],
    platform: Callable[[str], URL],
    start_redis: Any,
    live_server: Callable[[Flask], str],
) -> str:
    """Serve the whole application with Ada in it, the records in a database or in Redis."""
    if request.param == "redis":
        app = make_app(SESSION_STORE="redis", REDIS_URL=start_redis().url.render_as_string())
    else:
        app = make_app(platform(request.param))
    make_user(app)
    return live_server(app)


@pytest.fixture
def make_context(browser: Browser) -> Iterator[Callable[[], BrowserContext]]:
    """Make browsers that share nothing: ``contexts()``."""
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        made.append(browser.new_context(**options))
        return made[-1]

    yield make
    for context in made:
        context.close()


@pytest.fixture
def two_pages(make_context: Callable[[], BrowserContext], base_url: str) -> tuple[Page, Page]:
    """Return the pages of two browsers in which Ada is signed in."""
    return enter(make_context().new_page(), base_url), enter(make_context().new_page(), base_url)


def enter(page: Page, base_url: str, password: str = PASSWORD) -> Page:
    page.goto(f"{base_url}/accounts/sign-in")
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_label("Password").fill(password)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{base_url}/accounts/")
    return page


def is_signed_in(page: Page, base_url: str) -> bool:
    page.goto(f"{base_url}/accounts/")
    return page.url == f"{base_url}/accounts/"


def test_sign_out_everywhere_ends_other_browser(two_pages, base_url):
    here, there = two_pages
    here.goto(f"{base_url}/accounts/sessions")
    assert here.get_by_role("row").count() == 3
    here.get_by_role("button", name="Sign out everywhere else").click()
    here.get_by_text("Signed out of 1 other browser.").wait_for()

    assert not is_signed_in(there, base_url)
    assert is_signed_in(here, base_url)


def test_password_change_ends_other_browser(two_pages, base_url):
    here, there = two_pages
    here.goto(f"{base_url}/accounts/password")
    here.get_by_label("Current password").fill(PASSWORD)
    here.get_by_label("New password", exact=True).fill(NEW)
    here.get_by_label("Repeat the password").fill(NEW)
    here.locator("main form button").click()
    here.wait_for_url(f"{base_url}/accounts/")

    assert not is_signed_in(there, base_url)
    assert is_signed_in(here, base_url)


def test_cookie_copy_anonymous_after_sign_out(make_context, two_pages, base_url):
    here, there = two_pages
    thief = make_context()
    thief.add_cookies(here.context.cookies())
    copied = thief.new_page()
    assert is_signed_in(copied, base_url)

    here.get_by_role("button", name="Sign out").first.click()
    here.wait_for_url(f"{base_url}/accounts/sign-in")

    assert not is_signed_in(copied, base_url)
    assert is_signed_in(there, base_url), "only this browser was signed out"


def session_cookies(page):
    """Return the cookies of a browser without that of its time zone, which a script writes."""
    return [cookie for cookie in page.context.cookies() if cookie["name"] != "timezone"]


@pytest.mark.parametrize("base_url", ["sqlite"], indirect=True)
def test_closed_browser_session_kept_on_request(make_context, base_url):
    short = session_cookies(enter(make_context().new_page(), base_url))
    page = make_context().new_page()
    page.goto(f"{base_url}/accounts/sign-in")
    page.get_by_label("Stay signed in").check()
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{base_url}/accounts/")
    long = session_cookies(page)

    assert [cookie["expires"] for cookie in short] == [-1]
    assert [cookie["expires"] > 0 for cookie in long] == [True]
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" and cookie["path"] == "/" for cookie in short + long)


@pytest.mark.parametrize("base_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("size", [(1280, 800), (360, 740)])
def test_pages_are_accessible(make_context, base_url, size):
    page = make_context(viewport={"width": size[0], "height": size[1]}, java_script_enabled=True).new_page()
    enter(make_context().new_page(), base_url)
    enter(page, base_url)
    page.goto(f"{base_url}/accounts/sessions")
    check(page)
    stranger = make_context(viewport={"width": size[0], "height": size[1]}).new_page()
    for _ in range(11):
        stranger.goto(f"{base_url}/accounts/sign-in")
        stranger.get_by_label("Email address").fill("unknown@example.org")
        stranger.get_by_label("Password").fill("wrong horse battery")
        stranger.locator("main").get_by_role("button", name="Sign in").click()
    assert "Too many attempts" in stranger.title()
    check(stranger)
    stranger.get_by_role("link", name="Try again").click()
    stranger.wait_for_url(f"{base_url}/accounts/sign-in")


def check(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


#: User agents of two devices.
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1"
OFFICE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize("base_url", ["sqlite"], indirect=True)
def test_browsers_listed_by_name(make_context, base_url):
    phone = enter(make_context(user_agent=PHONE, viewport={"width": 360, "height": 740}).new_page(), base_url)
    office = enter(make_context(user_agent=OFFICE).new_page(), base_url)
    names = {phone: "Safari on iPhone", office: "Firefox on Windows"}
    for here, there in ((phone, office), (office, phone)):
        here.goto(f"{base_url}/accounts/sessions")
        mine, other = here.locator("tbody tr").all()
        expect(mine).to_contain_text(f"{names[here]} This one")
        expect(other).to_contain_text(names[there])
        expect(other.get_by_role("button")).to_have_accessible_name(f"Sign out of {names[there]}, 127.0.0.1")

    office.locator("main").get_by_role("button", name="Sign out of").click()

    assert not is_signed_in(phone, base_url)
    assert is_signed_in(office, base_url)


@pytest.mark.parametrize("base_url", ["sqlite"], indirect=True)
def test_page_works_without_a_script(make_context, base_url):
    there = enter(make_context(java_script_enabled=False).new_page(), base_url)
    here = enter(make_context(java_script_enabled=False).new_page(), base_url)
    here.goto(f"{base_url}/accounts/sessions")
    here.locator("main").get_by_role("button", name="Sign out of").click()

    expect(here.get_by_text("Signed out there.")).to_be_visible()
    assert not is_signed_in(there, base_url)
