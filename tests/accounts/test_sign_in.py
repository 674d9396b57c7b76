"""Sign in, register, confirm, recover, change: whole flows, as a browser sends them."""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask import Response
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy import select
from sqlalchemy import update

from app.accounts import users
from app.accounts.models import User
from core.access import Identity
from core.access import identity
from services import db
from tests.accounts.users import PASSWORD
from tests.accounts.users import confirm
from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.accounts.users import sign_out
from tests.accounts.users import text
from tests.forms import open_form
from tests.forms import submit

NEW = "four quiet otters borrow umbrellas"


def who(client: FlaskClient) -> str:
    """Return whose name the header shows; empty for an anonymous visitor."""
    page = client.get("/").text
    if "Sign out" not in page:
        return ""
    return page.partition('class="account-name"')[2].partition("<span>")[2].partition("</span>")[0]


def register(client: FlaskClient, **changes: Any) -> Any:
    fields = {"name": "Grace", "email": "Grace@Example.org", "password": NEW, "password_confirm": NEW, **changes}
    return submit(client, "/accounts/register", **fields)


def follow(client: FlaskClient, path: str) -> Any:
    """Open a link of a mail, and press its button."""
    return submit(client, path)


# --- in and out ---------------------------------------------------------------------------------


def test_sign_in_and_out(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    assert who(client) == ""
    answer = sign_in(client, " ADA@Example.ORG ")
    assert (answer.status_code, answer.location) == (302, "/accounts/")
    assert who(client) == "Ada"
    left = sign_out(client)
    assert (left.status_code, left.headers["Clear-Site-Data"]) == (302, '"cache"')
    assert who(client) == ""
    assert client.get("/accounts/").status_code == 303


def test_identity_has_key_permissions_roles(app: Flask, client: FlaskClient) -> None:
    key = make_user(app, roles=["staff"])
    asked: list[Identity] = []
    app.add_url_rule("/who", "who", lambda: asked.append(identity()) or "")
    with app.app_context():
        for role in users.find("ada@example.org").roles:
            role.permissions.append(f"shop.{role.name}.see")
        db.session.commit()
    sign_in(client)
    client.get("/who")
    assert (asked[0].key, asked[0].name, asked[0].via) == (key, "Ada", "session")
    assert asked[0].roles == {"member", "staff"}
    assert asked[0].permissions >= {"shop.member.see", "shop.staff.see"}


def test_identity_follows_sign_in_and_out(app: Flask, client: FlaskClient) -> None:
    key = make_user(app)
    asked: list[str | None] = []

    def ask(answer: Response) -> Response:
        asked.append(identity().key)
        return answer

    app.before_request(lambda: identity() and None)
    app.after_request(ask)
    sign_in(client)
    sign_out(client)
    assert asked == [None, key, key, None]


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.org", "wrong " * 4), ("unknown@example.org", PASSWORD), ("ada@example.org", PASSWORD[:-1])],
)
def test_failed_sign_in_answers_alike(sqlite_app: Flask, sqlite_client: FlaskClient, email: str, password: str) -> None:
    make_user(sqlite_app)
    answer = sign_in(sqlite_client, email, password)
    assert "The address or the password is wrong" in answer.text
    assert who(sqlite_client) == ""


def test_disabled_or_unconfirmed_answers_alike(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    make_user(sqlite_app)
    make_user(sqlite_app, "new@example.org")
    with sqlite_app.app_context():
        users.disable(users.find("ada@example.org"))
        users.find("new@example.org").confirmed_at = None
        db.session.commit()
    for email in ("ada@example.org", "new@example.org"):
        assert "The address or the password is wrong" in sign_in(sqlite_client, email).text
        assert who(sqlite_client) == ""


def test_disabling_ends_the_session(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    sign_in(client)
    with app.app_context():
        users.disable(users.find("ada@example.org"))
        db.session.commit()
    assert who(client) == ""
    with app.app_context():
        users.enable(users.find("ada@example.org"))
        db.session.commit()
    assert who(client) == "", "another sign-in is needed"


@pytest.mark.parametrize(
    "target", ["//evil.example.org/", "https://evil.example.org/", "/\\evil.example.org", "javascript:alert(1)"]
)
def test_sign_in_stays_on_site(sqlite_app: Flask, sqlite_client: FlaskClient, target: str) -> None:
    make_user(sqlite_app)
    assert sign_in(sqlite_client, next=target).status_code == 400
    assert sqlite_client.get("/accounts/sign-in", query_string={"next": target}).status_code == 400
    assert who(sqlite_client) == ""


def test_sign_in_leads_back(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    make_user(sqlite_app)
    away = sqlite_client.get("/accounts/profile?x=1")
    assert away.status_code == 303
    answer = submit(sqlite_client, away.location, email="ada@example.org", password=PASSWORD)
    assert answer.location == "/accounts/profile?x=1"


def test_form_without_its_token_is_refused(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    make_user(sqlite_app)
    answer = sign_in(sqlite_client, csrf_token=None)
    assert answer.status_code == 400
    assert who(sqlite_client) == ""
    sign_in(sqlite_client)
    assert sqlite_client.post("/accounts/sign-out").status_code == 400
    assert who(sqlite_client) == "Ada"


# --- what it costs ------------------------------------------------------------------------------


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    found: list[str] = []
    with app.app_context():
        engine = db.engine

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def test_identity_query_count(app: Flask, client: FlaskClient) -> None:
    make_user(app, roles=["staff"])
    with statements(app) as found:
        assert client.get("/").status_code == 200
    assert found == []
    sign_in(client)
    with statements(app) as found:
        assert "Ada" in client.get("/accounts/").text
    assert len(found) == 1, found


def watch_hashes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count what takes long: each time that Argon2 runs, to hash or to verify."""
    made: list[str] = []
    context = app.extensions["security"].pwd_context

    def watch(name: str) -> None:
        method = getattr(context, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            made.append(name)
            return method(*arguments, **options)

        monkeypatch.setattr(context, name, counted)

    watch("hash")
    watch("verify")
    return made


#: Accounts that differ in what could be revealed of them, and an unknown address.
EVERY = {
    "ada@example.org": {"active": True},
    "waits@example.org": {"confirmed_at": None},
    "bare@example.org": {"password": None},
    "waits-bare@example.org": {"confirmed_at": None, "password": None},
    "off@example.org": {"active": False},
    "unknown@example.org": None,
}


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, email: sign_in(client, email, "not the password"),
        lambda client, email: submit(client, "/accounts/reset", email=email),
        lambda client, email: submit(client, "/accounts/confirm", email=email),
        lambda client, email: register(client, email=email),
    ],
    ids=["sign in", "reset", "confirm", "register"],
)
def test_link_request_constant_time(
    sqlite_app: Flask,
    sqlite_client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[FlaskClient, str], Any],
) -> None:
    for email, values in EVERY.items():
        if values is not None:
            make_user(sqlite_app, email)
            with sqlite_app.app_context():
                db.session.execute(update(User).where(User.email == email).values(values))
                db.session.commit()
    made = watch_hashes(sqlite_app, monkeypatch)
    counts = {}
    for email in EVERY:
        made.clear()
        ask(sqlite_client, email)
        counts[email] = len(made)
    assert len({*counts.values()}) == 1, counts
    assert counts["ada@example.org"] > 0


@pytest.mark.parametrize("path", ["sign-in", "reset", "register", "confirm"])
def test_pages_are_kept_nowhere(sqlite_client: FlaskClient, path: str) -> None:
    assert sqlite_client.get(f"/accounts/{path}").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("letter", ["a", "\ufdfa"])
def test_password_longer_than_any_is_wrong(sqlite_app: Flask, sqlite_client: FlaskClient, letter: str) -> None:
    make_user(sqlite_app)
    answer = sign_in(sqlite_client, password=letter * 1000)
    assert (answer.status_code, who(sqlite_client)) == (200, "")
    assert "The address or the password is wrong" in answer.text


def test_password_of_many_bytes_is_refused(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    register(sqlite_client)
    answer = confirm(sqlite_client, link(mails(sqlite_app)[0]), "\ufdfa" * 1000)
    assert "Use at most 1024 characters." in answer.text


def test_long_address_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "validate_email", lambda *args, **named: pytest.fail("this takes long"))
    assert users.identify("a" * 255) is None


# --- register and confirm -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["A\0B", "A\nB", "A\x85B", "A\u2028B", "A\u202eB", "A\x1b[1m"])
def test_name_is_one_readable_line(sqlite_app: Flask, sqlite_client: FlaskClient, name: str) -> None:
    register(sqlite_client)
    assert (
        "Use letters, digits, spaces and punctuation."
        in confirm(sqlite_client, link(mails(sqlite_app)[0]), NEW, name=name).text
    )
    make_user(sqlite_app)
    sign_in(sqlite_client)
    assert submit(sqlite_client, "/accounts/profile", name=name).status_code == 422


def test_name_may_have_letters_that_join(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    register(sqlite_client)
    assert confirm(sqlite_client, link(mails(sqlite_app)[0]), NEW, name="می\u200cخواهم").status_code == 302


def test_unconfirmed_mail_contains_no_input(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    spam = "win at casino.example"
    register(sqlite_client, name=spam)
    submit(sqlite_client, "/accounts/confirm", email="grace@example.org")
    make_user(sqlite_app, name=spam)
    sign_in(sqlite_client)
    submit(sqlite_client, "/accounts/email", email="other@example.org")
    sent = mails(sqlite_app)
    assert [mail["To"] for mail in sent] == ["grace@example.org", "grace@example.org", "other@example.org"]
    assert not any(spam in mail.as_string() for mail in sent)


def test_register_confirm_and_sign_in(app: Flask, client: FlaskClient) -> None:
    assert register(client).status_code == 302
    with app.app_context():
        user = users.find("grace@example.org")
        assert (user.password, user.confirmed_at, [role.name for role in user.roles]) == (None, None, ["member"])
    assert "The address or the password is wrong" in sign_in(client, "grace@example.org", NEW).text
    (mail,) = mails(app)
    assert mail["To"] == "grace@example.org"
    # A program that looks into mails follows links; the form is filled in by a person.
    assert client.get(link(mail)).status_code == 200
    assert "The address or the password is wrong" in sign_in(client, "grace@example.org", NEW).text
    assert confirm(client, link(mail), NEW).location == "/accounts/sign-in"
    sign_in(client, "grace@example.org", NEW)
    assert who(client) == "Grace"
    with app.app_context():
        stored = users.find("grace@example.org").password
    assert stored.startswith("$argon2id$v=19$")
    assert NEW not in stored


def test_password_is_hashed_as_owasp_advises(make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.costs.ARGON2", {})
    app = make_app()
    make_user(app)
    with app.app_context():
        assert users.find("ada@example.org").password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_duplicate_registration_looks_alike(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    fresh = register(client, email="grace@example.org")
    known = register(client, email="Ada@example.org", name="Eve")
    assert (fresh.status_code, fresh.location) == (known.status_code, known.location)
    with app.app_context():
        assert db.session.scalars(select(User.name).order_by(User.email)).all() == ["Ada", "grace"]
    first, second = mails(app)
    assert (first["Subject"], second["Subject"]) == ("Your account", "Your account")
    assert "It has an account already" in text(second)
    assert "/accounts/reset" in text(second)


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("short words", "Use at least 12 characters"),
        ("passwordpassword", "too easy to guess"),
        ("qwertyuiopasdfgh", "too easy to guess"),
        ("grace@example.org", "too easy to guess"),
        ("andamioandamio", "too easy to guess"),
        ("x" * 2000, "Use at most 1024 characters"),
    ],
)
def test_weak_password_is_refused(sqlite_app: Flask, sqlite_client: FlaskClient, password: str, message: str) -> None:
    register(sqlite_client)
    answer = confirm(sqlite_client, link(mails(sqlite_app)[0]), password)
    assert message in answer.text
    assert "The address or the password is wrong" in sign_in(sqlite_client, "grace@example.org", password).text


@pytest.mark.parametrize(
    "password",
    [
        "ünïcödé wörds über älle",
        "  spaces at both ends  ",
        "长" * 3 + " plus a sentence",
        " ".join(str(number**7) for number in range(5, 25)),
    ],
)
def test_password_accepts_any_128_characters(sqlite_app: Flask, sqlite_client: FlaskClient, password: str) -> None:
    register(sqlite_client)
    confirm(sqlite_client, link(mails(sqlite_app)[0]), password)
    sign_in(sqlite_client, "grace@example.org", password)
    assert who(sqlite_client) == "Grace"


@pytest.mark.parametrize("field", ["active", "roles", "confirmed_at", "fs_uniquifier", "key", "id"])
def test_registration_sets_form_fields_only(sqlite_app: Flask, sqlite_client: FlaskClient, field: str) -> None:
    register(sqlite_client, **{field: "1"})
    with sqlite_app.app_context():
        user = users.find("grace@example.org")
        assert (user.active, user.confirmed_at, [role.name for role in user.roles]) == (True, None, ["member"])
        assert "1" not in (user.fs_uniquifier, user.key)


def test_registration_off_has_no_page(make_app: Callable[..., Flask]) -> None:
    client = make_app(ACCOUNTS_REGISTRATION=False).test_client()
    assert client.get("/accounts/register").status_code == 404
    assert "Register" not in client.get("/accounts/sign-in").text


def test_registration_without_confirmation_signs_in(make_app: Callable[..., Flask]) -> None:
    client = make_app(ACCOUNTS_CONFIRM=False).test_client()
    register(client)
    assert who(client) == "Grace"


def test_confirmation_is_sent_again(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    register(sqlite_client)
    answers = [
        submit(sqlite_client, "/accounts/confirm", email=email).text
        for email in ("grace@example.org", "no@example.org")
    ]
    assert all("If an account waits to be confirmed" in answer for answer in answers)
    _, again = mails(sqlite_app)
    confirm(sqlite_client, link(again), NEW)
    sign_in(sqlite_client, "grace@example.org", NEW)
    assert who(sqlite_client) == "Grace"


# --- recover and change -------------------------------------------------------------------------


def test_forgotten_password(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    other = app.test_client()
    sign_in(other)
    for email in ("ada@example.org", "unknown@example.org"):
        assert "we have sent it a link" in submit(client, "/accounts/reset", email=email).text
    (mail,) = mails(app)
    answer = submit(client, link(mail), password=NEW, password_confirm=NEW)
    assert answer.location == "/accounts/sign-in"
    assert who(other) == "", "a user of the old password is signed out"
    assert "The address or the password is wrong" in sign_in(client).text
    sign_in(client, password=NEW)
    assert who(client) == "Ada"
    assert mails(app)[1]["Subject"] == "Your password was changed"
    assert client.get(link(mail)).location == "/accounts/reset", "a link counts once"


def test_foreign_password_link_refused(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    make_user(sqlite_app)
    submit(sqlite_client, "/accounts/reset", email="ada@example.org")
    path = link(mails(sqlite_app)[0])
    # Of the last letter not all bits count.
    for wrong in (path[:-2] + ("a" if path[-2] != "a" else "b") + path[-1], "/accounts/reset/x"):
        assert sqlite_client.get(wrong).location == "/accounts/reset"
        assert sqlite_client.get(wrong.replace("reset/", "confirm/")).location == "/accounts/confirm"


def test_change_of_the_password(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    other = app.test_client()
    sign_in(client)
    sign_in(other)
    change = {"new_password": NEW, "new_password_confirm": NEW}
    assert "The password is wrong" in submit(client, "/accounts/password", password="not it", **change).text
    assert submit(client, "/accounts/password", password=PASSWORD, **change).location == "/accounts/"
    assert who(client) == "Ada"
    assert who(other) == ""
    assert mails(app)[0]["Subject"] == "Your password was changed"


def test_change_of_the_address(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    sign_in(client)
    assert "Follow the link in it" in submit(client, "/accounts/email", email="LOVELACE@example.org").text
    (mail,) = mails(app)
    assert mail["To"] == "lovelace@example.org"
    assert follow(client, link(mail)).status_code == 302
    assert "lovelace@example.org" in client.get("/accounts/").text
    assert mails(app)[1]["To"] == "ada@example.org"
    assert follow(client, link(mail)).status_code == 302
    assert "This link is not valid" in client.get("/accounts/").text


def test_existing_address_not_revealed(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    make_user(sqlite_app)
    make_user(sqlite_app, "grace@example.org", "Grace")
    sign_in(sqlite_client)
    answers = [
        submit(sqlite_client, "/accounts/email", email=email).text for email in ("grace@example.org", "new@example.org")
    ]
    assert all("We have sent a mail to" in answer for answer in answers)
    assert [mail["To"] for mail in mails(sqlite_app)] == ["new@example.org"]


def test_name_is_changed(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    sign_in(client)
    assert submit(client, "/accounts/profile", name="").status_code == 422
    submit(client, "/accounts/profile", name="<b>Countess</b>")
    assert who(client) == "&lt;b&gt;Countess&lt;/b&gt;"


# --- the rest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "profile", "password", "email", "verify"])
def test_account_pages_need_sign_in(sqlite_app: Flask, sqlite_client: FlaskClient, path: str) -> None:
    answer = sqlite_client.get(f"/accounts/{path}")
    assert (answer.status_code, answer.location) == (303, f"/accounts/sign-in?next=/accounts/{path}")


@pytest.mark.parametrize("body", ['{"email": "ada@example.org"}', "[1]", "null", "{"])
def test_json_is_no_form(sqlite_app: Flask, sqlite_client: FlaskClient, body: str) -> None:
    token = form_token(sqlite_client)
    answer = sqlite_client.post(
        "/accounts/sign-in", data=body, content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert answer.status_code == 415


def form_token(client: FlaskClient) -> str:
    """Return the token of a form of the page."""
    return open_form(client, "/accounts/sign-in")["csrf_token"]


def test_flask_security_token_refused(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    make_user(sqlite_app)
    with sqlite_app.test_request_context():
        token = users.find("ada@example.org").get_auth_token()
    answer = sqlite_client.get(
        "/accounts/", headers={"Authentication-Token": token}, query_string={"auth_token": token}
    )
    assert answer.status_code == 303


def test_nothing_is_added_to_other_requests(make_app: Callable[..., Flask], sqlite_app: Flask) -> None:
    without = make_app(None, ["app.home"])
    for place in ("before_request_funcs", "after_request_funcs", "template_context_processors"):
        hooks = [
            [getattr(hook, "func", hook) for hook in getattr(app, place)[None]]  # of a partial, what it calls
            for app in (sqlite_app, without)
        ]
        names = [{f"{hook.__module__}.{hook.__qualname__}" for hook in found} for found in hooks]
        assert all(name.startswith("app.") for name in names[0] - names[1]), names
    assert type(sqlite_app.json) is type(without.json)
