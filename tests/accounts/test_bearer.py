"""``Authorization: Bearer``: who counts, who does not, and what is said then (RFC 6750)."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint
from flask import Flask
from flask.testing import FlaskClient
from flask_restful import Api as PlainApi
from flask_restful import Resource
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.accounts import throttles
from app.accounts import users
from app.accounts.models import RolePermission
from app.accounts.models import Token
from app.accounts.models import User
from app.accounts.tokens import bearer
from app.accounts.tokens import issuing
from app.accounts.tokens.texts import new_text
from core.access import identity
from core.data import cursors
from core.data.models import now
from core.http.apis import adopt_plain_apis
from services import db
from tests import tokens as issued
from tests.accounts import billing

MODULES = ["app.limits", "app.home", "app.accounts", billing.__name__]
REALM = 'Bearer realm="Andamio"'


@pytest.fixture
def app(make_app: Callable[..., Flask], platform: Callable[[str], Any], engine_name: str) -> Flask:
    """Return the billing on an engine."""
    return make_app(platform(engine_name), MODULES)


@pytest.fixture
def sqlite_app(make_app: Callable[..., Flask]) -> Flask:
    """Return the billing where the engine does not matter."""
    return make_app(None, MODULES)


def ask(app: Flask, token: str, method: str = "GET", path: str = "/billing/caller") -> TestResponse:
    return app.test_client().open(path, method=method, headers=issued.authorization(token))


def change(app: Flask, statement: Any) -> None:
    with app.app_context():
        db.session.execute(statement)
        db.session.commit()


def test_endpoint_without_prefix_takes_tokens(sqlite_app: Flask) -> None:
    """A resource of Flask-RESTful is an API's wherever it is, a page is none."""
    plain = Blueprint("plain", __name__)

    class Caller(Resource):
        def get(self) -> dict[str, str | None]:
            return {"key": identity().key}

    PlainApi(plain).add_resource(Caller, "/caller")
    plain.add_url_rule("/page", "page", lambda: str(identity().key))
    sqlite_app.register_blueprint(plain)
    adopt_plain_apis(sqlite_app)
    with sqlite_app.app_context():
        owner = issued.make_user("billing.payment.open")
        key = owner.key
        _, text = issuing.make(owner, "ci", ["billing.payment.open"])
        db.session.commit()

    assert ask(sqlite_app, text, path="/caller").json == {"key": key}
    assert ask(sqlite_app, f"{text}x", path="/caller").status_code == 401
    assert ask(sqlite_app, text, path="/page").text == "None"


# --- who counts ---------------------------------------------------------------------------------


def test_token_acts_for_owner_within_scopes(app: Flask) -> None:
    with app.app_context():
        owner = issued.make_user("billing.payment.open", "billing.refund.open")
        key = owner.key
        _, text = issuing.make(owner, "ci", ["billing.payment.open"])
        db.session.commit()
    assert ask(app, text).json == {
        "key": key,
        "permissions": ["billing.payment.open", "billing.refund.open"],
        "scopes": ["billing.payment.open"],
        "via": "token",
    }
    assert ask(app, text, "POST", "/billing/payment").status_code == 200


def test_token_of_user_without_role_valid(app: Flask) -> None:
    with app.app_context():
        owner = issued.make_user()
        owner.roles.clear()
        _, text = issuing.make(owner, "ci", ["billing.draft.open"])
        db.session.commit()
    assert ask(app, text).json["permissions"] == []


def test_expired_token_is_refused(app: Flask) -> None:
    text = issued.issue(app, "billing.payment.open")
    change(app, sa.update(Token).values(expires_at=now() + timedelta(seconds=30)))
    assert ask(app, text).status_code == 200
    change(app, sa.update(Token).values(expires_at=now()))
    answer = ask(app, text)
    assert answer.status_code == 401
    said = "The token has expired."
    assert answer.headers["WWW-Authenticate"] == f'{REALM}, error="invalid_token", error_description="{said}"'
    assert answer.json["detail"] == said


def test_revoked_token_is_refused_at_once(app: Flask) -> None:
    text = issued.issue(app, "billing.payment.open")
    assert ask(app, text).status_code == 200
    with app.app_context():
        issuing.revoke(db.session.scalars(sa.select(Token)).one())
        db.session.commit()
    assert 'error="invalid_token"' in ask(app, text).headers["WWW-Authenticate"]


def test_token_of_disabled_account_refused(app: Flask) -> None:
    text = issued.issue(app, "billing.payment.open")
    change(app, sa.update(User).values(active=False))
    assert ask(app, text).status_code == 401


def test_disabling_account_ends_tokens(app: Flask) -> None:
    text = issued.issue(app, "billing.payment.open")
    with app.app_context():
        owner = db.session.scalars(sa.select(User)).one()
        users.disable(owner)
        users.enable(owner)
        db.session.commit()
    assert ask(app, text).status_code == 401


def test_revoked_permission_lost_to_token(app: Flask) -> None:
    text = issued.issue(app, "billing.payment.open")
    assert ask(app, text, "POST", "/billing/payment").status_code == 200
    change(app, sa.delete(RolePermission))
    assert ask(app, text, "POST", "/billing/payment").status_code == 403


def test_unscoped_permission_refused(app: Flask) -> None:
    with app.app_context():
        _, text = issuing.make(
            issued.make_user("billing.payment.open", "billing.draft.open"), "ci", ["billing.draft.open"]
        )
        db.session.commit()
    answer = ask(app, text, "POST", "/billing/payment")
    assert answer.status_code == 403
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(f'{REALM}, error="insufficient_scope"')
    assert 'scope="billing.payment.open"' in challenge


def test_missing_token_challenged_without_error(sqlite_app: Flask) -> None:
    answer = sqlite_app.test_client().post("/billing/payment")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == REALM


# --- how it is sent -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}", "  Bearer {}  ", "\tBearer {}\t"]
)
def test_scheme_parsed_as_in_http(sqlite_app: Flask, form: str) -> None:
    text = issued.issue(sqlite_app, "billing.payment.open")
    answer = sqlite_app.test_client().get("/billing/caller", headers={"Authorization": form.format(text)})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "form", ["Bearer", "Bearer ", "Bearer {} {}", "Bearer {},Bearer {}", "Bearer {},", 'Bearer "{}"', "Bearer é"]
)
def test_malformed_header_is_a_bad_request(sqlite_app: Flask, form: str) -> None:
    text = issued.issue(sqlite_app, "billing.payment.open")
    answer = sqlite_app.test_client().get("/billing/notice", headers={"Authorization": form.replace("{}", text)})
    assert answer.status_code == 400
    assert answer.headers["WWW-Authenticate"].startswith(f'{REALM}, error="invalid_request"')
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("header", ["", "Basic Z3JhY2U6aG9wcGVy", "Digest a=1", "Bearertoken", "é", "andamio_pat_1"])
def test_other_schemes_get_token_challenge(sqlite_app: Flask, header: str) -> None:
    answer = sqlite_app.test_client().get("/billing/notice", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == REALM


@pytest.mark.parametrize("path", ["/billing/notice", "/billing/none", "/billing/payment"])
def test_invalid_token_refused_everywhere(sqlite_app: Flask, path: str) -> None:
    assert ask(sqlite_app, new_text(), path=path).status_code == 401


@pytest.mark.parametrize("name", ["access_token", "token", "Authorization", "auth_token"])
def test_token_in_url_or_body_ignored(sqlite_app: Flask, name: str) -> None:
    text = issued.issue(sqlite_app, "billing.payment.open")
    visitor = sqlite_app.test_client()
    assert visitor.get("/billing/caller", query_string={name: text}).json["key"] is None
    assert visitor.post("/billing/payment", data={name: text}).status_code == 401
    assert visitor.post("/billing/payment", json={name: text}).status_code == 401
    assert visitor.post("/billing/payment", headers={"Authentication-Token": text}).status_code == 401
    visitor.set_cookie("session", text)
    assert visitor.get("/billing/caller").json["key"] is None


def test_page_knows_no_tokens(sqlite_app: Flask) -> None:
    text = issued.issue(sqlite_app, "billing.payment.open")
    assert ask(sqlite_app, text, path="/billing-page/caller").json == {"key": None}
    assert ask(sqlite_app, "nonsense", path="/billing-page/caller").json == {"key": None}
    assert ask(sqlite_app, text, path="/accounts/tokens").status_code in (302, 303, 401)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.binary(max_size=80) | st.binary(max_size=80).map(lambda rest: b"Bearer " + rest))
def test_any_header_is_answered(sqlite_app: Flask, header: bytes) -> None:
    answer = sqlite_app.test_client().get(
        "/billing/notice", environ_overrides={"HTTP_AUTHORIZATION": header.decode("latin-1")}
    )
    assert answer.status_code in (400, 401)
    assert re.fullmatch(rf'{REALM}(, [a-z_]+="[ !#-\[\]-~]+")*', answer.headers["WWW-Authenticate"])


# --- what it costs ------------------------------------------------------------------------------


@pytest.fixture
def statements(app: Flask) -> Any:
    """Return the statements that the engine is sent."""
    found: list[str] = []
    with app.app_context():
        engine = db.engine

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        found.append(statement.split()[0])

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def test_public_address_without_credentials_asks_nothing(app: Flask, statements: list[str]) -> None:
    assert app.test_client().get("/billing/notice").status_code == 200
    assert statements == []


def test_malformed_token_costs_no_query(app: Flask, statements: list[str]) -> None:
    for text in ("nonsense", "andamio_pat_" + "0" * 49, new_text()[:-1]):
        assert ask(app, text).status_code == 401
    assert statements == []


def test_token_costs_one_query(app: Flask, statements: list[str]) -> None:
    text = issued.issue(app, "billing.payment.open")
    statements.clear()
    assert ask(app, text).status_code == 200
    assert [word for word in statements if word in ("SELECT", "UPDATE")] == ["SELECT", "UPDATE"]
    statements.clear()
    assert ask(app, text).status_code == 200
    # SQLite's BEGIN is there because of the listener.
    assert [word for word in statements if word != "BEGIN"] == ["SELECT"]
    change(app, sa.update(Token).values(used_at=now() - timedelta(seconds=61)))
    statements.clear()
    assert ask(app, text).status_code == 200
    assert "UPDATE" in statements


# --- the last use -------------------------------------------------------------------------------


def used_at(app: Flask) -> Any:
    with app.app_context():
        return db.session.scalar(sa.select(Token.used_at))


def test_last_use_is_kept(app: Flask) -> None:
    text = issued.issue(app, "billing.payment.open")
    assert used_at(app) is None
    before = now()
    ask(app, text)
    assert before <= used_at(app) <= now()


def test_concurrent_last_use_written_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    text = issued.issue(app, "billing.payment.open")
    together = threading.Barrier(4)
    written: list[int] = []

    def write(sql: str, values: Any) -> int:
        together.wait(timeout=20)
        count = cursors.write(sql, values)
        written.append(count)
        return count

    kept = {"moments": cursors.moments, "read_tuples": cursors.read_tuples, "write": write}
    monkeypatch.setattr(bearer, "cursors", SimpleNamespace(**kept))
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(app, text).status_code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4
    assert sorted(written) == [0, 0, 0, 1]


def test_unwritable_last_use_refuses_none(
    sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    text = issued.issue(sqlite_app, "billing.payment.open")

    def fail(*arguments: Any) -> int:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    monkeypatch.setattr(bearer.cursors, "write", fail)
    assert ask(sqlite_app, text).status_code == 200
    assert "could not be written: database is locked" in caplog.text


# --- what is counted and repeated for a token ----------------------------------------------------


def test_two_tokens_have_own_keys(app: Flask) -> None:
    first, second = (issued.issue(app, "billing.payment.open") for _ in range(2))

    def send(text: str) -> TestResponse:
        headers = {**issued.authorization(text), "Idempotency-Key": "same"}
        return app.test_client().post("/billing/transfer", headers=headers)

    assert "Idempotency-Replayed" not in send(first).headers
    assert "Idempotency-Replayed" not in send(second).headers
    assert send(first).headers["Idempotency-Replayed"] == "true"


def test_revoked_token_gets_no_replay(sqlite_app: Flask) -> None:
    text = issued.issue(sqlite_app, "billing.payment.open")
    headers = {**issued.authorization(text), "Idempotency-Key": "same"}
    assert sqlite_app.test_client().post("/billing/transfer", headers=headers).status_code == 200
    change(sqlite_app, sa.delete(Token))
    assert sqlite_app.test_client().post("/billing/transfer", headers=headers).status_code == 401


def test_limit_counts_for_each_account(sqlite_app: Flask) -> None:
    mine, other = (issued.issue(sqlite_app, "billing.payment.open") for _ in range(2))
    assert [ask(sqlite_app, mine, path="/billing/reminder").status_code for _ in range(3)] == [200, 200, 429]
    assert ask(sqlite_app, other, path="/billing/reminder").status_code == 200
    assert sqlite_app.test_client().get("/billing/reminder").status_code == 200


def test_guessing_is_slowed_down(sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttles, "TOKENS", "2 per minute")
    answers = [ask(sqlite_app, new_text()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    # The owner of a token is not kept out by others at the same address.
    assert ask(sqlite_app, issued.issue(sqlite_app, "billing.payment.open")).status_code == 200


def test_refused_token_logged_once(sqlite_app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    text = issued.issue(sqlite_app, "billing.payment.open")
    change(sqlite_app, sa.update(Token).values(expires_at=now()))
    caplog.clear()
    ask(sqlite_app, text, "POST", "/billing/payment")
    seen = [vars(record) for record in caplog.records if record.name == "andamio.security"]
    assert [line["event"] for line in seen] == ["token.refused"]
    with sqlite_app.app_context():
        assert seen[0]["who"] == db.session.scalar(sa.select(User.key))


def test_log_shows_no_token(sqlite_app: Flask, caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    text = issued.issue(sqlite_app, "billing.payment.open")
    visitor: FlaskClient = sqlite_app.test_client()
    visitor.get(f"/billing/{text}", headers=issued.authorization(text))
    visitor.get("/billing/caller", headers={"Authorization": f"Token {text}"})
    ask(sqlite_app, new_text())
    sqlite_app.logger.error("Authorization: Bearer %s at /%s", text, text)
    assert text[12:] not in capsys.readouterr().err
