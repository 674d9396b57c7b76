"""History of roles: what each granted, in words, and who was given it."""

import html
import re

from flask import Flask
from flask.testing import FlaskClient

from app.accounts import users
from app.accounts.roles import granting
from services import db
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.forms import submit

ROOT = "root@example.org"


def chief_of(app: Flask) -> FlaskClient:
    make_user(app, ROOT, "Root", ["administrator"])
    client = app.test_client()
    sign_in(client, ROOT)
    return client


def text_of(client: FlaskClient, page: str) -> str:
    """Follow a page to the history of its row, and return what people read there."""
    found = re.search(r'href="([^"]+)">History</a>', client.get(page).text.partition("<main")[2])
    assert found, page
    text = client.get(html.unescape(found[1])).text.partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_role_history_names_grants(app: Flask) -> None:
    chief = chief_of(app)
    submit(chief, "/accounts/roles/new", name="editor", description="Who edits.")
    submit(chief, "/accounts/roles/editor", permissions=["accounts.user.edit", "accounts.role.edit"])
    submit(chief, "/accounts/roles/editor", permissions=["accounts.user.edit"])
    text = text_of(chief, "/accounts/roles/editor")
    assert "History of editor Updated" in text
    assert "Permissions — accounts.role.edit, accounts.user.edit" in text
    assert "Permissions accounts.role.edit, accounts.user.edit accounts.user.edit" in text
    assert text.count("by Root.") == 3


def test_deleted_role_history_names_grants(sqlite_app: Flask) -> None:
    chief = chief_of(sqlite_app)
    submit(chief, "/accounts/roles/new", name="editor")
    submit(chief, "/accounts/roles/editor", permissions=["accounts.user.edit"])
    submit(chief, "/accounts/roles/editor/delete")
    text = " ".join(re.sub(r"<[^>]+>", " ", chief.get("/history/changes").text).split())
    assert "Deleted role editor" in text
    assert "Updated role editor" in text
    assert "Permissions accounts.user.edit — " in text


def test_unchanged_grants_not_recorded(sqlite_app: Flask) -> None:
    chief = chief_of(sqlite_app)
    submit(chief, "/accounts/roles/member")
    with sqlite_app.app_context():
        granting.revoke_unknown(granting.get("member"), "none.such.grant")
        db.session.commit()
    assert "Updated" not in text_of(chief, "/accounts/roles/member")


def test_user_history_names_roles(app: Flask) -> None:
    chief = chief_of(app)
    make_user(app)
    with app.app_context():
        url = f"/accounts/people/{users.find('ada@example.org').id}"
    submit(chief, f"{url}/roles", roles=["member", "staff"])
    with app.app_context():
        users.disable(users.find("ada@example.org"))
        db.session.commit()
    text = text_of(chief, url)
    assert "Roles member member, staff" in text
    assert "Active Yes No" in text
    assert "Key of the sessions Changed; a secret, which is not kept" in text
    assert "Fs" not in text
