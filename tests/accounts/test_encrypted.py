"""Another SECRET_KEY: what was signed and encrypted with the one of before counts on, and later does without."""

import re
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from app.accounts import encrypted
from app.accounts import throttles
from app.accounts.models import User
from app.secret import columns
from services import db
from tests.accounts.test_factors import CODE
from tests.accounts.test_factors import code
from tests.accounts.test_factors import set_up
from tests.accounts.users import PASSWORD
from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.accounts.users import sign_out
from tests.checks import found
from tests.conftest import SECRET_KEY
from tests.forms import open_form
from tests.forms import submit

Make = Callable[..., Flask]

NEW = {"SECRET_KEY": "another-" + SECRET_KEY}
BOTH = {**NEW, "SECRET_KEY_FALLBACKS": [SECRET_KEY]}


def reencrypt(app: Flask) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["secret", "reencrypt"])
    return result.exit_code, result.output


def move(client: FlaskClient, app: Flask) -> FlaskClient:
    """Have a browser go on with another application: the same site, restarted."""
    other = app.test_client()
    other.set_cookie("session", client.get_cookie("session").value)
    return other


@pytest.fixture
def user_client(sqlite_app: Flask) -> FlaskClient:
    """Return a browser in which Ada is signed in."""
    make_user(sqlite_app)
    client = sqlite_app.test_client()
    sign_in(client)
    return client


# --- what is encrypted --------------------------------------------------------------------------


def test_reencrypt_frees_from_earlier_secret(user_client: FlaskClient, make_app: Make) -> None:
    key = set_up(user_client)
    between = make_app(**BOTH)
    (finding,) = found(between, "secret.encrypted")
    assert finding.message.startswith("accounts_user.tf_totp_secret has 1 values")

    done, output = reencrypt(between)
    assert done == 0
    assert "accounts_user.tf_totp_secret: 1 of 1 values" in output
    assert found(between, "secret.encrypted") == []
    assert reencrypt(between) == (0, "Everything is encrypted with today's secret.\n")
    client = make_app(**NEW).test_client()
    sign_in(client)
    assert submit(client, CODE, code=code(key)).status_code == 302
    assert client.get("/accounts/").status_code == 200


@contextmanager
def people(app: Flask, keys: list[str]) -> Iterator[None]:
    """Have as many people as there are keys of apps, each encrypted with the secret of this application."""
    with app.app_context():
        codes = app.extensions["security"].totp_factory
        for number, key in enumerate(keys):
            text = codes._totp(key).to_json(encrypt=True) if key else None
            db.session.add(User(email=f"{number}@example.org", name="x", tf_totp_secret=text))
        db.session.commit()
        yield


def read(app: Flask) -> list[str | None]:
    with app.app_context():
        codes = app.extensions["security"].totp_factory
        kept = db.session.scalars(sa.select(User.tf_totp_secret).order_by(User.id)).all()
        return [text and codes._totp.from_source(text).base32_key for text in kept]


KEYS = ["GEZDGNBVGY3TQOJQ", "", "MFRGGZDFMZTWQ2LK", "ONSWG4TFOQQGC3TE", "JBSWY3DPEHPK3PXP", "KRSXG5CTMVRXEZLU"]


def test_reencrypt_resumes_after_interruption(
    make_app: Make, platform: Callable[[str], URL], engine_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = platform(engine_name)
    monkeypatch.setattr(columns, "BATCH", 2)
    with people(make_app(url), KEYS):
        versions = db.session.scalars(sa.select(User.version).order_by(User.id)).all()
    between = make_app(url, **BOTH)
    (column,) = encrypted.COLUMNS
    with between.app_context():
        assert next(columns.reencrypt(column)) == 0
        db.session.rollback()
        assert columns.count_earlier(between) == {"accounts_user.tf_totp_secret": 3}
    assert reencrypt(between)[0] == 0
    after = make_app(url, **NEW)
    assert read(after) == [key or None for key in KEYS]
    with after.app_context():
        assert db.session.scalars(sa.select(User.version).order_by(User.id)).all() == versions


def test_value_without_secret_reported_and_kept(make_app: Make) -> None:
    with people(make_app(), KEYS[:1]):
        before = db.session.scalars(sa.select(User.tf_totp_secret)).all()
    app = make_app(**NEW)
    done, output = reencrypt(app)

    assert done == 1
    assert "1 need a secret that SECRET_KEY_FALLBACKS does not have" in output
    with app.app_context():
        assert db.session.scalars(sa.select(User.tf_totp_secret)).all() == before


def test_value_changed_meanwhile_stays(make_app: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with people(make_app(), KEYS[:1]):
        pass
    app = make_app(**BOTH)
    (column,) = encrypted.COLUMNS

    def turn_off(value: str) -> Any:
        db.session.execute(sa.update(User).values(tf_totp_secret=None))
        db.session.commit()
        return column.reencrypt(value)

    with app.app_context():
        slow = columns.EncryptedColumn(column.column, column.is_earlier, turn_off)
        assert list(columns.reencrypt(slow)) == [0]
        assert db.session.scalars(sa.select(User.tf_totp_secret)).all() == [None]


def test_reencrypt_where_codes_are_switched_off(user_client: FlaskClient, make_app: Make) -> None:
    set_up(user_client)

    assert reencrypt(make_app(**BOTH, ACCOUNTS_TOTP=False))[0] == 0
    assert reencrypt(make_app(**NEW)) == (0, "Everything is encrypted with today's secret.\n")


# --- what is signed -----------------------------------------------------------------------------


def test_session_and_form_survive_rotation(user_client: FlaskClient, make_app: Make) -> None:
    fields = open_form(user_client, "/accounts/password")
    assert move(user_client, make_app(**NEW)).get("/accounts/").status_code == 303
    client = move(user_client, make_app(**BOTH))
    asked = {
        "password": PASSWORD,
        "new_password": "a quite different one",
        "new_password_confirm": "a quite different one",
    }

    answer = client.post("/accounts/password", data={**fields, **asked})
    assert answer.status_code == 302, answer.text


def test_mail_links_survive_rotation(sqlite_app: Flask, user_client: FlaskClient, make_app: Make) -> None:
    def ask(app: Flask) -> str:
        submit(app.test_client(), "/accounts/reset", email="ada@example.org")
        return link(mails(app)[-1])

    before, between = ask(sqlite_app), make_app(**BOTH)
    assert PASSWORD_FIELD in open_form_text(between, before)
    assert PASSWORD_FIELD in open_form_text(make_app(**NEW), ask(between))
    assert PASSWORD_FIELD not in open_form_text(make_app(**NEW), before)


PASSWORD_FIELD = 'name="password_confirm"'


def open_form_text(app: Flask, path: str) -> str:
    return re.sub(r"\s+", " ", app.test_client().get(path, follow_redirects=True).text)


def test_browser_is_still_known(sqlite_app: Flask, user_client: FlaskClient, make_app: Make) -> None:
    with sqlite_app.test_request_context():
        earlier = throttles.mark("ada@example.org")
    app = make_app(**BOTH)
    client = move(user_client, app)
    with client.session_transaction() as session:
        browser = session[throttles.KNOWN][earlier]
    sign_out(client)
    sign_in(client)
    with app.test_request_context(), client.session_transaction() as session:
        mark = throttles.mark("ada@example.org")
        assert mark != earlier
        assert session[throttles.KNOWN] == {mark: browser}
