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
from tests.accounts import bank
from tests.accounts.people import make_person
from tests.accounts.people import sign_in
from tests.forms import open_form
from tests.forms import submit

MODULES = ["app.home", "app.accounts", bank.__name__]


@pytest.fixture
def site(make_app: Callable[..., Flask]) -> Flask:
    """Return accounts and a bank."""
    return make_app(None, MODULES)


@pytest.fixture
def statements(site: Flask) -> Iterator[list[str]]:
    """Return what the database is asked, but for the beginnings of transactions."""
    found: list[str] = []
    with site.app_context():
        engine = db.engine

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def ada(site: Flask, visitor: FlaskClient) -> FlaskClient:
    """Return the browser of an administrator who has signed in."""
    make_person(site, roles=["administrator"])
    sign_in(visitor)
    return visitor


def about_people(statements: list[str]) -> list[str]:
    return [statement for statement in statements if "accounts_" in statement]


def test_public_page_costs_no_query(visitor: FlaskClient, statements: list[str]) -> None:
    assert visitor.get("/").status_code == 200
    assert statements == []


def test_anonymous_cookie_costs_no_query(visitor: FlaskClient, statements: list[str]) -> None:
    visitor.get("/accounts/sign-in")
    assert visitor.get_cookie("session") is not None
    statements.clear()

    assert visitor.get("/").status_code == 200

    assert statements == []


def test_anonymous_endpoint_costs_no_query(ada: FlaskClient, statements: list[str]) -> None:
    statements.clear()

    assert ada.get("/status").status_code == 201

    assert statements == []


@pytest.mark.parametrize("path", ["/", "/accounts/", "/accounts/profile"])
def test_signed_in_page_costs_one_query(ada: FlaskClient, statements: list[str], path: str) -> None:
    statements.clear()

    assert "Ada" in ada.get(path).text

    assert len(statements) == 1, statements


def test_session_write_costs_one_lookup(ada: FlaskClient, statements: list[str]) -> None:
    headers = {"X-CSRFToken": open_form(ada, "/accounts/profile")["csrf_token"]}
    statements.clear()

    assert ada.post("/bank/safe", headers=headers).status_code == 200

    assert len(about_people(statements)) == 1, statements


def test_token_write_costs_one_lookup(site: Flask, ada: FlaskClient, statements: list[str]) -> None:
    headers = tokens.authorization(tokens.issue(site, "bank.safe.open"))
    program = site.test_client()
    assert program.get("/bank/window", headers=headers).status_code == 200  # writes its use
    statements.clear()

    assert program.post("/bank/safe", headers=headers).status_code == 200

    assert len(about_people(statements)) == 1, statements


def test_missing_columns_loaded_on_demand(ada: FlaskClient, statements: list[str]) -> None:
    statements.clear()

    assert ada.get("/accounts/second-factor").status_code == 200

    assert "tf_primary_method" not in statements[0]
    assert any("tf_primary_method" in statement for statement in statements[1:])


def test_account_saved_like_loaded_one(ada: FlaskClient, statements: list[str]) -> None:
    for name in ("Ada L.", "Lady Lovelace"):
        assert submit(ada, "/accounts/profile", name=name).status_code == 303
        assert name in ada.get("/accounts/").text

    (written,) = {statement for statement in statements if statement.startswith("UPDATE accounts_user ")}
    assert "SET name=?, version=? WHERE" in written.replace("\n", " ")
