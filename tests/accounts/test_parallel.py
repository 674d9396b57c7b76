"""The same form twice at the same moment, as a double click sends it: an answer of the contract, never a 500."""

from collections.abc import Callable
from typing import Any

import click
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.cli import ScriptInfo
from flask.testing import FlaskClient

from app.accounts import users
from app.accounts.models import Role
from app.accounts.models import Token
from app.accounts.models import User
from app.accounts.tokens import issuing
from services import db
from tests.accounts.users import PASSWORD
from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.commits import at_once
from tests.commits import gate
from tests.commits import meeting
from tests.forms import open_form
from tests.forms import submit

NEW = "four quiet otters borrow umbrellas"
PAIR = {"password": NEW, "password_confirm": NEW}
CHANGE = {"password": PASSWORD, "new_password": NEW, "new_password_confirm": NEW}

#: Request before, path (``None`` for the link of the last mail), fields, and the statement that both begin with.
FORMS: dict[str, tuple[tuple[str, str] | None, str | None, dict[str, Any], str]] = {
    "profile": (None, "/accounts/profile", {"name": "Countess"}, "UPDATE accounts_user"),
    "password": (None, "/accounts/password", CHANGE, "UPDATE accounts_user"),
    "email": (("/accounts/email", "new@example.org"), None, {}, "UPDATE accounts_user"),
    "reset": (("/accounts/reset", "ada@example.org"), None, PAIR, "UPDATE accounts_user"),
    "confirm": (("/accounts/register", "grace@example.org"), None, {"name": "Grace", **PAIR}, "UPDATE accounts_user"),
    "register": (None, "/accounts/register", {"email": "grace@example.org"}, "INSERT INTO accounts_user"),
    "recovery codes": (None, "/accounts/recovery-codes", {}, "UPDATE accounts_user"),
    "roles of a user": (None, "/accounts/people/{key}/roles", {"roles": ["staff"]}, "UPDATE accounts_user"),
    "grants": (
        None,
        "/accounts/roles/staff",
        {"permissions": ["accounts.role.edit"]},
        "INSERT INTO accounts_role_permission",
    ),
    "new role": (None, "/accounts/roles/new", {"name": "helper"}, "INSERT INTO accounts_role"),
    "verify": (None, "/accounts/verify", {"password": PASSWORD}, "DELETE FROM accounts_session"),
}

#: Those that a visitor sends who is not signed in.
BY_VISITORS = ("reset", "confirm", "register")


def double(app: Flask, client: FlaskClient, path: str, fields: dict[str, Any]) -> list[Any]:
    """Send a form twice at the same moment, as one browser does."""

    def post() -> Any:
        other = app.test_client()
        other._cookies.update(client._cookies)
        return other.post(path, data=fields)

    return at_once(post, post)


@pytest.mark.parametrize("what", FORMS)
def test_double_click_is_answered(app: Flask, what: str, caplog: pytest.LogCaptureFixture) -> None:
    asked, path, fields, statement = FORMS[what]
    make_user(app, roles=["administrator"])
    key = make_user(app, "eve@example.org", "Eve")
    client = app.test_client()
    if what not in BY_VISITORS:
        sign_in(client)
    if asked is not None:
        submit(client, asked[0], email=asked[1])
    path = (path or link(mails(app)[-1])).format(key=key_of(app, key))
    sent = open_form(client, path) | fields
    with gate(app, statement):
        answers = double(app, client, path, sent)

    statuses = sorted(answer.status_code for answer in answers)
    # After a verification or a change of the address the session has ended: a click that comes later than that has
    # none (ASVS 7.2.4).
    late = {401} if what in ("verify", "email") else set()
    assert set(statuses) <= {200, 302, 303, 409, 422} | late, statuses
    assert statuses[0] in (200, 302, 303), "one of them is done"
    assert "Traceback" not in caplog.text


def key_of(app: Flask, key: str) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(User.id).where(User.key == key))


def count(app: Flask, statement: sa.Select[Any]) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).select_from(statement.subquery()))


def test_tokens_at_once_have_different_names(app: Flask, client: FlaskClient) -> None:
    make_user(app, roles=["administrator"])
    sign_in(client)
    path = "/accounts/tokens/new"
    sent = open_form(client, path) | {"name": "nightly", "scopes": ["history.change.read"]}
    answers = [answer for _ in range(3) for answer in double(app, client, path, sent)]

    assert {answer.status_code for answer in answers} == {200, 422}
    assert count(app, sa.select(Token.id)) == 1


def test_tokens_at_once_keep_limit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "MOST_TOKENS", 2)
    make_user(app, roles=["administrator"])

    def make(name: str) -> Callable[[], int]:
        def post() -> int:
            client = app.test_client()
            sign_in(client)
            return submit(client, "/accounts/tokens/new", name=name, scopes=["history.change.read"]).status_code

        return post

    statuses = at_once(*[make(str(number)) for number in range(5)])

    assert sorted(statuses) == [200, 200, 422, 422, 422]
    assert count(app, sa.select(Token.id)) == 2


@pytest.mark.parametrize(("names", "most"), [(("nightly", "nightly"), 50), (("nightly", "weekly"), 1)])
def test_tokens_read_together_are_counted(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], most: int
) -> None:
    monkeypatch.setattr(issuing, "MOST_TOKENS", most)
    make_user(app, roles=["administrator"])
    sign_in(client)
    form = open_form(client, "/accounts/tokens/new") | {"scopes": ["history.change.read"]}

    def make(name: str) -> Callable[[], int]:
        other = app.test_client()
        other._cookies.update(client._cookies)
        return lambda: other.post("/accounts/tokens/new", data={**form, "name": name}).status_code

    with meeting(app, "accounts_token"):
        statuses = at_once(*map(make, names))

    assert sorted(statuses) == [200, 422]
    assert count(app, sa.select(Token.id)) == 1


def test_invitations_at_once_make_one_account(app: Flask) -> None:
    # The first account of a site makes the roles as well, one invitation after the other.
    make_user(app)

    def invite() -> int:
        # Not by the runner of tests, which puts its own standard output in the place of the process's.
        info = ScriptInfo(create_app=lambda: app)
        try:
            app.cli.main(["accounts", "create-admin", "grace@example.org"], obj=info, standalone_mode=False)
        except click.ClickException:
            return 1
        return 0

    with gate(app, "INSERT INTO accounts_user"):
        codes = at_once(invite, invite)

    assert sorted(codes) == [0, 1]
    assert count(app, sa.select(User.id).where(User.email == "grace@example.org")) == 1


def test_roles_at_once_are_one(app: Flask, client: FlaskClient) -> None:
    make_user(app, roles=["administrator"])
    sign_in(client)
    sent = open_form(client, "/accounts/roles/new") | {"name": "helper"}
    with gate(app, "INSERT INTO accounts_role"):
        answers = double(app, client, "/accounts/roles/new", sent)

    assert sorted(answer.status_code for answer in answers) == [303, 422]
    assert count(app, sa.select(Role.id).where(Role.name == "helper")) == 1


def test_one_link_sets_one_password(app: Flask) -> None:
    make_user(app)
    submit(app.test_client(), "/accounts/reset", email="ada@example.org")
    path = link(mails(app)[-1])
    passwords = [NEW, "seven green apples fall down"]

    def choose(password: str) -> Callable[[], Any]:
        client = app.test_client()
        # Both have the form before one of them sends it.
        sent = open_form(client, path) | {"password": password, "password_confirm": password}
        return lambda: client.post(path, data=sent)

    with gate(app, "UPDATE accounts_user"):
        at_once(*map(choose, passwords))

    with app.test_request_context():
        user = users.find("ada@example.org")
        assert [user.verify_and_update_password(password) for password in passwords].count(True) == 1
