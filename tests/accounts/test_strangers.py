"""A stranger who was there first: who proves an address has its account alone."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts import bp
from app.accounts import users
from app.accounts.models import Passkey
from app.accounts.models import Role
from app.accounts.tokens import issuing
from core.data.models import now
from services import db
from tests.accounts.users import PASSWORD
from tests.accounts.users import confirm
from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.accounts.users import text
from tests.forms import open_form
from tests.forms import submit

VICTIM = "victim@example.org"
STRANGERS = "seven green apples fall"
OWNERS = "four quiet otters borrow umbrellas"
SPAM = "Win at http://casino.example"


def is_in(client: FlaskClient) -> bool:
    return client.get("/accounts/").status_code == 200


def ask(app: Flask, path: str, email: str = VICTIM) -> str:
    """Ask for a mail, and return the path of its link."""
    submit(app.test_client(), path, email=email)
    return link(mails(app)[-1])


@pytest.fixture
def hijacked_account(make_app: Callable[..., Flask]) -> tuple[Flask, FlaskClient, str]:
    """Return a site without confirmation where a stranger has the victim's address, a session, a token and more."""
    app = make_app(ACCOUNTS_CONFIRM=False)
    stranger = app.test_client()
    pair = {"password": STRANGERS, "password_confirm": STRANGERS}
    assert submit(stranger, "/accounts/register", name=SPAM, email=VICTIM, **pair).status_code == 302
    with app.app_context():
        user = users.find(VICTIM)
        user.roles.append(Role(name="reader", permissions=["history.change.read"]))
        db.session.flush()
        _, token = issuing.make(user, "left behind", ["history.change.read"])
        user.tf_totp_secret, user.tf_primary_method, user.mf_recovery_codes = "x", "authenticator", ["x"]
        passkey = {"credential_id": b"1", "public_key": b"1", "device_type": "x", "backup_state": False}
        user.webauthn.append(Passkey(name="left", usage="first", lastuse_datetime=now(), **passkey))
        db.session.commit()
    assert is_in(stranger)
    return app, stranger, token


def assert_nothing_is_left(app: Flask, stranger: FlaskClient, token: str) -> None:
    assert not is_in(stranger)
    assert not is_in(after(sign_in, app, STRANGERS))
    answer = app.test_client().get("/history/api/v1/changes", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    with app.app_context():
        user = users.find(VICTIM)
        assert (user.webauthn, user.tf_totp_secret, user.tf_primary_method, user.mf_recovery_codes) == (
            *([], None, None),
            None,
        )
        assert user.confirmed_at is not None
    assert is_in(after(sign_in, app, OWNERS))


def after(act: Callable[..., object], app: Flask, password: str) -> FlaskClient:
    client = app.test_client()
    act(client, VICTIM, password)
    return client


# --- whose address it is ------------------------------------------------------------------------


@pytest.mark.parametrize("owner_registers", [True, False])
def test_confirming_chooses_password(app: Flask, owner_registers: bool) -> None:
    pair = {"name": SPAM, "password": STRANGERS, "password_confirm": STRANGERS}
    submit(app.test_client(), "/accounts/register", email=VICTIM, **pair)
    if owner_registers:
        ask(app, "/accounts/register")
    for mail in mails(app):
        assert "casino" not in mail.as_string()
    confirm(app.test_client(), link(mails(app)[-1]), OWNERS, name="Vic")

    assert not is_in(after(sign_in, app, STRANGERS))
    assert is_in(after(sign_in, app, OWNERS))
    with app.app_context():
        assert users.find(VICTIM).name == "Vic"


def test_confirming_voids_earlier_links(sqlite_app: Flask) -> None:
    first, second = ask(sqlite_app, "/accounts/register"), ask(sqlite_app, "/accounts/register")
    confirm(sqlite_app.test_client(), second, OWNERS)

    for path in (first, second):
        assert sqlite_app.test_client().get(path).location == "/accounts/confirm"


def test_reset_closes_what_stranger_left(hijacked_account: tuple[Flask, FlaskClient, str]) -> None:
    app, stranger, token = hijacked_account
    path = ask(app, "/accounts/reset")
    submit(app.test_client(), path, password=OWNERS, password_confirm=OWNERS)

    assert_nothing_is_left(app, stranger, token)


def test_confirmation_closes_what_stranger_left(
    hijacked_account: tuple[Flask, FlaskClient, str], make_app: Callable[..., Flask]
) -> None:
    _, stranger, token = hijacked_account
    app = make_app()
    confirm(app.test_client(), ask(app, "/accounts/confirm"), OWNERS)
    stranger.application = app

    assert_nothing_is_left(app, stranger, token)


def test_invitation_closes_what_stranger_left(
    hijacked_account: tuple[Flask, FlaskClient, str], make_app: Callable[..., Flask]
) -> None:
    _, stranger, token = hijacked_account
    app = make_app()
    done = app.test_cli_runner().invoke(args=["accounts", "create-admin", VICTIM])
    assert done.exit_code == 0, done.output
    (path,) = re.findall(r"^https?://[^/]+(/\S+)$", done.output, re.MULTILINE)
    submit(app.test_client(), path, password=OWNERS, password_confirm=OWNERS)
    stranger.application = app

    assert_nothing_is_left(app, stranger, token)


def test_invitation_of_used_account_refused(sqlite_app: Flask) -> None:
    make_user(sqlite_app)
    done = sqlite_app.test_cli_runner().invoke(args=["accounts", "create-admin", "ada@example.org"])

    assert done.exit_code != 0
    assert "has an account already" in done.output


def test_address_changed_by_own_account(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    sign_in(client)
    submit(client, "/accounts/email", email=VICTIM)
    path = link(mails(app)[-1])
    owner = app.test_client()

    assert owner.get(path).location.startswith("/accounts/sign-in?next=")
    make_user(app, "grace@example.org", "Grace")
    sign_in(owner, "grace@example.org")
    assert owner.get(path).location == "/accounts/"
    assert "This link is for another account" in owner.get("/accounts/").text
    with app.app_context():
        assert users.find("ada@example.org").name == "Ada"


# --- links that were sent to an address ---------------------------------------------------------


def test_new_address_voids_password_link(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    old = ask(app, "/accounts/reset", "ada@example.org")
    stranger = app.test_client()
    # The form is open before the address changes.
    form = open_form(stranger, old) | {"password": STRANGERS, "password_confirm": STRANGERS}
    sign_in(client)
    submit(client, "/accounts/email", email="new@example.org")
    submit(client, link(mails(app)[-1]))

    stranger.post(old, data=form)
    sign_in(stranger, "new@example.org", STRANGERS)
    assert not is_in(stranger)
    assert app.test_client().get(old).location == "/accounts/reset"
    owner = app.test_client()
    sign_in(owner, "new@example.org")
    assert is_in(owner)


def test_new_address_voids_earlier_change(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    sign_in(client)
    submit(client, "/accounts/email", email="other@example.org")
    old = link(mails(app)[-1])
    submit(client, "/accounts/email", email="new@example.org")
    submit(client, link(mails(app)[-1]))

    assert is_in(client), "the session that changed the address stays"
    submit_if_form(client, old)
    with app.app_context():
        assert users.find("new@example.org").name == "Ada"


def submit_if_form(client: FlaskClient, path: str) -> None:
    if client.get(path).status_code == 200:
        submit(client, path)


def test_new_address_ends_other_sessions(app: Flask, client: FlaskClient) -> None:
    make_user(app)
    other = app.test_client()
    sign_in(other)
    sign_in(client)
    submit(client, "/accounts/email", email="new@example.org")
    submit(client, link(mails(app)[-1]))

    assert is_in(client)
    assert not is_in(other)


def test_new_password_voids_links(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    make_user(sqlite_app)
    old = ask(sqlite_app, "/accounts/reset", "ada@example.org")
    sign_in(sqlite_client)
    submit(sqlite_client, "/accounts/password", password=PASSWORD, new_password=OWNERS, new_password_confirm=OWNERS)

    assert sqlite_app.test_client().get(old).location == "/accounts/reset"


# --- what mails say -----------------------------------------------------------------------------


def test_mails_have_nothing_that_was_typed(hijacked_account: tuple[Flask, FlaskClient, str]) -> None:
    app, stranger, _ = hijacked_account
    ask(app, "/accounts/reset")
    submit(app.test_client(), "/accounts/register", name=SPAM, email=VICTIM, password=OWNERS, password_confirm=OWNERS)
    submit(stranger, "/accounts/password", password=STRANGERS, new_password=OWNERS, new_password_confirm=OWNERS)

    assert len(mails(app)) > 2
    for mail in mails(app):
        assert "casino" not in mail.as_string(), text(mail)


def test_mail_templates_name_no_one() -> None:
    folder = Path(str(bp.root_path)) / "templates/security/email"
    for template in folder.iterdir():
        assert "user." not in template.read_text(), template.name
        assert "email }}" not in template.read_text(), template.name
