"""The whole product below a prefix: every link and form of every page, and the ways of an account from end to end."""

import email
import email.policy
import re
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from passlib.totp import TOTP
from sqlalchemy.engine import URL
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from core import migrations
from core.modules import offers
from services import db
from tests.accounts.users import PASSWORD
from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.conftest import SECRET_KEY
from tests.crawler import Answer
from tests.crawler import Connection
from tests.crawler import Crawler
from tests.crawler import Send
from tests.crawler import sending
from tests.nginx import NginxSite

PREFIX = "/app"

#: Endpoints that the crawl does not start from: files, and views that end the session or belong to a ceremony.
LEFT_OUT = re.compile(r"/static/|sign-out|/_development")


@dataclass
class Mounted:
    """The product below its prefix.

    :param app: with the same database, to prepare it
    :param connect: makes a browser without cookies
    :param mails: what it has sent
    """

    app: Flask
    connect: Callable[[], Send]
    mails: Callable[[], list[EmailMessage]]

    def walk(self) -> Crawler:
        return Crawler(self.connect(), PREFIX)


@pytest.fixture
def dispatched_app(make_app: Callable[..., Flask]) -> Mounted:
    """Mount the product as Flask's documentation does."""
    app = make_app()
    application = DispatcherMiddleware(NotFound(), {PREFIX: app.wsgi_app})
    return Mounted(app, lambda: sending(application), lambda: mails(app))


@pytest.fixture
def configured_app(make_app: Callable[..., Flask]) -> Mounted:
    """Serve a product that knows its prefix by a server that does not, as the development server."""
    app = make_app(SCRIPT_NAME=PREFIX)
    return Mounted(app, lambda: sending(app.wsgi_app), lambda: mails(app))


@pytest.fixture
def nginx_app(
    make_app: Callable[..., Flask],
    new_database: Callable[[str], URL],
    start_nginx: Callable[..., NginxSite],
    tmp_path: Path,
) -> Mounted:
    """Serve the product by gunicorn, behind nginx's ``location /app/``."""
    url = new_database("sqlite")
    migrations.upgrade(url=url)
    variables = {"SCRIPT_NAME": PREFIX, "MAIL_URL": f"folder:{tmp_path}", "TRUSTED_HOSTS": "localhost"}
    front = start_nginx("run:app", DATABASE_URL=url.render_as_string(), SECRET_KEY=SECRET_KEY, **variables)

    def sent() -> list[EmailMessage]:
        return [_read(path) for path in sorted(tmp_path.glob("*.eml"))]

    return Mounted(make_app(url), lambda: Connection(front.ask, f"https://localhost:{front.https}"), sent)


def _read(path: Path) -> EmailMessage:
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


@pytest.fixture(params=["dispatched_app", "configured_app", "nginx_app"])
def mounted_app(request: pytest.FixtureRequest) -> Mounted:
    found: Mounted = request.getfixturevalue(request.param)
    return found


def addresses(app: Flask) -> Iterator[str]:
    """Yield each address that can be asked for without an argument."""
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments and not LEFT_OUT.search(rule.rule):
            yield rule.rule


def load_demo(app: Flask) -> None:
    with app.app_context():
        for _, file in offers(app, "demo"):
            file.load()
        db.session.commit()


@pytest.mark.parametrize("role", [None, "administrator"])
def test_links_and_forms_keep_prefix(mounted_app: Mounted, role: str | None) -> None:
    load_demo(mounted_app.app)
    make_user(mounted_app.app, roles=[role] if role else [])
    crawler = mounted_app.walk()
    if role:
        crawler.submit(f"{PREFIX}/accounts/sign-in", email="ada@example.org", password=PASSWORD)

    crawler.walk(list(addresses(mounted_app.app)))

    assert crawler.faults == []
    assert crawler.pages > {f"{PREFIX}{path}" for path in addresses(mounted_app.app)}
    assert ("POST", f"{PREFIX}/accounts/sign-{'out' if role else 'in'}") in crawler.forms


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_refusals_keep_prefix(mounted_app: Mounted, kind: str) -> None:
    crawler = mounted_app.walk()
    paths = [path.rstrip("/") for path in addresses(mounted_app.app)]
    for path in ("/nothing", *paths):
        for wrong in (f"{path}/", f"{path}/nothing", f"{path}?limit=x&page=x"):
            crawler.ask("GET", f"{PREFIX}{wrong}", headers={"Accept": kind})
        crawler.ask("DELETE", f"{PREFIX}{path}", headers={"Accept": kind})
    assert crawler.faults == []


def test_account_lives_below_prefix(mounted_app: Mounted) -> None:
    crawler = mounted_app.walk()
    new = {"name": "Grace", "password": PASSWORD, "password_confirm": PASSWORD}
    assert (
        crawler.submit(f"{PREFIX}/accounts/register", email="grace@example.org").location
        == f"{PREFIX}/accounts/sign-in"
    )
    confirm = link(mounted_app.mails()[-1])
    assert confirm.startswith(f"{PREFIX}/accounts/confirm/")
    assert crawler.submit(confirm, **new).location.startswith(f"{PREFIX}/accounts/")
    assert sign_in(crawler, next_=f"{PREFIX}/status").location == f"{PREFIX}/status"
    key = set_app_up(crawler)
    assert sign_out(crawler).location == f"{PREFIX}/accounts/sign-in"
    code_page = sign_in(crawler).location
    assert code_page == f"{PREFIX}/accounts/sign-in/code"
    # The next one: that of now is used. It is taken for a minute, also by a server with a clock of its own.
    answer = crawler.submit(code_page, code=TOTP(key).generate(time=time.time() + 30).token)
    assert answer.location.startswith(f"{PREFIX}/accounts/")
    assert crawler.ask("GET", answer.location).status == 200
    sign_out(crawler)
    crawler.submit(f"{PREFIX}/accounts/reset", email="grace@example.org")
    reset = link(mounted_app.mails()[-1])
    assert reset.startswith(f"{PREFIX}/accounts/reset/")
    chosen = {"password": "seven green apples fall", "password_confirm": "seven green apples fall"}
    assert crawler.submit(reset, **chosen).location.startswith(f"{PREFIX}/accounts/")
    assert sign_in(crawler, password=chosen["password"]).location == code_page
    assert crawler.faults == []


def sign_in(crawler: Crawler, *, next_: str = "", password: str = PASSWORD) -> Answer:
    query = f"?next={next_}" if next_ else ""
    return crawler.submit(f"{PREFIX}/accounts/sign-in{query}", email="grace@example.org", password=password)


def sign_out(crawler: Crawler) -> Answer:
    url = f"{PREFIX}/accounts/sign-out"
    token = re.search(
        rf'action="{url}">\s*<input [^>]*value="([^"]+)"', crawler.ask("GET", f"{PREFIX}/accounts/profile").text
    )
    assert token, "not signed in"
    return crawler.ask("POST", url, {"csrf_token": token[1]})


def set_app_up(crawler: Crawler) -> str:
    """Set an authenticator app up, and return its key; the code of now is used."""
    url = f"{PREFIX}/accounts/authenticator"
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', crawler.ask("GET", url).text)
    assert token
    page = crawler.ask("POST", url, {"csrf_token": token[1], "setup": "authenticator"}).text
    key = re.search(r'<code class="key">([^<]+)', page)
    action = re.search(rf'action="({url}/[^"]+)', page)
    assert key
    assert action
    code = TOTP(key[1]).generate().token
    answer = crawler.ask("POST", action[1], {"csrf_token": token[1], "code": code})
    assert answer.location == f"{PREFIX}/accounts/second-factor"
    return key[1]


def test_next_is_quoted_once(mounted_app: Mounted) -> None:
    make_user(mounted_app.app, "grace@example.org")
    path = f"{PREFIX}/caf%C3%A9%20au%20lait?a=%20b"
    answer = sign_in(mounted_app.walk(), next_=path.replace("%", "%25"))
    assert answer.location == path


@pytest.mark.parametrize("site", [[], ["--site=https://www.example.org"], ["--site=https://www.example.org/app/"]])
def test_command_links_have_prefix(make_app: Callable[..., Flask], site: list[str]) -> None:
    app = make_app(SCRIPT_NAME=PREFIX, TRUSTED_HOSTS=["www.example.org"])
    make_user(app)
    answer = app.test_cli_runner().invoke(args=["accounts", "reset", "ada@example.org", *site])
    assert f"://www.example.org{PREFIX}/accounts/reset/" in answer.output


def test_cookies_of_two_prefixes_differ(make_app: Callable[..., Flask]) -> None:
    names = {make_app(SCRIPT_NAME=prefix).config["SESSION_COOKIE_NAME"] for prefix in ("", "/app", "/a/b")}
    assert names == {"session", "session-app", "session-a-b"}


@pytest.mark.parametrize(("path", "status"), [("/app/status", 201), ("/app", 308), ("/status", 201), ("/apple", 404)])
def test_prefix_is_moved_once(make_app: Callable[..., Flask], path: str, status: int) -> None:
    answer = sending(make_app(SCRIPT_NAME=PREFIX).wsgi_app)("GET", path, None, {})
    assert answer.status == status
