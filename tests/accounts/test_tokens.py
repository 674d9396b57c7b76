"""A user's tokens: made, listed, revoked, by verbs, on their pages and by a command."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect
from werkzeug.test import TestResponse

from app.accounts.identities import identity_of
from app.accounts.models import Role
from app.accounts.models import Token
from app.accounts.models import User
from app.accounts.tokens import issuing
from app.accounts.tokens import scopes
from app.accounts.tokens.texts import digest
from app.accounts.tokens.texts import is_token
from core.data.models import now
from core.exceptions import Invalid
from core.exceptions import NotFound
from services import db
from tests import tokens as issued
from tests.accounts.users import PASSWORD
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.forms import submit

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
PATH = "/accounts/tokens"


# --- the verbs ----------------------------------------------------------------------------------


def test_only_the_digest_is_kept(app: Flask) -> None:
    text = issued.issue(app, "history.change.read")
    with app.app_context():
        row = db.session.execute(sa.select(Token.__table__)).mappings().one()
    assert row["digest"] == digest(text)
    assert row["prefix"] == text[:16]
    assert text[16:] not in str(dict(row))


def test_token_expires_after_90_days(app: Flask) -> None:
    with app.app_context():
        owner = issued.make_user("history.change.read")
        usual, _ = issuing.make(owner, "usual", ["history.change.read"])
        year, _ = issuing.make(owner, "year", ["history.change.read"], 366)
        assert abs(usual.expires_at - now() - timedelta(days=90)) < timedelta(minutes=1)
        assert abs(year.expires_at - now() - timedelta(days=366)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"days": 0}, "days"),
        ({"days": 367}, "days"),
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "taken"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["accounts.role.edit"]}, "scopes"),
        ({"scopes": ["no.such.thing"]}, "scopes"),
        ({"scopes": ["history.change.read accounts.role.edit"]}, "scopes"),
    ],
)
def test_token_that_cannot_be_is_refused(sqlite_app: Flask, changes: dict[str, Any], field: str) -> None:
    with sqlite_app.app_context():
        owner = issued.make_user("history.change.read")
        issuing.make(owner, "taken", ["history.change.read"])
        with pytest.raises(Invalid) as raised:
            issuing.make(owner, **{"name": "new", "scopes": ["history.change.read"], **changes})
        assert list(raised.value.errors) == [field]


def test_account_token_count_limited(sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "MOST_TOKENS", 2)
    with sqlite_app.app_context():
        owner = issued.make_user("history.change.read")
        for name in ("one", "two"):
            issuing.make(owner, name, ["history.change.read"])
        with pytest.raises(Invalid, match="at most 2"):
            issuing.make(owner, "three", ["history.change.read"])


def test_scopes_are_owner_permissions(sqlite_app: Flask) -> None:
    with sqlite_app.app_context():
        owner = issued.make_user("history.change.read", "accounts.user.edit", "gone.thing.do")
        found = {
            scope.name: scope.words for group in scopes.offered(identity_of(owner, "session")) for scope in group.scopes
        }
    assert found["history.change.read"] == "Read change"
    assert found["accounts.user.edit"] == "Edit user"
    assert "accounts.role.edit" not in found
    assert "gone.thing.do" not in found


def test_tokens_are_their_owners_only(app: Flask) -> None:
    with app.app_context():
        mine, other = issued.make_user("history.change.read"), issued.make_user("history.change.read")
        token, _ = issuing.make(mine, "mine", ["history.change.read"])
        issuing.make(other, "other", ["history.change.read"])
        assert [one.name for one in issuing.of(mine)] == ["mine"]
        with pytest.raises(NotFound):
            issuing.get(other, token.id)
        assert issuing.revoke_all(other) == 1
        assert [one.name for one in issuing.of(mine)] == ["mine"]


def test_tokens_go_with_their_account(app: Flask) -> None:
    issued.issue(app, "history.change.read")
    with app.app_context():
        db.session.execute(sa.delete(User))
        db.session.commit()
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Token)) == 0


# --- the pages ----------------------------------------------------------------------------------


@pytest.fixture
def user_client(app: Flask, client: FlaskClient) -> FlaskClient:
    """Return the browser of a signed-in user who may read the history."""
    grant(app)
    sign_in(client)
    return client


def grant(app: Flask) -> None:
    make_user(app)
    with app.app_context():
        user = db.session.scalars(sa.select(User)).one()
        user.roles = [Role(name="mayor", permissions=["history.change.read"])]
        db.session.commit()


def make(client: FlaskClient, **changes: Any) -> TestResponse:
    return submit(client, f"{PATH}/new", **{"name": "Backup", "days": "30", "scopes": "history.change.read", **changes})


def shown(page: TestResponse) -> str:
    return re.search(r'id="token"[^>]* value="([^"]+)"', page.text)[1]


def read_history(app: Flask, text: str) -> int:
    return app.test_client().get("/history/api/v1/changes", headers=issued.authorization(text)).status_code


def test_new_token_shown_once_works(app: Flask, user_client: FlaskClient) -> None:
    page = make(user_client)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    text = shown(page)
    assert is_token(text)
    assert read_history(app, text) == 200
    listed = user_client.get(PATH).text
    assert "Backup" in listed
    assert text[:16] in listed
    assert text[16:] not in listed


def test_token_is_not_in_the_session(user_client: FlaskClient) -> None:
    text = shown(make(user_client))
    with user_client.session_transaction() as session:
        assert text not in repr(dict(session))


def test_form_sent_twice_makes_one_token(app: Flask, user_client: FlaskClient) -> None:
    make(user_client)
    page = make(user_client)
    assert page.status_code == 422
    assert "There is a token of this name already." in page.text
    assert 'value="Backup"' in page.text
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Token)) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": " "}, "Give it a name."),
        ({"name": "a\0b"}, "Use letters, digits, spaces and punctuation."),
        ({"scopes": ""}, "Choose what the token may do."),
        ({"scopes": "accounts.role.edit"}, "valid choice"),
        ({"days": "367"}, "Not a valid choice"),
        ({"days": "x"}, "Invalid Choice"),
    ],
)
def test_form_says_what_is_wrong(
    sqlite_app: Flask, sqlite_client: FlaskClient, changes: dict[str, str], said: str
) -> None:
    grant(sqlite_app)
    sign_in(sqlite_client)
    form = {"name": "Backup", "days": "30", "scopes": "history.change.read", **changes}
    page = submit(sqlite_client, f"{PATH}/new", **{name: value for name, value in form.items() if value})
    assert page.status_code == 422
    assert said in page.text
    with sqlite_app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Token)) == 0


def test_token_is_revoked_when_asked_twice(app: Flask, user_client: FlaskClient) -> None:
    text = shown(make(user_client))
    with app.app_context():
        number = db.session.scalar(sa.select(Token.id))
    assert "Revoke Backup?" in user_client.get(f"{PATH}/{number}/revoke").text
    assert read_history(app, text) == 200
    answer = submit(user_client, f"{PATH}/{number}/revoke")
    assert (answer.status_code, answer.location) == (303, PATH)
    assert read_history(app, text) == 401
    assert user_client.get(f"{PATH}/{number}/revoke").status_code == 404


@pytest.mark.parametrize("number", [0, 2**31 - 1, 2**31, 10**30])
def test_missing_token_not_found(app: Flask, user_client: FlaskClient, number: int) -> None:
    assert user_client.get(f"{PATH}/{number}/revoke").status_code == 404


def test_all_tokens_are_revoked_at_once(app: Flask, user_client: FlaskClient) -> None:
    texts = [shown(make(user_client, name=name)) for name in ("One", "Two")]
    assert "One" in user_client.get(f"{PATH}/revoke").text
    submit(user_client, f"{PATH}/revoke")
    assert [read_history(app, text) for text in texts] == [401, 401]
    assert "Revoked 2 tokens." in user_client.get(PATH).text


def test_others_tokens_not_found(app: Flask, user_client: FlaskClient) -> None:
    text = issued.issue(app, "history.change.read")
    with app.app_context():
        number = db.session.scalar(sa.select(Token.id))
    assert user_client.get(f"{PATH}/{number}/revoke").status_code == 404
    assert submit(user_client, f"{PATH}/revoke").status_code == 303
    assert read_history(app, text) == 200


def test_token_survives_password_change(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    # Tokens stay valid; the page says so, and all can be revoked at once (OWASP ASVS 5.0, 7.4.3).
    grant(sqlite_app)
    sign_in(sqlite_client)
    text = shown(make(sqlite_client))
    new = "four quiet otters borrow umbrellas"
    submit(sqlite_client, "/accounts/password", password=PASSWORD, new_password=new, new_password_confirm=new)
    assert "access tokens stay" in sqlite_client.get("/accounts/").text
    assert read_history(sqlite_app, text) == 200


@pytest.mark.parametrize("path", ["", "/new", "/1/revoke", "/revoke"])
def test_token_pages_need_sign_in(sqlite_app: Flask, sqlite_client: FlaskClient, path: str) -> None:
    text = issued.issue(sqlite_app, "history.change.read")
    for headers in ({}, issued.authorization(text)):
        answer = sqlite_client.get(PATH + path, headers=headers)
        assert answer.status_code == 303
        assert answer.location.startswith("/accounts/sign-in")
        if path:
            assert sqlite_client.post(PATH + path, headers=headers).status_code == 400


def test_new_token_needs_fresh_session(sqlite_app: Flask, sqlite_client: FlaskClient, monkeypatch: Any) -> None:
    grant(sqlite_app)
    sign_in(sqlite_client)
    sqlite_app.config["SECURITY_FRESHNESS"] = timedelta(microseconds=1)
    answer = sqlite_client.get(f"{PATH}/new")
    assert answer.status_code == 302
    assert answer.location.startswith("/accounts/verify")
    assert sqlite_client.get(PATH).status_code == 200
    sqlite_app.config["SECURITY_FRESHNESS"] = timedelta(minutes=15)
    assert sqlite_client.get(f"{PATH}/new").status_code == 200


def test_user_without_permissions_informed(
    sqlite_app: Flask, sqlite_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user(sqlite_app)
    sign_in(sqlite_client)
    monkeypatch.setattr(scopes, "offered", lambda who: [])
    page = sqlite_client.get(f"{PATH}/new").text
    assert "no permission that a token could use" in page
    assert "<form class" not in page


def test_security_log_omits_token_text(
    sqlite_app: Flask, sqlite_client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    grant(sqlite_app)
    sign_in(sqlite_client)
    text = shown(make(sqlite_client))
    submit(sqlite_client, f"{PATH}/revoke")
    read_history(sqlite_app, text)
    seen = [record.__dict__.get("event") for record in caplog.records if record.name == "andamio.security"]
    assert [event for event in seen if event and event.startswith("token.")] == [
        "token.made",
        "token.revoked",
        "token.refused",
    ]
    assert text[16:] not in caplog.text


# --- the command --------------------------------------------------------------------------------


def run(app: Flask, *arguments: str) -> Any:
    return app.test_cli_runner().invoke(args=["accounts", "token", *arguments])


def test_command_makes_machine_token(app: Flask) -> None:
    grant(app)
    done = run(app, "ada@example.org", "--name", "CI", "--scope", "history.change.read", "--days", "7")
    assert done.exit_code == 0, done.output
    text = done.stdout.strip()
    assert is_token(text)
    assert read_history(app, text) == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("unknown@example.org", "--name", "CI", "--scope", "history.change.read"), "No account has the address"),
        (("ada@example.org", "--name", "CI", "--scope", "accounts.role.edit"), "accounts.role.edit: nothing that"),
        (("ada@example.org", "--name", "CI", "--scope", "history.change.read", "--days", "1000"), "1 to 366 days"),
        (("ada@example.org", "--name", "CI"), "Missing option"),
    ],
)
def test_command_says_what_is_wrong(sqlite_app: Flask, arguments: tuple[str, ...], said: str) -> None:
    grant(sqlite_app)
    done = run(sqlite_app, *arguments)
    assert done.exit_code != 0
    assert said in done.output
    with sqlite_app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Token)) == 0


# --- in a browser -------------------------------------------------------------------------------


def enter(page: Page, base: str) -> None:
    page.goto(f"{base}{PATH}/new")
    page.get_by_label("Email address").fill("ada@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_label("Name").wait_for()


def fill(page: Page) -> None:
    page.get_by_label("Name").fill("Backup")
    page.get_by_label("Read change").check()
    page.get_by_role("button", name="Make the token").click()
    page.get_by_role("heading", name="Your new token").wait_for()


def test_token_is_copied_by_a_button(sqlite_app: Flask, live_server: Callable[[Flask], str], browser: Browser) -> None:
    grant(sqlite_app)
    base = live_server(sqlite_app)
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    enter(page, base)
    fill(page)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    assert is_token(text)
    assert read_history(sqlite_app, text) == 200
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Revoke Backup").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked “Backup”.")).to_be_visible()
    assert read_history(sqlite_app, text) == 401
    context.close()


def test_token_is_made_without_a_script(
    sqlite_app: Flask, live_server: Callable[[Flask], str], browser: Browser
) -> None:
    grant(sqlite_app)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    enter(page, live_server(sqlite_app))
    fill(page)
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    assert is_token(page.get_by_label("Backup").input_value())
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "light"), (1280, "dark")])
def test_pages_are_accessible(
    sqlite_app: Flask, live_server: Callable[[Flask], str], browser: Browser, width: int, scheme: Any
) -> None:
    grant(sqlite_app)
    base = live_server(sqlite_app)
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce"
    )
    page = context.new_page()

    def look() -> None:
        page.add_script_tag(path=str(AXE))
        found = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], page.url
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, page.url

    enter(page, base)
    look()
    page.get_by_role("button", name="Make the token").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    look()
    fill(page)
    look()
    for address in ("", "/revoke"):
        page.goto(f"{base}{PATH}{address}")
        look()
    page.goto(f"{base}{PATH}")
    page.get_by_role("link", name="Revoke Backup").click()
    look()
    context.close()
