"""Checks of ``flask doctor`` in the accounts."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.accounts import checks
from app.accounts.models import Passkey
from app.accounts.models import Role
from app.accounts.models import RolePermission
from app.accounts.models import Session
from app.accounts.models import User
from core.data.models import now
from services import db
from tests.accounts.users import make_user
from tests.checks import found

Make = Callable[..., Flask]


def change(app: Flask, email: str, **values: object) -> None:
    with app.app_context():
        db.session.execute(sa.update(User).where(User.email == email).values(**values))
        db.session.commit()


# --- who administers ----------------------------------------------------------------------------


def test_site_without_an_administrator_is_found(app: Flask) -> None:
    make_user(app, "ada@andamio.dev")
    assert "no administrator" in found(app, "accounts.administrator-missing")[0].message
    make_user(app, "grace@andamio.dev", roles=["administrator"])
    assert found(app, "accounts.administrator-missing") == []


def test_administrator_without_sign_in_ignored(sqlite_app: Flask) -> None:
    make_user(sqlite_app, "grace@andamio.dev", roles=["administrator"])
    change(sqlite_app, "grace@andamio.dev", active=False)

    assert len(found(sqlite_app, "accounts.administrator-missing")) == 1


def test_administrator_with_password_only_found(sqlite_app: Flask) -> None:
    make_user(sqlite_app, "ada@andamio.dev")
    make_user(sqlite_app, "grace@andamio.dev", roles=["administrator"])
    (finding,) = found(sqlite_app, "accounts.administrator-factor")

    assert finding.message == "A password is enough to administer the site, as grace@andamio.dev."


def test_administrator_with_authenticator_passes(sqlite_app: Flask) -> None:
    make_user(sqlite_app, "grace@andamio.dev", roles=["administrator"])
    change(sqlite_app, "grace@andamio.dev", tf_totp_secret="made-up", tf_primary_method="authenticator")

    assert found(sqlite_app, "accounts.administrator-factor") == []


def add_passkey(app: Flask) -> None:
    with app.app_context():
        user = db.session.scalars(sa.select(User)).one()
        values = {"device_type": "single_device", "backup_state": False, "usage": "first", "lastuse_datetime": now()}
        db.session.add(Passkey(user=user, name="key", credential_id=b"1", public_key=b"2", **values))
        db.session.commit()


def test_administrator_with_passkey_passes(sqlite_app: Flask) -> None:
    make_user(sqlite_app, "grace@andamio.dev", roles=["administrator"])
    add_passkey(sqlite_app)

    assert found(sqlite_app, "accounts.administrator-factor") == []


def add_app(app: Flask) -> None:
    with app.app_context():
        db.session.execute(sa.update(User).values(tf_totp_secret="made-up", tf_primary_method="authenticator"))
        db.session.commit()


@pytest.mark.parametrize(("name", "add"), [("ACCOUNTS_TOTP", add_app), ("ACCOUNTS_PASSKEYS", add_passkey)])
def test_switched_off_factor_found(make_app: Make, name: str, add: Callable[[Flask], None]) -> None:
    app = make_app(**{name: False})
    make_user(app, "grace@andamio.dev", roles=["administrator"])
    assert found(app, "accounts.factor-off") == []
    add(app)

    (finding,) = found(app, "accounts.factor-off")
    assert finding.message == f"{name} is false, but was used by 1 who now sign in without."
    assert len(found(app, "accounts.administrator-factor")) == 1
    assert found(make_app(), "accounts.factor-off") == []
    change(app, "grace@andamio.dev", active=False)
    assert found(app, "accounts.factor-off") == []


@pytest.mark.parametrize("address", ["admin@example.org", "root@shop.example.com"])
def test_account_with_reserved_address_found(sqlite_app: Flask, address: str) -> None:
    make_user(sqlite_app, "ada@notexample.dev")
    assert found(sqlite_app, "accounts.reserved-address") == []
    make_user(sqlite_app, address)
    assert address in found(sqlite_app, "accounts.reserved-address")[0].message
    change(sqlite_app, address, active=False)
    assert found(sqlite_app, "accounts.reserved-address") == []


def test_long_name_list_shortened(sqlite_app: Flask) -> None:
    for number in range(5):
        make_user(sqlite_app, f"{number}@example.org")

    assert "2@example.org and 2 more" in found(sqlite_app, "accounts.reserved-address")[0].message


# --- mail and registration ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "config", "message"),
    [
        ("accounts.mail-missing", {"MAIL_URL": []}, "MAIL_URL is not set"),
        ("accounts.mail-kept", {"MAIL_URL": ["smtp://mail.andamio.dev", "console:"]}, "kept here (console)"),
        ("accounts.mail-kept", {"MAIL_URL": ["folder:instance/mail"]}, "kept here (folder)"),
        ("accounts.registration-open", {"ACCOUNTS_CONFIRM": False}, "any address"),
        ("accounts.registration-open", {"MAIL_URL": []}, "any address"),
        ("accounts.session-long", {"SESSION_MAX_HOURS": 24 * 31}, "31 days"),
        ("accounts.session-long", {"SESSION_IDLE_HOURS": 24 * 60}, "60 days"),
    ],
)
def test_configuration_that_is_wrong_is_found(
    sqlite_app: Flask, identity: str, config: dict[str, object], message: str
) -> None:
    sqlite_app.config.update(ACCOUNTS_REGISTRATION=True, ACCOUNTS_CONFIRM=True, MAIL_URL=["smtp://mail.andamio.dev"])
    assert found(sqlite_app, identity) == []
    sqlite_app.config.update(config)
    (finding,) = found(sqlite_app, identity)

    assert message in finding.message


def test_closed_registration_needs_no_confirmation(sqlite_app: Flask) -> None:
    sqlite_app.config.update(ACCOUNTS_REGISTRATION=False, ACCOUNTS_CONFIRM=False)

    assert found(sqlite_app, "accounts.registration-open") == []


# --- what piles up ------------------------------------------------------------------------------


def test_piled_up_session_records_found(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MANY_RECORDS", 2)
    make_user(app)
    with app.app_context():
        ada = db.session.scalars(sa.select(User)).one()
        for number, days in enumerate((1, 400, 400)):
            moment = now() - timedelta(days=days)
            db.session.add(Session(digest=f"{number}", user=ada, created_at=moment, seen_at=moment))
        db.session.commit()
        assert found(app, "accounts.sessions-ended") == []
        db.session.add(Session(digest="more", user=ada, created_at=moment, seen_at=moment))
        db.session.commit()
    assert "Over 2 records" in found(app, "accounts.sessions-ended")[0].message


def test_permission_of_removed_module_found(app: Flask) -> None:
    with app.app_context():
        role = Role(name="keeper")
        db.session.add(role)
        db.session.flush()
        db.session.add(RolePermission(role_id=role.id, permission="gone.thing.edit"))
        db.session.commit()
    (finding,) = found(app, "accounts.permission-unknown")

    assert "gone.thing.edit" in finding.message


def test_installed_platform_grants_known_permissions(app: Flask) -> None:
    assert found(app, "accounts.permission-unknown") == []


def test_doctor_makes_these_checks(sqlite_app: Flask) -> None:
    output = sqlite_app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout
    answer = json.loads(output)

    assert "accounts.administrator-missing" in {one["id"] for one in answer["findings"]}
    assert "accounts.sessions-ended" in answer["checks"]
    assert "core.check-broken" not in {one["id"] for one in answer["findings"]}
