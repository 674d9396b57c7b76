"""A COMMIT that fails is a 503, and nothing reports what did not happen: no cookie, no mail, no line of the log."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.accounts.users import PASSWORD
from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.commits import failing_commits
from tests.forms import open_form
from tests.forms import submit

NEW = "four quiet otters borrow umbrellas"
PAIR = {"password": NEW, "password_confirm": NEW}


def registered(client: FlaskClient, app: Flask) -> None:
    submit(client, "/accounts/register", email="grace@example.org")


def asked(client: FlaskClient, app: Flask) -> None:
    submit(client, "/accounts/reset", email="ada@example.org")


def signed_in(client: FlaskClient, app: Flask) -> None:
    sign_in(client)


def changing(client: FlaskClient, app: Flask) -> None:
    sign_in(client)
    submit(client, "/accounts/email", email="lovelace@example.org")


def nothing(client: FlaskClient, app: Flask) -> None:
    """Prepare nothing."""


#: Request before; the path, ``None`` for the link of the last mail; what is sent; events that must not be logged.
WRITES = {
    "sign in": (nothing, "/accounts/sign-in", {"email": "ada@example.org", "password": PASSWORD}),
    "register": (nothing, "/accounts/register", {"email": "grace@example.org"}),
    "confirm": (registered, None, {"name": "Grace", **PAIR}),
    "reset": (asked, None, PAIR),
    "password": (
        signed_in,
        "/accounts/password",
        {"password": PASSWORD, "new_password": NEW, "new_password_confirm": NEW},
    ),
    "email": (changing, None, {}),
    "verify": (signed_in, "/accounts/verify", {"password": PASSWORD}),
    "profile": (signed_in, "/accounts/profile", {"name": "Countess"}),
    "token": (signed_in, "/accounts/tokens/new", {"name": "nightly", "scopes": ["history.change.read"]}),
}


@pytest.mark.parametrize("what", WRITES)
def test_failed_commit_reports_nothing(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    prepare, path, fields = WRITES[what]
    make_user(app, roles=["administrator"])
    prepare(client, app)
    path = path or link(mails(app)[-1])
    sent = open_form(client, path) | fields
    before = len(mails(app))
    caplog.clear()
    with failing_commits(app):
        answer = client.post(path, data=sent)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "Set-Cookie" not in answer.headers
    assert len(mails(app)) == before
    assert [record for record in caplog.records if record.name == "andamio.security"] == []
    assert "Traceback" not in caplog.text
    again = client.post(path, data=sent)
    assert again.status_code in (200, 302, 303), again.text


def test_sign_out_that_fails_keeps_session(app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    make_user(app)
    sign_in(client)
    token = open_form(client, "/accounts/profile")["csrf_token"]
    with failing_commits(app):
        answer = client.post("/accounts/sign-out", data={"csrf_token": token})

    assert answer.status_code == 503
    assert "event=sign-out" not in caplog.text
    assert client.get("/accounts/").status_code == 200


def test_failed_sign_in_leaves_redis_empty(make_app: Any, start_redis: Any) -> None:
    url = start_redis().url.render_as_string()
    app = make_app(REDIS_URL=url, SESSION_STORE="redis")
    make_user(app)
    with failing_commits(app):
        assert sign_in(app.test_client()).status_code == 503

    assert app.extensions["accounts"].sessions._client.keys("andamio:session:*") == []


def test_failed_commit_uses_up_no_attempts(sqlite_app: Flask) -> None:
    make_user(sqlite_app)
    with failing_commits(sqlite_app):
        answers = [sign_in(sqlite_app.test_client()).status_code for _ in range(12)]

    assert answers == [503] * 12
    assert sign_in(sqlite_app.test_client()).status_code == 302
