"""Links in mails: each counts for a while, for its own purpose, and no change of an account goes without a proof."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner

from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.accounts.users import text
from tests.forms import open_form
from tests.forms import read
from tests.forms import submit

NEW = "seven green apples fall"


def ask_for_a_link(app: Flask, client: FlaskClient) -> str:
    make_user(app)
    submit(client, "/accounts/reset", email="ada@example.org")
    return link(mails(app)[0])


@pytest.mark.parametrize("headers", [{"Host": "evil.example.net"}, {"Host": "localhost.evil.example.net"}])
def test_foreign_host_sends_no_mail(sqlite_app: Flask, sqlite_client: FlaskClient, headers: dict[str, str]) -> None:
    make_user(sqlite_app)
    fields = open_form(sqlite_client, "/accounts/reset") | {"email": "ada@example.org"}

    assert sqlite_client.post("/accounts/reset", data=fields, headers=headers).status_code == 400
    assert mails(sqlite_app) == []


def test_proxy_headers_do_not_change_links(make_app: Callable[..., Flask]) -> None:
    app = make_app(TRUSTED_HOSTS=["localhost", "evil.example.net"], PROXY_HOPS=1)
    make_user(app)
    client = app.test_client()
    fields = open_form(client, "/accounts/reset") | {"email": "ada@example.org"}
    evil = {"X-Forwarded-Host": "evil.example.net", "Forwarded": "host=evil.example.net", "X-Host": "evil.example.net"}
    client.post("/accounts/reset", data=fields, headers=evil)

    (mail,) = mails(app)
    assert "http://localhost/accounts/reset/" in text(mail)
    assert "evil" not in text(mail)


def test_password_link_valid_for_hours(
    sqlite_app: Flask, sqlite_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ask_for_a_link(sqlite_app, sqlite_client)
    assert sqlite_client.get(path).status_code == 200
    today = TimestampSigner.get_timestamp
    seconds = sqlite_app.config["SECURITY_RESET_PASSWORD_WITHIN"].total_seconds() + 60
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda signer: today(signer) + int(seconds))

    assert sqlite_client.get(path).location == "/accounts/reset"
    assert seconds <= timedelta(days=1).total_seconds() + 60


def test_link_valid_for_one_purpose(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    submit(sqlite_client, "/accounts/register", email="grace@example.org")
    confirmation = link(mails(sqlite_app)[0])
    assert confirmation.startswith("/accounts/confirm/")

    assert sqlite_client.get(confirmation.replace("/confirm/", "/reset/")).location == "/accounts/reset"
    assert sqlite_client.get(confirmation).status_code == 200


def test_password_link_does_not_sign_in(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    path = ask_for_a_link(sqlite_app, sqlite_client)
    answer = submit(sqlite_client, path, password=NEW, password_confirm=NEW)

    assert answer.location == "/accounts/sign-in"
    assert sqlite_client.get("/accounts/").location.startswith("/accounts/sign-in")


def test_address_change_needs_fresh_session(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    make_user(sqlite_app)
    sign_in(sqlite_client)
    assert sqlite_client.get("/accounts/email").status_code == 200
    sqlite_app.config["SECURITY_FRESHNESS"] = timedelta(seconds=0.001)

    assert sqlite_client.get("/accounts/email").location.startswith("/accounts/verify?next=")


#: An application's configuration, the Host header, and what links begin with.
HOSTS = [
    ({}, "localhost:6666", "http://localhost/"),
    ({"TRUSTED_HOSTS": ["localhost:8443"]}, "localhost:6666", "http://localhost:8443/"),
    ({"TRUSTED_HOSTS": ["localhost:8443"]}, "localhost", "http://localhost:8443/"),
    ({"TRUSTED_HOSTS": ["www.example.org", ".example.org"]}, "shop.example.org:6666", "http://shop.example.org/"),
    (
        {"APP_ENV": "production", "TRUSTED_HOSTS": ["example.org"], "MAIL_URL": ["memory:"]},
        "example.org:6666",
        "http://example.org/",
    ),
]


@pytest.mark.parametrize(("config", "host", "start"), HOSTS)
def test_host_header_chooses_no_port(make_app: Callable[..., Flask], config: dict[str, Any], host: str, start: str):
    app = make_app(**config)
    make_user(app)
    client = app.test_client()
    headers = {"Host": host}
    page = client.get("/accounts/reset", headers=headers).text
    client.post("/accounts/reset", data=read(page) | {"email": "ada@example.org"}, headers=headers)

    (mail,) = mails(app)
    assert f"\n{start}accounts/reset/" in text(mail)
    assert "6666" not in mail.as_string()
