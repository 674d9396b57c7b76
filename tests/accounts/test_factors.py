"""The second factor: codes of an app and recovery codes, set up, asked for, refused, changed and turned off."""

import re
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from passlib.totp import TOTP
from werkzeug.test import TestResponse

from app.accounts import factors
from app.accounts import users
from app.accounts.factors import steps
from app.accounts.models import Passkey
from core.data.models import now
from services import db
from tests.accounts.users import PASSWORD
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.accounts.users import sign_out
from tests.accounts.users import text
from tests.conftest import SECRET_KEY
from tests.forms import open_form
from tests.forms import read
from tests.forms import submit

#: A test must not fall on the border between two codes of an app.
pytestmark = pytest.mark.usefixtures("steady_codes")

AUTHENTICATOR = "/accounts/authenticator"
CODE = "/accounts/sign-in/code"
RECOVERY = "/accounts/sign-in/recovery-code"
CODES = "/accounts/recovery-codes"
OVERVIEW = "/accounts/second-factor"


def press(client: FlaskClient, url: str, **fields: Any) -> TestResponse:
    """Press one of several buttons of a page."""
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', client.get(url).text)
    assert token
    return client.post(url, data={"csrf_token": token[1], **fields})


def start(client: FlaskClient) -> tuple[str, str]:
    """Ask for a new key of an app; return it, and where the first code goes."""
    page = press(client, AUTHENTICATOR, setup="authenticator").text
    key = re.search(r'<code class="key">([^<]+)', page)
    action = re.search(rf'action="({AUTHENTICATOR}/[^"]+)', page)
    assert key
    assert action
    return key[1], action[1]


def code(key: str, seconds: float = 0) -> str:
    """Return what the app shows now, or so many seconds later."""
    return TOTP(key).generate(time=TOTP.now() + seconds).token


def set_up(client: FlaskClient) -> str:
    """Set an app up, and return its key; its last code was of half a minute ago."""
    key, action = start(client)
    answer = client.post(action, data={**open_form(client, OVERVIEW_FORM), "code": code(key, -30)})
    assert answer.location == OVERVIEW, answer.text
    return key


#: Any page with one form: its token is good for all.
OVERVIEW_FORM = CODES


def make_codes(client: FlaskClient) -> list[str]:
    """Make recovery codes."""
    return re.findall(r"<li><code>([^<]+)", submit(client, CODES).text)


def is_in(client: FlaskClient) -> bool:
    return client.get("/accounts/").status_code == 200


def user(app: Flask) -> Any:
    return users.find("ada@example.org")


@pytest.fixture
def user_client(app: Flask, client: FlaskClient) -> FlaskClient:
    """Return a signed-in user, on each engine."""
    make_user(app)
    sign_in(client)
    return client


@pytest.fixture
def sqlite_user_client(sqlite_app: Flask, sqlite_client: FlaskClient) -> FlaskClient:
    """Return a signed-in user, where the engine does not matter."""
    make_user(sqlite_app)
    sign_in(sqlite_client)
    return sqlite_client


# --- codes of the app ---------------------------------------------------------------------------


def test_app_set_up_and_required(user_client: FlaskClient) -> None:
    key = set_up(user_client)
    assert 'text-bg-success">On<' in user_client.get(OVERVIEW).text
    sign_out(user_client)
    assert sign_in(user_client).location == CODE
    assert not is_in(user_client)
    assert submit(user_client, CODE, code=code(key)).location == "/accounts/"
    assert is_in(user_client)


def test_requested_page_follows_code(sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    sign_out(sqlite_user_client)
    answer = submit(sqlite_user_client, "/accounts/sign-in?next=/docs", email="ada@example.org", password=PASSWORD)
    assert answer.location == f"{CODE}?next=/docs"
    assert submit(sqlite_user_client, answer.location, code=code(key)).location == "/docs"


def test_code_counts_once(app: Flask, user_client: FlaskClient) -> None:
    key = set_up(user_client)
    sign_out(user_client)
    sign_in(user_client)
    shown = code(key)
    assert submit(user_client, CODE, code=shown).status_code == 302
    other = app.test_client()
    sign_in(other)
    answer = submit(other, CODE, code=shown)
    assert (answer.status_code, is_in(other)) == (200, False)
    assert "was used already" in answer.text
    assert submit(other, CODE, code=code(key, 30)).status_code == 302


def test_setup_code_not_reusable(sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    assert submit(sqlite_user_client, CODE, code=code(key, -30)).status_code == 200
    assert not is_in(sqlite_user_client)


def test_concurrent_code_accepted_once(app: Flask, user_client: FlaskClient) -> None:
    key = set_up(user_client)
    answers = at_once(app, CODE, code(key))
    assert sorted(answers) == [200, 302]


def at_once(app: Flask, url: str, shown: str) -> list[int]:
    """Let two browsers that have given the password send the same code together."""
    gate = Barrier(2)
    answers = []

    def send(client: FlaskClient, fields: dict[str, Any]) -> None:
        gate.wait()
        answers.append(client.post(url, data=fields).status_code)

    clients = [app.test_client(), app.test_client()]
    threads = []
    for client in clients:
        sign_in(client)
        threads.append(Thread(target=send, args=(client, {**open_form(client, url), "code": shown})))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("shown", ["", "12345", "１２３４５６", "abcdef", "000000\0", "9" * 21, "-12345"])
def test_wrong_code_refused(sqlite_user_client: FlaskClient, shown: str) -> None:
    set_up(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    assert submit(sqlite_user_client, CODE, code=shown).status_code == 200
    assert not is_in(sqlite_user_client)


def test_code_outside_window_refused(sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    assert submit(sqlite_user_client, CODE, code=code(key, 90)).status_code == 200
    assert submit(sqlite_user_client, CODE, code=code(key, -90)).status_code == 200
    assert not is_in(sqlite_user_client)


def test_code_with_space_accepted(sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    shown = code(key)
    assert submit(sqlite_user_client, CODE, code=f" {shown[:3]} {shown[3:]} ").status_code == 302


def test_mistyped_first_code_keeps_the_key(sqlite_user_client: FlaskClient) -> None:
    key, action = start(sqlite_user_client)
    answer = sqlite_user_client.post(action, data={**open_form(sqlite_user_client, CODES), "code": "000000"})
    assert answer.location == AUTHENTICATOR
    assert not mails(sqlite_user_client.application)
    assert start(sqlite_user_client)[0] == key


def test_new_phone_gets_new_key(sqlite_user_client: FlaskClient) -> None:
    first = set_up(sqlite_user_client)
    second = set_up(sqlite_user_client)
    assert first != second
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    assert submit(sqlite_user_client, CODE, code=code(first)).status_code == 200
    assert submit(sqlite_user_client, CODE, code=code(second)).status_code == 302


def test_app_is_turned_off(user_client: FlaskClient) -> None:
    set_up(user_client)
    make_codes(user_client)
    assert press(user_client, AUTHENTICATOR, setup="disable").location == OVERVIEW
    sign_out(user_client)
    assert sign_in(user_client).location == "/accounts/"
    with user_client.application.app_context():
        assert user(user_client.application).tf_totp_secret is None
        assert user(user_client.application).mf_recovery_codes is None


def test_guessing_codes_is_throttled(sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    answers = [submit(sqlite_user_client, CODE, code="000000").status_code for _ in range(5)]
    assert answers == [200] * 5
    assert submit(sqlite_user_client, CODE, code=code(key)).status_code == 429
    assert submit(sqlite_user_client, RECOVERY, code="x").status_code == 429
    assert not is_in(sqlite_user_client)


def test_code_page_needs_password(sqlite_client: FlaskClient) -> None:
    for url in (CODE, RECOVERY):
        assert sqlite_client.get(url).location == "/accounts/sign-in"


def test_code_page_keeps_signed_in_user(sqlite_user_client: FlaskClient) -> None:
    assert sqlite_user_client.get(CODE).location == "/accounts/"
    assert is_in(sqlite_user_client)


def test_password_change_ends_pending_sign_in(sqlite_app: Flask, sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    other = sqlite_app.test_client()
    sign_in(other)
    fields = open_form(other, CODE)
    with sqlite_app.app_context():
        users.disable(user(sqlite_app))
        users.enable(user(sqlite_app))
        db.session.commit()
    assert other.post(CODE, data={**fields, "code": code(key)}).location == "/accounts/sign-in"
    assert not is_in(other)


def test_account_disabled_meanwhile_refused(sqlite_app: Flask, sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    other = sqlite_app.test_client()
    sign_in(other)
    fields = open_form(other, CODE)
    with sqlite_app.app_context():
        user(sqlite_app).active = False
        db.session.commit()
    other.post(CODE, data={**fields, "code": code(key)})
    assert not is_in(other)


def test_slow_code_asks_password_again(sqlite_user_client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    key = set_up(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    fields = open_form(sqlite_user_client, CODE)
    monkeypatch.setattr(steps, "SECONDS", -1)
    assert sqlite_user_client.post(CODE, data={**fields, "code": code(key)}).location == "/accounts/sign-in"
    assert not is_in(sqlite_user_client)


def test_code_page_offers_no_help(sqlite_user_client: FlaskClient) -> None:
    set_up(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    sent = len(mails(sqlite_user_client.application))
    fields = open_form(sqlite_user_client, CODE)
    for way in ("help", "email"):
        assert sqlite_user_client.post("/accounts/sign-in/help", data={**fields, "help_setup": way}).status_code == 200
    assert len(mails(sqlite_user_client.application)) == sent


# --- what is kept -------------------------------------------------------------------------------


def test_key_is_kept_encrypted(sqlite_app: Flask, sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    with sqlite_app.app_context():
        assert key.replace("-", "") not in user(sqlite_app).tf_totp_secret
        assert '"enckey"' in user(sqlite_app).tf_totp_secret


def test_rotated_secret_reads_and_reencrypts(make_app: Callable[..., Flask], sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    rotated = {"SECRET_KEY": "another-" + SECRET_KEY}
    between = make_app(**rotated, SECRET_KEY_FALLBACKS=[SECRET_KEY])
    client = between.test_client()
    sign_in(client)
    assert submit(client, CODE, code=code(key)).status_code == 302
    after = make_app(**rotated)
    client = after.test_client()
    sign_in(client)
    assert submit(client, CODE, code=code(key, 30)).status_code == 302


def test_lost_secret_refuses_sign_in(
    make_app: Callable[..., Flask], sqlite_user_client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    key = set_up(sqlite_user_client)
    client = make_app(SECRET_KEY="another-" + SECRET_KEY).test_client()
    sign_in(client)
    assert submit(client, CODE, code=code(key)).status_code == 200
    assert "SECRET_KEY_FALLBACKS" in caplog.text


def test_key_picture_inside_page(sqlite_user_client: FlaskClient) -> None:
    answer = press(sqlite_user_client, AUTHENTICATOR, setup="authenticator")
    assert re.search(r'<img class="qr" src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+"', answer.text)
    assert "no-store" in answer.headers["Cache-Control"]


# --- recovery codes -----------------------------------------------------------------------------


def test_recovery_code_signs_in_once(app: Flask, user_client: FlaskClient) -> None:
    set_up(user_client)
    codes = make_codes(user_client)
    assert len(set(codes)) == 10
    sign_out(user_client)
    sign_in(user_client)
    assert submit(user_client, RECOVERY, code=codes[3].upper().replace("-", " ")).location == "/accounts/"
    assert is_in(user_client)
    assert "9 left" in user_client.get(OVERVIEW).text
    other = app.test_client()
    sign_in(other)
    answer = submit(other, RECOVERY, code=codes[3])
    assert (answer.status_code, is_in(other)) == (200, False)
    assert submit(other, RECOVERY, code=codes[4]).status_code == 302


def test_concurrent_recovery_code_accepted_once(app: Flask, user_client: FlaskClient) -> None:
    set_up(user_client)
    codes = make_codes(user_client)
    assert sorted(at_once(app, RECOVERY, codes[0])) == [200, 302]
    with app.app_context():
        assert len(user(app).mf_recovery_codes) == 9


def test_recovery_codes_stored_as_digests(sqlite_app: Flask, sqlite_user_client: FlaskClient) -> None:
    set_up(sqlite_user_client)
    codes = make_codes(sqlite_user_client)
    for url in (CODES, f"{CODES}?show_codes=1", OVERVIEW):
        assert not any(one in sqlite_user_client.get(url).text for one in codes)
    with sqlite_app.app_context():
        kept = user(sqlite_app).mf_recovery_codes
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in kept)
    # 120 bits each.
    assert all(len(one.replace("-", "")) == 24 for one in codes)


def test_new_recovery_codes_replace_the_old(sqlite_user_client: FlaskClient) -> None:
    set_up(sqlite_user_client)
    old = make_codes(sqlite_user_client)
    make_codes(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    assert submit(sqlite_user_client, RECOVERY, code=old[0]).status_code == 200


def test_recovery_codes_alone_no_factor(sqlite_user_client: FlaskClient) -> None:
    make_codes(sqlite_user_client)
    sign_out(sqlite_user_client)
    assert sign_in(sqlite_user_client).location == "/accounts/"


# --- who may change it --------------------------------------------------------------------------

CHANGES = [
    (AUTHENTICATOR, {"setup": "authenticator"}),
    (AUTHENTICATOR, {"setup": "disable"}),
    (CODES, {}),
    ("/accounts/passkeys", {"name": "Phone", "usage": "first"}),
    ("/accounts/passkeys/delete", {"name": "Phone"}),
]


@pytest.mark.parametrize(("url", "fields"), CHANGES)
def test_change_asks_who_is_there_again(make_app: Callable[..., Flask], url: str, fields: dict[str, str]) -> None:
    app = make_app()
    make_user(app)
    client = app.test_client()
    sign_in(client)
    token = open_form(client, CODES)
    app.config["SECURITY_FRESHNESS"] = timedelta(seconds=0.001)
    answer = client.post(url, data={**token, **fields})
    assert answer.status_code == 302
    assert answer.location.startswith("/accounts/verify?next=")
    assert client.get(answer.location).status_code == 200


@pytest.mark.parametrize(("url", "fields"), CHANGES)
def test_factor_change_needs_sign_in(sqlite_client: FlaskClient, url: str, fields: dict[str, str]) -> None:
    answer = sqlite_client.post(url, data={**open_form(sqlite_client, "/accounts/sign-in"), **fields})
    assert answer.status_code == 401


@pytest.mark.parametrize(("url", "fields"), CHANGES)
def test_factor_change_needs_form_token(sqlite_user_client: FlaskClient, url: str, fields: dict[str, str]) -> None:
    assert sqlite_user_client.post(url, data=fields).status_code == 400


def test_going_on_takes_password_and_code(sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    assert (
        "/accounts/verify"
        in submit(sqlite_user_client, "/accounts/verify", password="wrong", code=code(key)).request.path
    )
    missing = submit(sqlite_user_client, "/accounts/verify", password=PASSWORD)
    assert (missing.status_code, "Enter the code" in missing.text) == (200, True)
    wrong = submit(sqlite_user_client, "/accounts/verify", password=PASSWORD, code="000000")
    assert (wrong.status_code, "not valid" in wrong.text) == (200, True)
    right = submit(sqlite_user_client, "/accounts/verify?next=/accounts/passkeys", password=PASSWORD, code=code(key))
    assert right.location == "/accounts/passkeys"


def test_reauthentication_needs_password_only(sqlite_user_client: FlaskClient) -> None:
    assert "code" not in open_form(sqlite_user_client, "/accounts/verify")
    assert submit(sqlite_user_client, "/accounts/verify", password=PASSWORD).status_code == 302


def test_reauthentication_codes_throttled(sqlite_user_client: FlaskClient) -> None:
    key = set_up(sqlite_user_client)
    for _ in range(5):
        submit(sqlite_user_client, "/accounts/verify", password=PASSWORD, code="000000")
    answer = submit(sqlite_user_client, "/accounts/verify", password=PASSWORD, code=code(key))
    assert (answer.status_code, "Too many codes" in answer.text) == (200, True)


# --- notices ------------------------------------------------------------------------------------


def test_owner_notified_of_each_change(sqlite_user_client: FlaskClient) -> None:
    set_up(sqlite_user_client)
    codes = make_codes(sqlite_user_client)
    sign_out(sqlite_user_client)
    sign_in(sqlite_user_client)
    submit(sqlite_user_client, RECOVERY, code=codes[0])
    press(sqlite_user_client, AUTHENTICATOR, setup="disable")
    sent = mails(sqlite_user_client.application)
    assert [mail["Subject"] for mail in sent] == [
        "An authenticator app was set up",
        "New recovery codes were made",
        "A recovery code was used",
        "The authenticator app was turned off",
    ]
    assert {mail["To"] for mail in sent} == {"ada@example.org"}
    assert not any(one in text(mail) for one in codes for mail in sent)


@pytest.mark.parametrize(
    "change",
    [set_up, make_codes, lambda client: press(client, AUTHENTICATOR, setup="disable")],
    ids=["set up", "make codes", "turn off"],
)
def test_factor_change_ends_other_sessions(
    app: Flask, user_client: FlaskClient, change: Callable[[FlaskClient], Any]
) -> None:
    key = "" if change is set_up else set_up(user_client)
    other = app.test_client()
    sign_in(other)
    if key:
        submit(other, CODE, code=code(key))
    assert is_in(other)
    change(user_client)
    assert is_in(user_client)
    assert not is_in(other)


def test_recovery_code_keeps_other_sessions(sqlite_user_client: FlaskClient) -> None:
    set_up(sqlite_user_client)
    codes = make_codes(sqlite_user_client)
    other = sqlite_user_client.application.test_client()
    sign_in(other)
    submit(other, RECOVERY, code=codes[0])
    assert is_in(other)
    assert is_in(sqlite_user_client)


# --- what is in the log -------------------------------------------------------------------------


def test_log_names_both_factors(sqlite_user_client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    key = set_up(sqlite_user_client)
    codes = make_codes(sqlite_user_client)
    for url, shown in ((CODE, code(key)), (RECOVERY, codes[0])):
        sign_out(sqlite_user_client)
        sign_in(sqlite_user_client)
        submit(sqlite_user_client, url, code=shown)
    seen = [record.by for record in caplog.records if getattr(record, "event", "") == "sign-in.succeeded"]
    assert seen == ["password+code", "password+recovery"]


def test_wrong_code_not_wrong_password(sqlite_user_client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    set_up(sqlite_user_client)
    for _ in range(6):
        submit(sqlite_user_client, "/accounts/verify", password=PASSWORD, code="000000")
    seen = [(record.event, record.by) for record in caplog.records if getattr(record, "by", None)]
    assert seen == [("sign-in.failed", "code")] * 5 + [("sign-in.throttled", "code")]
    # Ten are tried in a quarter of an hour: those with the right password have taken none.
    answers = [
        submit(sqlite_user_client, "/accounts/verify", password="wrong", code="000000").status_code for _ in range(10)
    ]
    assert answers == [200] * 10


# --- switched off -------------------------------------------------------------------------------


def test_disabled_apps_neither_offered_nor_required(
    make_app: Callable[..., Flask], sqlite_user_client: FlaskClient
) -> None:
    set_up(sqlite_user_client)
    client = make_app(ACCOUNTS_TOTP=False).test_client()
    assert sign_in(client).location == "/accounts/"
    assert client.get(AUTHENTICATOR).status_code == 404
    assert "Authenticator" not in client.get(OVERVIEW).text


def test_totp_disabled_uses_other_factor(make_app: Callable[..., Flask], sqlite_user_client: FlaskClient) -> None:
    set_up(sqlite_user_client)
    client = make_app(ACCOUNTS_TOTP=False).test_client()
    sign_in(client)
    answer = submit(client, "/accounts/verify", password=PASSWORD)
    assert (answer.status_code, answer.location) == (302, "/accounts/")


def test_all_switched_off_has_no_page(make_app: Callable[..., Flask]) -> None:
    app = make_app(ACCOUNTS_TOTP=False, ACCOUNTS_PASSKEYS=False)
    make_user(app)
    client = app.test_client()
    assert "Second factor" not in client.get("/accounts/").text
    sign_in(client)
    for url in (OVERVIEW, AUTHENTICATOR, CODES, "/accounts/passkeys", "/accounts/sign-in/passkey"):
        assert client.get(url).status_code == 404


def test_totp_disabled_clears_pending_sign_in(make_app: Callable[..., Flask]) -> None:
    """Flask-Security cleans up only where apps are switched on."""
    app = make_app(ACCOUNTS_TOTP=False)
    make_user(app)
    make_user(app, "eve@example.org", "Eve")
    with app.app_context():
        key = Passkey(name="Key", credential_id=b"1", public_key=b"", sign_count=0, device_type="single_device")
        key.backup_state, key.usage, key.lastuse_datetime = False, "secondary", now()
        owner = user(app)
        owner.webauthn.append(key)
        db.session.commit()
    client = app.test_client()
    assert sign_in(client).location == "/accounts/sign-in/passkey"
    sign_in(client, "eve@example.org")
    # With what is left of Ada's, a recovery code alone would sign in as her.
    with client.session_transaction() as kept:
        assert not set(steps.HALF_WAY) & set(kept)


def test_options_known_to_flask_security(sqlite_app: Flask) -> None:
    known = {name for name in sqlite_app.config if name.startswith("SECURITY_")}
    fresh = factors.options(sqlite_app)
    assert set(fresh) <= known
    for name in fresh:
        assert sqlite_app.config[name] == fresh[name], name


def test_page_shows_readable_forms_only(sqlite_user_client: FlaskClient) -> None:
    assert read(sqlite_user_client.get(AUTHENTICATOR).text)["setup"] == "authenticator"
