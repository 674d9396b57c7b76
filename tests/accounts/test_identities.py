"""Costs of the current identity: one query at most, and none where it is not needed."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from services import db
from tests import tokens
from tests.accounts import billing
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.forms import open_form
from tests.forms import submit

MODULES = ["app.home", "app.accounts", billing.__name__]


@pytest.fixture
def sqlite_app(make_app: Callable[..., Flask]) -> Flask:
    """Return accounts and a billing."""
    return make_app(None, MODULES)


@pytest.fixture
def statements(sqlite_app: Flask) -> Iterator[list[str]]:
    """Return what the database is asked, but for the beginnings of transactions."""
    found: list[str] = []
    with sqlite_app.app_context():
        engine = db.engine

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def admin_client(sqlite_app: Flask, sqlite_client: FlaskClient) -> FlaskClient:
    """Return the browser of an administrator who has signed in."""
    make_user(sqlite_app, roles=["administrator"])
    sign_in(sqlite_client)
    return sqlite_client


def about_people(statements: list[str]) -> list[str]:
    return [statement for statement in statements if "accounts_" in statement]


def test_public_page_costs_no_query(sqlite_client: FlaskClient, statements: list[str]) -> None:
    assert sqlite_client.get("/").status_code == 200
    assert statements == []


def test_anonymous_cookie_costs_no_query(sqlite_client: FlaskClient, statements: list[str]) -> None:
    sqlite_client.get("/accounts/sign-in")
    assert sqlite_client.get_cookie("session") is not None
    statements.clear()

    assert sqlite_client.get("/").status_code == 200

    assert statements == []


def test_anonymous_endpoint_costs_no_query(admin_client: FlaskClient, statements: list[str]) -> None:
    statements.clear()

    assert admin_client.get("/status").status_code == 201

    assert statements == []


@pytest.mark.parametrize("path", ["/", "/accounts/", "/accounts/profile"])
def test_signed_in_page_costs_one_query(admin_client: FlaskClient, statements: list[str], path: str) -> None:
    statements.clear()

    assert "Ada" in admin_client.get(path).text

    assert len(statements) == 1, statements


def test_session_write_costs_one_lookup(admin_client: FlaskClient, statements: list[str]) -> None:
    headers = {"X-CSRFToken": open_form(admin_client, "/accounts/profile")["csrf_token"]}
    statements.clear()

    assert admin_client.post("/billing/payment", headers=headers).status_code == 200

    assert len(about_people(statements)) == 1, statements


def test_token_write_costs_one_lookup(sqlite_app: Flask, admin_client: FlaskClient, statements: list[str]) -> None:
    headers = tokens.authorization(tokens.issue(sqlite_app, "billing.payment.open"))
    program = sqlite_app.test_client()
    assert program.get("/billing/notice", headers=headers).status_code == 200  # writes its use
    statements.clear()

    assert program.post("/billing/payment", headers=headers).status_code == 200

    assert len(about_people(statements)) == 1, statements


def test_missing_columns_loaded_on_demand(admin_client: FlaskClient, statements: list[str]) -> None:
    statements.clear()

    assert admin_client.get("/accounts/second-factor").status_code == 200

    assert "tf_primary_method" not in statements[0]
    assert any("tf_primary_method" in statement for statement in statements[1:])


def test_account_saved_like_loaded_one(admin_client: FlaskClient, statements: list[str]) -> None:
    for name in ("Ada L.", "Lady Lovelace"):
        assert submit(admin_client, "/accounts/profile", name=name).status_code == 303
        assert name in admin_client.get("/accounts/").text

    (written,) = {statement for statement in statements if statement.startswith("UPDATE accounts_user ")}
    assert "SET name=?, version=? WHERE" in written.replace("\n", " ")
