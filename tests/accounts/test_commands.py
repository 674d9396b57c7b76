"""The commands for operators."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete

from app.accounts import users
from app.accounts.models import Role
from core import signals
from services import db
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.forms import submit

NEW = "four quiet otters borrow umbrellas"


def run(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["accounts", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def fail(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["accounts", *arguments])
    assert result.exit_code != 0, result.output
    return result.output


def test_administrator_created_without_password(app: Flask, client: FlaskClient) -> None:
    output = run(app, "create-admin", "Root@Example.org", "--site", "http://localhost")
    assert "root@example.org is an administrator" in output
    (path,) = re.findall(r"http://localhost(/accounts/reset/\S+)", output)
    with app.app_context():
        user = users.find("root@example.org")
        assert (user.password, user.name) == (None, "Root")
        assert {role.name for role in user.roles} == {"member", "administrator"}
    submit(client, path, password=NEW, password_confirm=NEW)
    assert sign_in(client, "root@example.org", NEW).location == "/accounts/"
    assert client.get(path).location == "/accounts/reset"


def test_administrator_created_without_role_row(app: Flask) -> None:
    with app.app_context():
        db.session.execute(delete(Role))
        db.session.commit()
    run(app, "create-admin", "root@example.org", "--site", "http://localhost")
    assert "administrator: " in run(app, "roles")
    assert "administrator" in run(app, "list")
    assert "staff" in run(app, "give", "root@example.org", "staff")


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@example.org", "nonsense", "a@b@c.org"])
def test_administrator_invalid_address_refused(sqlite_app: Flask, email: str) -> None:
    make_user(sqlite_app)
    assert "Error: " in fail(sqlite_app, "create-admin", email)


def test_reset_prints_site_link(make_app: Callable[..., Flask]) -> None:
    app = make_app(TRUSTED_HOSTS=["www.example.org", ".example.org"], PREFERRED_URL_SCHEME="https")
    make_user(app)
    assert "\nhttps://www.example.org/accounts/reset/" in run(app, "reset", "ada@example.org")
    assert "No account has the address" in fail(app, "reset", "unknown@example.org")


@pytest.mark.parametrize(
    ("site_url", "message"),
    [
        ("www.example.org", "is no address"),
        ("ftp://localhost", "is no address"),
        ("http://localhost:x", "is no address"),
        ("http://[", "is no address"),
        ("http://localhost?x", "is no address"),
        ("https://www.example.org", "would not be answered: add it to TRUSTED_HOSTS"),
    ],
)
def test_reset_unreachable_link_refused_first(sqlite_app: Flask, site_url: str, message: str) -> None:
    make_user(sqlite_app)
    for command in (["create-admin", "root@example.org"], ["reset", "ada@example.org"]):
        result = sqlite_app.test_cli_runner().invoke(args=["accounts", *command, "--site", site_url])
        assert (result.exit_code, message in result.output) == (2, True), result.output
    assert "root@example.org" not in run(sqlite_app, "list")


@pytest.mark.parametrize(
    ("config", "address"),
    [
        ({"HOST": "127.0.0.1"}, "http://localhost:5000/"),
        ({"HOST": "0.0.0.0"}, "http://localhost:5000/"),
        ({"HOST": "192.0.2.7", "TRUSTED_HOSTS": ["192.0.2.7"]}, "http://192.0.2.7:5000/"),
    ],
)
def test_development_link_uses_served_name(
    make_app: Callable[..., Flask], config: dict[str, Any], address: str
) -> None:
    app = make_app(APP_ENV="development", PORT=5000, **config)
    make_user(app)
    assert f"\n{address}accounts/reset/" in run(app, "reset", "ada@example.org")


def test_reset_of_disabled_account_hints(sqlite_app: Flask) -> None:
    make_user(sqlite_app)
    run(sqlite_app, "disable", "ada@example.org")
    assert "is disabled: `accounts enable`" in fail(sqlite_app, "reset", "ada@example.org")


def test_administrator_long_name_refused(app: Flask) -> None:
    assert "at most 120 characters" in fail(app, "create-admin", "root@example.org", "--name", "x" * 121)


def test_take_missing_role_refused(sqlite_app: Flask) -> None:
    make_user(sqlite_app)
    assert "does not have the role 'staf'" in fail(sqlite_app, "take", "ada@example.org", "staf")


def test_reset_unknown_site_asks(make_app: Callable[..., Flask]) -> None:
    app = make_app(TRUSTED_HOSTS=[".example.org"])
    make_user(app)
    assert "--site https://" in fail(app, "reset", "ada@example.org")


def test_reset_link_works_without_mail(make_app: Callable[..., Flask]) -> None:
    app = make_app(MAIL_URL=[])
    make_user(app)
    client = app.test_client()
    output = run(app, "reset", "ada@example.org", "--site", "http://localhost")
    path = output.strip().rpartition("http://localhost")[2]
    submit(client, path, password=NEW, password_confirm=NEW)
    assert sign_in(client, password=NEW).location == "/accounts/"
    assert "ask its administrators for a link" in app.test_client().get("/accounts/reset").text
    assert client.get("/accounts/email").status_code == 404


def test_disable_and_enable(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    sign_in(client)
    run(app, "disable", "ada@example.org")
    assert client.get("/accounts/").status_code == 303
    assert sign_in(client).status_code == 200
    run(app, "enable", "ada@example.org")
    assert sign_in(client).status_code == 302


def test_last_administrator_is_not_disabled(sqlite_app: Flask) -> None:
    make_user(sqlite_app, roles=["administrator"])
    assert fail(sqlite_app, "disable", "ada@example.org").startswith("Error: This is the only administrator: make")
    with sqlite_app.app_context():
        assert users.find("ada@example.org").active


def test_list_shows_state_of_accounts(app: Flask) -> None:
    make_user(app, roles=["staff"])
    make_user(app, "grace@example.org", "Grace")
    run(app, "disable", "grace@example.org")
    lines = [line.split() for line in run(app, "list").splitlines()]
    assert lines == [
        ["ada@example.org", "Ada", "member,", "staff"],
        ["grace@example.org", "Grace", "member,", "disabled"],
    ]


def test_no_command_takes_a_password(sqlite_app: Flask) -> None:
    context = sqlite_app.cli.commands["accounts"].make_context("accounts", [], resilient_parsing=True)
    commands = context.command.commands
    assert "create-admin" in commands
    for command in commands.values():
        options = {parameter.name for parameter in command.params}
        assert not [option for option in options if "password" in option or "secret" in option]


def test_first_start_explains_administrator(
    sqlite_app: Flask, make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite_app.app_context():
        signals.prepared.send(sqlite_app)
    assert "accounts create-admin" in capsys.readouterr().out
    make_user(sqlite_app)
    without = make_app(None, ["app.home"])
    for app in (sqlite_app, without):
        with app.app_context():
            signals.prepared.send(app)
    assert capsys.readouterr().out == ""
