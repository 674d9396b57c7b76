"""Requests of another site's page in a browser that has signed in: refused, at every address of this platform."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app.accounts.models import Role
from core.access import PUBLIC
from core.access import endpoints
from core.access import permissions
from core.http.apis import is_exempt
from services import db
from tests.accounts.users import make_user
from tests.accounts.users import sign_in

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
FOREIGN = {"Origin": "https://evil.example", "Referer": "https://evil.example/"}
BODIES: dict[str, dict[str, Any]] = {
    "form": {"data": {"name": "Eve", "email": "eve@example.org"}},
    "multipart": {"data": {"name": "Eve"}, "content_type": "multipart/form-data"},
    "text": {"data": '{"name": "Eve"}', "content_type": "text/plain"},
    "json": {"json": {"name": "Eve"}},
}


@pytest.fixture
def admin_client(sqlite_app: Flask) -> FlaskClient:
    """Return the browser of a user with all permissions."""
    with sqlite_app.app_context():
        db.session.add(Role(name="all", permissions=list(permissions())))
        db.session.commit()
    make_user(sqlite_app, roles=["all"])
    client = sqlite_app.test_client()
    sign_in(client)
    assert client.get("/accounts/").status_code == 200
    return client


def rows(app: Flask) -> dict[str, list[Any]]:
    with app.app_context():
        return {table.name: list(db.session.execute(sa.select(table))) for table in db.metadata.sorted_tables}


@pytest.mark.parametrize("body", BODIES)
def test_forged_request_changes_nothing(sqlite_app: Flask, admin_client: FlaskClient, body: str) -> None:
    before = rows(sqlite_app)
    asked = 0
    for rule in sqlite_app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "1", rule.rule)
        for method in sorted((rule.methods or set()) & UNSAFE):
            answer = admin_client.open(path, method=method, headers=FOREIGN, **BODIES[body])
            is_for_all = endpoints.find(sqlite_app, rule.endpoint, method) is PUBLIC
            if is_exempt(sqlite_app, rule.endpoint) and is_for_all:
                continue
            asked += 1
            is_page = not is_exempt(sqlite_app, rule.endpoint) and body != "json"
            media = "text/html" if is_page else "application/problem+json"
            assert (answer.status_code, answer.mimetype) == (400, media), (method, path)
    assert asked > 20
    assert rows(sqlite_app) == before


def test_refusal_says_who_is_signed_in(admin_client: FlaskClient) -> None:
    answer = admin_client.post("/accounts/profile", data={"name": "Eve"}, headers=FOREIGN)

    assert answer.status_code == 400
    assert "The form cannot be trusted" in answer.text
    assert "<span>Ada</span>" in answer.text
    assert "<span>Ada</span>" in admin_client.post("/nowhere", headers=FOREIGN).text
