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
from tests.accounts.people import PASSWORD
from tests.accounts.people import mails
from tests.accounts.people import make_person
from tests.accounts.people import sign_in
from tests.accounts.people import sign_out
from tests.accounts.people import text
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
def ada(app: Flask, client: FlaskClient) -> FlaskClient:
    """Return a signed-in user, on each engine."""
    make_person(app)
    sign_in(client)
    return client


@pytest.fixture
def grace(site: Flask, visitor: FlaskClient) -> FlaskClient:
    """Return a signed-in user, where the engine does not matter."""
    make_person(site)
    sign_in(visitor)
    return visitor


# --- codes of the app ---------------------------------------------------------------------------


def test_app_set_up_and_required(ada: FlaskClient) -> None:
    key = set_up(ada)
    assert 'text-bg-success">On<' in ada.get(OVERVIEW).text
    sign_out(ada)
    assert sign_in(ada).location == CODE
    assert not is_in(ada)
    assert submit(ada, CODE, code=code(key)).location == "/accounts/"
    assert is_in(ada)


def test_requested_page_follows_code(grace: FlaskClient) -> None:
    key = set_up(grace)
    sign_out(grace)
    answer = submit(grace, "/accounts/sign-in?next=/docs", email="ada@example.org", password=PASSWORD)
    assert answer.location == f"{CODE}?next=/docs"
    assert submit(grace, answer.location, code=code(key)).location == "/docs"


def test_code_counts_once(app: Flask, ada: FlaskClient) -> None:
    key = set_up(ada)
    sign_out(ada)
    sign_in(ada)
    shown = code(key)
    assert submit(ada, CODE, code=shown).status_code == 302
    other = app.test_client()
    sign_in(other)
    answer = submit(other, CODE, code=shown)
    assert (answer.status_code, is_in(other)) == (200, False)
    assert "was used already" in answer.text
    assert submit(other, CODE, code=code(key, 30)).status_code == 302


def test_setup_code_not_reusable(grace: FlaskClient) -> None:
    key = set_up(grace)
    sign_out(grace)
    sign_in(grace)
    assert submit(grace, CODE, code=code(key, -30)).status_code == 200
    assert not is_in(grace)


def test_concurrent_code_accepted_once(app: Flask, ada: FlaskClient) -> None:
    key = set_up(ada)
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
def test_wrong_code_refused(grace: FlaskClient, shown: str) -> None:
    set_up(grace)
    sign_out(grace)
    sign_in(grace)
    assert submit(grace, CODE, code=shown).status_code == 200
    assert not is_in(grace)


def test_code_outside_window_refused(grace: FlaskClient) -> None:
    key = set_up(grace)
    sign_out(grace)
    sign_in(grace)
    assert submit(grace, CODE, code=code(key, 90)).status_code == 200
    assert submit(grace, CODE, code=code(key, -90)).status_code == 200
    assert not is_in(grace)


def test_code_with_space_accepted(grace: FlaskClient) -> None:
    key = set_up(grace)
    sign_out(grace)
    sign_in(grace)
    shown = code(key)
    assert submit(grace, CODE, code=f" {shown[:3]} {shown[3:]} ").status_code == 302


def test_mistyped_first_code_keeps_the_key(grace: FlaskClient) -> None:
    key, action = start(grace)
    answer = grace.post(action, data={**open_form(grace, CODES), "code": "000000"})
    assert answer.location == AUTHENTICATOR
    assert not mails(grace.application)
    assert start(grace)[0] == key


def test_new_phone_gets_new_key(grace: FlaskClient) -> None:
    first = set_up(grace)
    second = set_up(grace)
    assert first != second
    sign_out(grace)
    sign_in(grace)
    assert submit(grace, CODE, code=code(first)).status_code == 200
    assert submit(grace, CODE, code=code(second)).status_code == 302


def test_app_is_turned_off(ada: FlaskClient) -> None:
    set_up(ada)
    make_codes(ada)
    assert press(ada, AUTHENTICATOR, setup="disable").location == OVERVIEW
    sign_out(ada)
    assert sign_in(ada).location == "/accounts/"
    with ada.application.app_context():
        assert user(ada.application).tf_totp_secret is None
        assert user(ada.application).mf_recovery_codes is None


def test_guessing_codes_is_throttled(grace: FlaskClient) -> None:
    key = set_up(grace)
    sign_out(grace)
    sign_in(grace)
    answers = [submit(grace, CODE, code="000000").status_code for _ in range(5)]
    assert answers == [200] * 5
    assert submit(grace, CODE, code=code(key)).status_code == 429
    assert submit(grace, RECOVERY, code="x").status_code == 429
    assert not is_in(grace)


def test_code_page_needs_password(visitor: FlaskClient) -> None:
    for url in (CODE, RECOVERY):
        assert visitor.get(url).location == "/accounts/sign-in"


def test_code_page_keeps_signed_in_user(grace: FlaskClient) -> None:
    assert grace.get(CODE).location == "/accounts/"
    assert is_in(grace)


def test_password_change_ends_pending_sign_in(site: Flask, grace: FlaskClient) -> None:
    key = set_up(grace)
    other = site.test_client()
    sign_in(other)
    fields = open_form(other, CODE)
    with site.app_context():
        users.disable(user(site))
        users.enable(user(site))
        db.session.commit()
    assert other.post(CODE, data={**fields, "code": code(key)}).location == "/accounts/sign-in"
    assert not is_in(other)


def test_account_disabled_meanwhile_refused(site: Flask, grace: FlaskClient) -> None:
    key = set_up(grace)
    other = site.test_client()
    sign_in(other)
    fields = open_form(other, CODE)
    with site.app_context():
        user(site).active = False
        db.session.commit()
    other.post(CODE, data={**fields, "code": code(key)})
    assert not is_in(other)


def test_slow_code_asks_password_again(grace: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    key = set_up(grace)
    sign_out(grace)
    sign_in(grace)
    fields = open_form(grace, CODE)
    monkeypatch.setattr(steps, "SECONDS", -1)
    assert grace.post(CODE, data={**fields, "code": code(key)}).location == "/accounts/sign-in"
    assert not is_in(grace)


def test_code_page_offers_no_help(grace: FlaskClient) -> None:
    set_up(grace)
    sign_out(grace)
    sign_in(grace)
    sent = len(mails(grace.application))
    fields = open_form(grace, CODE)
    for way in ("help", "email"):
        assert grace.post("/accounts/sign-in/help", data={**fields, "help_setup": way}).status_code == 200
    assert len(mails(grace.application)) == sent


# --- what is kept -------------------------------------------------------------------------------


def test_key_is_kept_encrypted(site: Flask, grace: FlaskClient) -> None:
    key = set_up(grace)
    with site.app_context():
        assert key.replace("-", "") not in user(site).tf_totp_secret
        assert '"enckey"' in user(site).tf_totp_secret


def test_rotated_secret_reads_and_reencrypts(make_app: Callable[..., Flask], grace: FlaskClient) -> None:
    key = set_up(grace)
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
    make_app: Callable[..., Flask], grace: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    key = set_up(grace)
    client = make_app(SECRET_KEY="another-" + SECRET_KEY).test_client()
    sign_in(client)
    assert submit(client, CODE, code=code(key)).status_code == 200
    assert "SECRET_KEY_FALLBACKS" in caplog.text


def test_key_picture_inside_page(grace: FlaskClient) -> None:
    answer = press(grace, AUTHENTICATOR, setup="authenticator")
    assert re.search(r'<img class="qr" src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+"', answer.text)
    assert "no-store" in answer.headers["Cache-Control"]


# --- recovery codes -----------------------------------------------------------------------------


def test_recovery_code_signs_in_once(app: Flask, ada: FlaskClient) -> None:
    set_up(ada)
    codes = make_codes(ada)
    assert len(set(codes)) == 10
    sign_out(ada)
    sign_in(ada)
    assert submit(ada, RECOVERY, code=codes[3].upper().replace("-", " ")).location == "/accounts/"
    assert is_in(ada)
    assert "9 left" in ada.get(OVERVIEW).text
    other = app.test_client()
    sign_in(other)
    answer = submit(other, RECOVERY, code=codes[3])
    assert (answer.status_code, is_in(other)) == (200, False)
    assert submit(other, RECOVERY, code=codes[4]).status_code == 302


def test_concurrent_recovery_code_accepted_once(app: Flask, ada: FlaskClient) -> None:
    set_up(ada)
    codes = make_codes(ada)
    assert sorted(at_once(app, RECOVERY, codes[0])) == [200, 302]
    with app.app_context():
        assert len(user(app).mf_recovery_codes) == 9


def test_recovery_codes_stored_as_digests(site: Flask, grace: FlaskClient) -> None:
    set_up(grace)
    codes = make_codes(grace)
    for url in (CODES, f"{CODES}?show_codes=1", OVERVIEW):
        assert not any(one in grace.get(url).text for one in codes)
    with site.app_context():
        kept = user(site).mf_recovery_codes
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in kept)
    # 120 bits each.
    assert all(len(one.replace("-", "")) == 24 for one in codes)


def test_new_recovery_codes_replace_the_old(grace: FlaskClient) -> None:
    set_up(grace)
    old = make_codes(grace)
    make_codes(grace)
    sign_out(grace)
    sign_in(grace)
    assert submit(grace, RECOVERY, code=old[0]).status_code == 200


def test_recovery_codes_alone_no_factor(grace: FlaskClient) -> None:
    make_codes(grace)
    sign_out(grace)
    assert sign_in(grace).location == "/accounts/"


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
    make_person(app)
    client = app.test_client()
    sign_in(client)
    token = open_form(client, CODES)
    app.config["SECURITY_FRESHNESS"] = timedelta(seconds=0.001)
    answer = client.post(url, data={**token, **fields})
    assert answer.status_code == 302
    assert answer.location.startswith("/accounts/verify?next=")
    assert client.get(answer.location).status_code == 200


@pytest.mark.parametrize(("url", "fields"), CHANGES)
def test_factor_change_needs_sign_in(visitor: FlaskClient, url: str, fields: dict[str, str]) -> None:
    answer = visitor.post(url, data={**open_form(visitor, "/accounts/sign-in"), **fields})
    assert answer.status_code == 401


@pytest.mark.parametrize(("url", "fields"), CHANGES)
def test_factor_change_needs_form_token(grace: FlaskClient, url: str, fields: dict[str, str]) -> None:
    assert grace.post(url, data=fields).status_code == 400


def test_going_on_takes_password_and_code(grace: FlaskClient) -> None:
    key = set_up(grace)
    assert "/accounts/verify" in submit(grace, "/accounts/verify", password="wrong", code=code(key)).request.path
    missing = submit(grace, "/accounts/verify", password=PASSWORD)
    assert (missing.status_code, "Enter the code" in missing.text) == (200, True)
    wrong = submit(grace, "/accounts/verify", password=PASSWORD, code="000000")
    assert (wrong.status_code, "not valid" in wrong.text) == (200, True)
    right = submit(grace, "/accounts/verify?next=/accounts/passkeys", password=PASSWORD, code=code(key))
    assert right.location == "/accounts/passkeys"


def test_reauthentication_needs_password_only(grace: FlaskClient) -> None:
    assert "code" not in open_form(grace, "/accounts/verify")
    assert submit(grace, "/accounts/verify", password=PASSWORD).status_code == 302


def test_reauthentication_codes_throttled(grace: FlaskClient) -> None:
    key = set_up(grace)
    for _ in range(5):
        submit(grace, "/accounts/verify", password=PASSWORD, code="000000")
    answer = submit(grace, "/accounts/verify", password=PASSWORD, code=code(key))
    assert (answer.status_code, "Too many codes" in answer.text) == (200, True)


# --- notices ------------------------------------------------------------------------------------


def test_owner_notified_of_each_change(grace: FlaskClient) -> None:
    set_up(grace)
    codes = make_codes(grace)
    sign_out(grace)
    sign_in(grace)
    submit(grace, RECOVERY, code=codes[0])
    press(grace, AUTHENTICATOR, setup="disable")
    sent = mails(grace.application)
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
def test_factor_change_ends_other_sessions(app: Flask, ada: FlaskClient, change: Callable[[FlaskClient], Any]) -> None:
    key = "" if change is set_up else set_up(ada)
    other = app.test_client()
    sign_in(other)
    if key:
        submit(other, CODE, code=code(key))
    assert is_in(other)
    change(ada)
    assert is_in(ada)
    assert not is_in(other)


def test_recovery_code_keeps_other_sessions(grace: FlaskClient) -> None:
    set_up(grace)
    codes = make_codes(grace)
    other = grace.application.test_client()
    sign_in(other)
    submit(other, RECOVERY, code=codes[0])
    assert is_in(other)
    assert is_in(grace)


# --- what is in the log -------------------------------------------------------------------------


def test_log_names_both_factors(grace: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    key = set_up(grace)
    codes = make_codes(grace)
    for url, shown in ((CODE, code(key)), (RECOVERY, codes[0])):
        sign_out(grace)
        sign_in(grace)
        submit(grace, url, code=shown)
    seen = [record.by for record in caplog.records if getattr(record, "event", "") == "sign-in.succeeded"]
    assert seen == ["password+code", "password+recovery"]


def test_wrong_code_not_wrong_password(grace: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    set_up(grace)
    for _ in range(6):
        submit(grace, "/accounts/verify", password=PASSWORD, code="000000")
    seen = [(record.event, record.by) for record in caplog.records if getattr(record, "by", None)]
    assert seen == [("sign-in.failed", "code")] * 5 + [("sign-in.throttled", "code")]
    # Ten are tried in a quarter of an hour: those with the right password have taken none.
    answers = [submit(grace, "/accounts/verify", password="wrong", code="000000").status_code for _ in range(10)]
    assert answers == [200] * 10


# --- switched off -------------------------------------------------------------------------------


def test_disabled_apps_neither_offered_nor_required(make_app: Callable[..., Flask], grace: FlaskClient) -> None:
    set_up(grace)
    client = make_app(ACCOUNTS_TOTP=False).test_client()
    assert sign_in(client).location == "/accounts/"
    assert client.get(AUTHENTICATOR).status_code == 404
    assert "Authenticator" not in client.get(OVERVIEW).text


def test_totp_disabled_uses_other_factor(make_app: Callable[..., Flask], grace: FlaskClient) -> None:
    set_up(grace)
    client = make_app(ACCOUNTS_TOTP=False).test_client()
    sign_in(client)
    answer = submit(client, "/accounts/verify", password=PASSWORD)
    assert (answer.status_code, answer.location) == (302, "/accounts/")


def test_all_switched_off_has_no_page(make_app: Callable[..., Flask]) -> None:
    app = make_app(ACCOUNTS_TOTP=False, ACCOUNTS_PASSKEYS=False)
    make_person(app)
    client = app.test_client()
    assert "Second factor" not in client.get("/accounts/").text
    sign_in(client)
    for url in (OVERVIEW, AUTHENTICATOR, CODES, "/accounts/passkeys", "/accounts/sign-in/passkey"):
        assert client.get(url).status_code == 404


def test_totp_disabled_clears_pending_sign_in(make_app: Callable[..., Flask]) -> None:
    """Flask-Security cleans up only where apps are switched on."""
    app = make_app(ACCOUNTS_TOTP=False)
    make_person(app)
    make_person(app, "eve@example.org", "Eve")
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


def test_options_known_to_flask_security(site: Flask) -> None:
    known = {name for name in site.config if name.startswith("SECURITY_")}
    fresh = factors.options(site)
    assert set(fresh) <= known
    for name in fresh:
        assert site.config[name] == fresh[name], name


def test_page_shows_readable_forms_only(grace: FlaskClient) -> None:
    assert read(grace.get(AUTHENTICATOR).text)["setup"] == "authenticator"
