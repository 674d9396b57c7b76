"""Roles: what they grant, who has them, and that users grant only what they have."""

import logging
from collections.abc import Callable
from threading import Event
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app.accounts import users
from app.accounts.models import Role
from app.accounts.models import RolePermission
from app.accounts.models import User
from app.accounts.roles import granting
from core.access import Identity
from core.access import acting_as
from core.access import permissions
from core.exceptions import Forbidden
from core.exceptions import Invalid
from core.exceptions import Unauthenticated
from services import db
from tests.accounts import billing
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.forms import open_form
from tests.forms import submit

ROOT = "root@example.org"

MODULES = ["app.home", "app.accounts", "app.history", billing.__name__]

#: Permissions of the roles in these tests, whatever the revisions grant.
GRANTS = {
    "member": {"billing.draft.open", "billing.invoice.read"},
    "staff": {"billing.invoice.read", "billing.payment.open"},
}


def prepare(app: Flask) -> Flask:
    """Grant what this module's tests begin with."""
    with app.app_context():
        db.session.execute(sa.delete(RolePermission))
        granting.complete()
        for name, granted in GRANTS.items():
            granting.grant(granting.get(name), granted)
        db.session.commit()
    return app


@pytest.fixture
def app(make_app: Callable[..., Flask], platform: Callable[[str], Any], engine_name: str) -> Flask:
    """Return accounts and a billing, on each engine."""
    return prepare(make_app(platform(engine_name), MODULES))


@pytest.fixture
def sqlite_app(make_app: Callable[..., Flask]) -> Flask:
    """Return accounts and a billing, where the engine does not matter."""
    return prepare(make_app(None, MODULES))


@pytest.fixture
def admin_client(app: Flask) -> FlaskClient:
    """Return a client of ``app`` in which an administrator has signed in."""
    make_user(app, ROOT, "Root", ["administrator"])
    client = app.test_client()
    sign_in(client, ROOT)
    return client


def granted(app: Flask, role: str) -> set[str]:
    with app.app_context():
        return {*granting.get(role).permissions}


def names(app: Flask, email: str) -> list[str]:
    with app.app_context():
        return [role.name for role in users.find(email).roles]


def user_id(app: Flask, email: str) -> int:
    with app.app_context():
        return db.session.scalars(sa.select(User.id).where(User.email == email)).one()


# --- what a role grants -------------------------------------------------------------------------


def test_role_is_made_granted_and_deleted(app: Flask, admin_client: FlaskClient) -> None:
    assert submit(admin_client, "/accounts/roles/new", name="editor", description="Who edits.").status_code == 303
    wanted = ["billing.draft.open", "billing.payment.open"]
    assert submit(admin_client, "/accounts/roles/editor", permissions=wanted).status_code == 303
    assert granted(app, "editor") == {*wanted}
    assert submit(admin_client, "/accounts/roles/editor", permissions=wanted[:1]).status_code == 303
    assert granted(app, "editor") == {"billing.draft.open"}
    assert "editor" in admin_client.get("/accounts/roles").text
    assert submit(admin_client, "/accounts/roles/editor/delete").status_code == 303
    assert admin_client.get("/accounts/roles/editor").status_code == 404


@pytest.mark.parametrize("name", ["", "Editor", "two words", "member", "new", "x" * 41])
def test_role_with_another_name_is_refused(admin_client: FlaskClient, name: str) -> None:
    assert submit(admin_client, "/accounts/roles/new", name=name).status_code == 422


def test_role_description_is_one_line(admin_client: FlaskClient) -> None:
    assert submit(admin_client, "/accounts/roles/new", name="editor", description="a\0b").status_code == 422


def test_role_that_the_platform_needs_stays(app: Flask, admin_client: FlaskClient) -> None:
    submit(admin_client, "/accounts/roles/member/delete")
    assert granted(app, "member")


def test_grant_unknown_permission_refused(app: Flask, admin_client: FlaskClient) -> None:
    assert submit(admin_client, "/accounts/roles/member", permissions=["shop.order.edit"]).status_code == 422
    with app.app_context(), pytest.raises(Invalid, match="No installed module asks for"):
        granting.grant(granting.get("member"), ["shop.order.edit"])


def test_administrators_grants_are_fixed(app: Flask, admin_client: FlaskClient) -> None:
    page = admin_client.get("/accounts/roles/administrator").text
    assert page.count(" checked disabled>") == len(permissions(app))
    token = open_form(admin_client, "/accounts/roles/member")["csrf_token"]
    answer = admin_client.post(
        "/accounts/roles/administrator", data={"csrf_token": token, "permissions": "billing.draft.open"}
    )
    assert answer.status_code == 422


def test_grant_effective_next_request(app: Flask, admin_client: FlaskClient) -> None:
    make_user(app, roles=["staff"])
    client = app.test_client()
    sign_in(client)
    assert client.get("/billing-page/payment").status_code == 200
    kept = sorted(granted(app, "staff") - {"billing.payment.open"})
    submit(admin_client, "/accounts/roles/staff", permissions=kept)
    assert client.get("/billing-page/payment").status_code == 403


def test_unknown_grant_shown_until_revoked(app: Flask, admin_client: FlaskClient) -> None:
    with app.app_context():
        db.session.add(RolePermission(role_id=granting.get("member").id, permission="gone.thing.do"))
        db.session.commit()
    assert "gone.thing.do" in admin_client.get("/accounts/roles").text
    submit(admin_client, "/accounts/roles/member", permissions=["billing.draft.open"])
    assert granted(app, "member") == {"billing.draft.open", "gone.thing.do"}
    result = app.test_cli_runner().invoke(args=["accounts", "revoke", "member", "gone.thing.do"])
    assert result.exit_code == 0, result.output
    assert granted(app, "member") == {"billing.draft.open"}


# --- who has a role -----------------------------------------------------------------------------


def test_roles_given_and_taken(app: Flask, admin_client: FlaskClient) -> None:
    make_user(app)
    url = f"/accounts/people/{user_id(app, 'ada@example.org')}"
    assert "ada@example.org" in admin_client.get("/accounts/people?q=ada").text
    assert submit(admin_client, f"{url}/roles", roles=["member", "staff"]).status_code == 303
    assert names(app, "ada@example.org") == ["member", "staff"]
    assert "staff" in admin_client.get(url).text
    submit(admin_client, f"{url}/roles", roles=None)
    assert names(app, "ada@example.org") == []


def test_last_administrator_stays_one(app: Flask, admin_client: FlaskClient) -> None:
    url = f"/accounts/people/{user_id(app, ROOT)}/roles"
    answer = submit(admin_client, url, roles=["member"])
    assert answer.status_code == 422
    assert "This is the only administrator" in answer.text
    make_user(app, "second@example.org", "Second", ["administrator"])
    assert submit(admin_client, url, roles=["member"]).status_code == 303
    assert names(app, ROOT) == ["member"]


def test_disabled_administrator_does_not_count(app: Flask, admin_client: FlaskClient) -> None:
    make_user(app, "second@example.org", "Second", ["administrator"])
    with app.app_context():
        users.disable(users.find("second@example.org"))
        db.session.commit()
    assert submit(admin_client, f"/accounts/people/{user_id(app, ROOT)}/roles", roles=["member"]).status_code == 422


def test_last_administrator_is_not_disabled(app: Flask, admin_client: FlaskClient) -> None:
    with app.app_context(), pytest.raises(Invalid, match="This is the only administrator"):
        users.disable(users.find(ROOT))
    assert admin_client.get("/accounts/").status_code == 200
    make_user(app, "second@example.org", "Second", ["administrator"])
    with app.app_context():
        users.disable(users.find("second@example.org"))
        # Nothing is taken away by disabling an account twice.
        users.disable(users.find("second@example.org"))
        with pytest.raises(Invalid):
            users.disable(users.find(ROOT))


def test_concurrent_disabling_keeps_an_administrator(app: Flask) -> None:
    for number in (1, 2):
        make_user(app, f"{number}@example.org", "Root", ["administrator"])
    is_known, may_go, is_done, refused = Event(), Event(), Event(), []

    def second() -> None:
        with app.app_context():
            user = users.find("2@example.org")
            is_known.set()
            may_go.wait(20)
            try:
                users.disable(user)
                db.session.commit()
            except Invalid as error:
                refused.append(error)
        is_done.set()

    thread = Thread(target=second)
    with app.app_context():
        has_many = db.engine.dialect.name != "sqlite"
        if has_many:
            thread.start()
            assert is_known.wait(20)
        users.disable(users.find("1@example.org"))
        if not has_many:
            # It waits from its first look on.
            thread.start()
        may_go.set()
        assert not is_done.wait(0.5), "the second has not waited"
        db.session.commit()
    thread.join(20)
    assert len(refused) == 1


# --- who may change rights ----------------------------------------------------------------------

PAGES = ("/accounts/roles", "/accounts/roles/new", "/accounts/roles/member", "/accounts/people", "/accounts/access")


@pytest.mark.parametrize("page", PAGES)
def test_role_pages_need_permission(sqlite_app: Flask, page: str) -> None:
    client = sqlite_app.test_client()
    assert client.get(page).status_code == 303
    make_user(sqlite_app, roles=["staff"])
    sign_in(client)
    assert client.get(page).status_code == 403
    assert page not in client.get("/accounts/").text


@pytest.mark.parametrize("page", PAGES)
def test_pages_open_for_administrators(sqlite_app: Flask, page: str) -> None:
    make_user(sqlite_app, ROOT, "Root", ["administrator"])
    client = sqlite_app.test_client()
    sign_in(client, ROOT)
    assert client.get(page).status_code == 200


LIMITED = Identity(
    "k", "K", frozenset({"accounts.role.edit", "accounts.user.edit", "billing.draft.open"}), via="session"
)


@pytest.mark.parametrize(
    "change",
    [
        lambda person: granting.grant(
            granting.get("member"), [*granting.get("member").permissions, "billing.payment.open"]
        ),
        lambda person: granting.grant(granting.get("member"), ["billing.draft.open"]),
        lambda person: granting.give(person, ["member", "administrator"]),
        lambda person: granting.give(person, ["member", "staff"]),
        lambda person: granting.give(person, []),
        lambda person: granting.delete(granting.get("mayor")),
    ],
    ids=["grant more", "take others'", "give everything", "give more", "take more", "delete more"],
)
def test_grant_limited_to_own_permissions(sqlite_app: Flask, change: Callable[[User], Any]) -> None:
    make_user(sqlite_app)
    with sqlite_app.app_context():
        db.session.add(Role(name="mayor", permissions=["billing.payment.open"]))
        db.session.commit()
    with sqlite_app.test_request_context(), acting_as(LIMITED):
        person = users.find("ada@example.org")
        with pytest.raises(Forbidden):
            change(person)


def test_change_without_the_permission_is_refused(sqlite_app: Flask) -> None:
    make_user(sqlite_app)
    with sqlite_app.test_request_context():
        with pytest.raises(Unauthenticated):
            granting.create("editor", None)
        with pytest.raises(Unauthenticated):
            granting.grant(granting.get("member"), [])
        with pytest.raises(Unauthenticated):
            granting.give(users.find("ada@example.org"), [])
        with pytest.raises(Unauthenticated):
            granting.delete(granting.get("member"))


def test_changes_of_rights_are_logged(sqlite_app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    make_user(sqlite_app, ROOT, "Root", ["administrator"])
    key = make_user(sqlite_app)
    client = sqlite_app.test_client()
    sign_in(client, ROOT)
    with caplog.at_level(logging.INFO, "andamio.security"):
        submit(client, "/accounts/roles/member", permissions=["billing.draft.open"])
        submit(client, f"/accounts/people/{user_id(sqlite_app, 'ada@example.org')}/roles", roles=["staff"])
    names = ("event", "role", "permission", "target", "change")
    seen = [tuple(getattr(record, name, None) for name in names) for record in caplog.records]
    assert ("permission.changed", "member", "billing.invoice.read", None, "revoked") in seen
    assert ("role.changed", "staff", None, key, "given") in seen


# --- commands -----------------------------------------------------------------------------------


def test_commands_grant_give_and_list(sqlite_app: Flask) -> None:
    make_user(sqlite_app)
    run = sqlite_app.test_cli_runner().invoke
    for arguments in (["grant", "member", "billing.payment.open"], ["give", "ada@example.org", "staff"]):
        result = run(args=["accounts", *arguments])
        assert result.exit_code == 0, result.output
    assert "billing.payment.open" in granted(sqlite_app, "member")
    assert names(sqlite_app, "ada@example.org") == ["member", "staff"]
    listed = run(args=["accounts", "roles"]).output
    assert "member: billing.draft.open, billing.invoice.read, billing.payment.open" in listed
    assert run(args=["accounts", "revoke", "member", "billing.payment.open"]).exit_code == 0
    assert run(args=["accounts", "take", "ada@example.org", "staff"]).exit_code == 0
    assert names(sqlite_app, "ada@example.org") == ["member"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["grant", "visitor", "billing.payment.open"],
        ["grant", "member", "shop.order.edit"],
        ["revoke", "member", "billing.payment.open"],
        ["give", "x@example.org", "staff"],
        ["give", "ada@example.org", "king"],
    ],
)
def test_command_says_what_it_cannot_do(sqlite_app: Flask, arguments: list[str]) -> None:
    make_user(sqlite_app)
    result = sqlite_app.test_cli_runner().invoke(args=["accounts", *arguments])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


def test_matrix_shows_roles_of_ones_own(sqlite_app: Flask) -> None:
    make_user(sqlite_app, ROOT, "Root", ["administrator"])
    client = sqlite_app.test_client()
    sign_in(client, ROOT)
    submit(client, "/accounts/roles/new", name="editor")
    page = client.get("/accounts/access").text
    assert ">Editor</th>" in page
    assert "Undeclared" not in page


@pytest.mark.parametrize(
    ("asked", "shown", "hidden"),
    [
        ({"q": "post /BILLING/payment"}, ["POST /billing/payment"], ["GET /billing", "POST /accounts"]),
        ({"q": "public reset"}, ["GET /accounts/reset", "POST /accounts/reset"], ["GET /accounts/access"]),
        ({"q": "role", "who": "member"}, [], ["/accounts/roles"]),
        ({"q": "/billing", "who": "member"}, ["POST /billing/draft"], ["POST /billing/payment", "Staff</th>"]),
        ({"q": "accounts/profile", "who": "signed in"}, ["GET /accounts/profile"], ["Anonymous</th>"]),
        ({"who": "king"}, ["Anonymous</th>", "Staff</th>"], []),
    ],
)
def test_matrix_shows_what_was_asked_for(sqlite_app: Flask, asked: Any, shown: list[str], hidden: list[str]) -> None:
    make_user(sqlite_app, ROOT, "Root", ["administrator"])
    client = sqlite_app.test_client()
    sign_in(client, ROOT)
    page = client.get("/accounts/access", query_string=asked).text
    assert [text for text in shown if text not in page] == []
    assert [text for text in hidden if text in page.partition("</form>\n")[2]] == []


def test_user_page_hides_credentials(sqlite_app: Flask) -> None:
    make_user(sqlite_app, ROOT, "Root", ["administrator"])
    client = sqlite_app.test_client()
    sign_in(client, ROOT)
    page = client.get(f"/accounts/people/{user_id(sqlite_app, ROOT)}").text
    assert "History" in page
    assert "webauthn" not in page.lower()
