"""Guessing at accounts: how often it can be done, and that it never locks out their owners."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import limits
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts import attempts
from app.accounts import throttles
from app.accounts.throttles import Throttle
from tests.accounts.users import PASSWORD
from tests.accounts.users import link
from tests.accounts.users import mails
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.accounts.users import sign_out
from tests.forms import open_form
from tests.forms import submit
from tests.processes import until

ADA = "ada@example.org"
WRONG = "wrong horse battery staple"

#: As few as tests can wait for.
FEW = Throttle("password", own="3 per hour", account="6 per hour", address="9 per hour")


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PASSWORDS", FEW)
    monkeypatch.setattr(attempts, "THROTTLES", {**attempts.THROTTLES, "login": FEW, "verify": FEW})


@pytest.fixture
def user_app(sqlite_app: Flask) -> Flask:
    make_user(sqlite_app)
    return sqlite_app


def browser(app: Flask, address: str = "198.51.100.1") -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def guess(client: FlaskClient, count: int, email: str = ADA) -> list[int]:
    return [sign_in(client, email, WRONG).status_code for _ in range(count)]


def is_in(answer: TestResponse) -> bool:
    return answer.status_code == 302


# --- what runs out ------------------------------------------------------------------------------


def test_address_limited_at_one_account(user_app):
    stranger = browser(user_app)

    assert guess(stranger, 4) == [200, 200, 200, 429]
    assert sign_in(stranger).status_code == 429, "the right password is not even tried"


def test_throttled_answer_says_when(user_app):
    stranger = browser(user_app)
    guess(stranger, 3)

    answer = sign_in(stranger)

    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert "no-store" in answer.headers["Cache-Control"]
    assert "60 minutes" in answer.text
    assert 'href="/accounts/sign-in"' in answer.text
    assert stranger.get("/accounts/sign-in").status_code == 200


def test_unknown_account_throttled_alike(user_app):
    answers = []
    for address, email in (("198.51.100.1", ADA), ("198.51.100.2", "unknown@example.org")):
        guess(browser(user_app, address), 3, email)
        answers.append(sign_in(browser(user_app, address), email))

    assert [answer.status_code for answer in answers] == [429, 429]
    shown = [answer.text.partition("<main")[2].partition("Request id")[0] for answer in answers]
    assert shown[0] == shown[1]


def test_request_without_account_not_counted(user_app):
    stranger = browser(user_app)

    assert guess(stranger, 5, "") == [200] * 5
    assert is_in(sign_in(stranger))


def test_another_address_still_comes_in(user_app):
    guess(browser(user_app), 4)

    assert is_in(sign_in(browser(user_app, "203.0.113.7")))


def test_many_addresses_have_few_attempts_together(user_app):
    tried = [guess(browser(user_app, f"198.51.100.{number}"), 2) for number in range(1, 5)]

    assert tried == [[200, 200], [200, 200], [200, 200], [429, 429]]


def test_address_limited_at_all_accounts(user_app):
    stranger = browser(user_app)
    tried = [guess(stranger, 1, f"{number}@example.org")[0] for number in range(10)]

    assert tried == [200] * 9 + [429]


def test_subscriber_network_counts_once(user_app):
    tried = [guess(browser(user_app, f"2001:db8:1:1::{number:x}"), 1)[0] for number in range(1, 5)]

    assert tried == [200, 200, 200, 429]


def test_address_spelling_counts_once(user_app):
    stranger = browser(user_app)

    spellings = ("ADA@example.org", " ada@Example.org ", "ada@\uff45xample.org", ADA)
    assert [guess(stranger, 1, email)[0] for email in spellings] == [200, 200, 200, 429]


def test_concurrent_attempts_count_all(user_app):
    def one(_: int) -> int:
        client = browser(user_app)
        fields = open_form(client, "/accounts/sign-in") | {"email": ADA, "password": WRONG}
        return client.post("/accounts/sign-in", data=fields).status_code

    with ThreadPoolExecutor(8) as pool:
        tried = sorted(pool.map(one, range(8)))

    assert tried == [200] * 3 + [429] * 5


def test_refused_attempt_hashes_nothing(user_app, monkeypatch):
    stranger = browser(user_app)
    guess(stranger, 3)
    context = user_app.extensions["security"].pwd_context
    for name in ("hash", "verify", "verify_and_update"):
        monkeypatch.setattr(context, name, lambda *args, **kwargs: pytest.fail("hashed"))

    assert sign_in(stranger).status_code == 429


def test_attempts_come_back(user_app, monkeypatch):
    quick = Throttle("password", own="2 per 3 second", account="9 per second", address="9 per second")
    monkeypatch.setattr(attempts, "THROTTLES", {"login": quick})
    stranger = browser(user_app)
    form = open_form(stranger, "/accounts/sign-in") | {"email": ADA, "password": WRONG}

    assert 429 in [stranger.post("/accounts/sign-in", data=form).status_code for _ in range(4)]
    until(lambda: is_in(sign_in(stranger)), "that attempts come back")


# --- who is not kept out ------------------------------------------------------------------------


def test_success_gives_the_attempts_back(user_app):
    ada = browser(user_app)
    for _ in range(3):
        assert guess(ada, 2) == [200, 200]
        assert is_in(sign_in(ada))
        sign_out(ada)


def test_known_browser_passes_during_attack(user_app):
    ada = browser(user_app)
    sign_in(ada)
    sign_out(ada)
    for number in range(10):
        guess(browser(user_app, f"203.0.113.{number}"), 1)
    guess(browser(user_app), 4)  # from the owner's own address, too

    assert is_in(sign_in(ada))


def test_known_browser_has_few_attempts_itself(user_app):
    ada = browser(user_app)
    sign_in(ada)
    sign_out(ada)

    assert guess(ada, 4) == [200, 200, 200, 429]
    ada.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    assert guess(ada, 1) == [429], "a stolen mark is worth no more at another address"


def test_known_browser_unknown_for_others(user_app):
    make_user(user_app, "eve@example.org", "Eve")
    eve = browser(user_app)
    sign_in(eve, "eve@example.org")
    sign_out(eve)
    for number in range(10):
        guess(browser(user_app, f"203.0.113.{number}"), 1)

    assert guess(eve, 1) == [429]


def test_mail_link_makes_browser_known(user_app):
    for number in range(10):
        guess(browser(user_app, f"203.0.113.{number}"), 1)
    ada = browser(user_app)
    assert sign_in(ada).status_code == 429

    assert submit(ada, "/accounts/reset", email=ADA).status_code in (200, 302)
    new = "four quiet otters borrow umbrellas"
    path = link(mails(user_app)[-1])
    assert submit(ada, path, password=new, password_confirm=new).status_code == 302

    assert is_in(sign_in(ada, password=new))


def test_known_mark_cannot_be_forged(user_app):
    ada = browser(user_app)
    for number in range(10):
        guess(browser(user_app, f"203.0.113.{number}"), 1)
    with user_app.test_request_context():
        marks = {throttles.mark(ADA): "me"}
    forged = user_app.session_interface.get_signing_serializer(user_app)
    forged.secret_keys = [b"another key that is not ours at all"]
    ada.set_cookie("session", forged.dumps({"known": marks}))

    assert guess(ada, 1) == [429]


def test_browser_keeps_few_accounts(user_app):
    with user_app.test_request_context():
        for number in range(9):
            throttles.remember_browser(throttles.mark(f"{number}@example.org"))
        kept = throttles._known()

        assert list(kept) == [throttles.mark(f"{number}@example.org") for number in range(4, 9)]


# --- what else is guessed, and sent -------------------------------------------------------------


def test_reauthentication_throttled(user_app):
    ada = browser(user_app)
    sign_in(ada)

    tried = [submit(ada, "/accounts/verify", password=WRONG).status_code for _ in range(3)]
    refused = ada.post("/accounts/verify", data=open_form(ada, "/accounts/verify") | {"password": PASSWORD})

    assert tried == [200, 200, 200]
    assert refused.status_code == 429
    assert ada.get("/accounts/").status_code == 200, "that does not sign out"


def test_mails_limited_for_unknown_accounts_alike(user_app):
    for number, email in enumerate((ADA, "unknown@example.org")):
        stranger = browser(user_app, f"198.51.100.{number}")
        tried = [submit(stranger, "/accounts/reset", email=email).status_code for _ in range(4)]
        assert (tried[:3].count(429), tried[3]) == (0, 429)

    assert len(mails(user_app)) == 3


@pytest.mark.parametrize("path", ["register", "confirm"])
def test_other_mails_leave_sign_in_links(user_app, path):
    for number in range(12):
        answer = submit(browser(user_app, f"203.0.113.{number}"), f"/accounts/{path}", email=ADA)
    assert answer.status_code == 429

    assert submit(browser(user_app), "/accounts/reset", email=ADA).status_code == 200
    assert link(mails(user_app)[-1]).startswith("/accounts/reset/")


def test_sent_links_valid_until_next(user_app):
    lasting = user_app.config["SECURITY_RESET_PASSWORD_WITHIN"].total_seconds()
    assert [item.get_expiry() for item in limits.parse_many(throttles.LINKS.account)] == [lasting]


def test_mails_keep_sign_in_attempts(user_app):
    ada = browser(user_app)
    for _ in range(4):
        submit(ada, "/accounts/reset", email=ADA)

    assert is_in(sign_in(ada))


#: Forms with an error of their own: the path, and the fields.
MISSPELT = {
    "register": ("/accounts/register", {"email": "ada@example"}),
    "short password": ("/accounts/sign-in", {"email": ADA, "password": ""}),
    "no address": ("/accounts/sign-in", {"email": "ada", "password": PASSWORD}),
}


@pytest.mark.parametrize("what", MISSPELT)
def test_misspelt_form_uses_up_nothing(user_app, what):
    path, fields = MISSPELT[what]
    stranger = browser(user_app)

    assert {submit(stranger, path, **fields).status_code for _ in range(12)} == {200}


def test_unconfirmed_registration_counts_no_mistakes(make_app):
    app = make_app(ACCOUNTS_CONFIRM=False)
    fields = {"name": "Grace", "email": "grace@example.org", "password": "four quiet otters borrow umbrellas"}
    for _ in range(5):
        assert submit(browser(app), "/accounts/register", **fields, password_confirm="another").status_code == 200

    assert submit(browser(app), "/accounts/register", **fields, password_confirm=fields["password"]).status_code == 302


@pytest.mark.parametrize("new", [("four quiet otters borrow umbrellas", "mistyped"), ("short", "short")])
def test_bad_new_password_counts_nothing(user_app, monkeypatch, caplog, new):
    monkeypatch.setattr(attempts, "THROTTLES", {**attempts.THROTTLES, "change_password": FEW})
    ada = browser(user_app)
    sign_in(ada)
    caplog.clear()
    fields = {"password": PASSWORD, "new_password": new[0], "new_password_confirm": new[1]}

    assert {submit(ada, "/accounts/password", **fields).status_code for _ in range(5)} == {200}
    assert "sign-in.failed" not in caplog.text


def test_wrong_current_password_runs_out(user_app, monkeypatch):
    monkeypatch.setattr(attempts, "THROTTLES", {**attempts.THROTTLES, "change_password": FEW})
    ada = browser(user_app)
    sign_in(ada)
    new = "four quiet otters borrow umbrellas"
    fields = {"password": WRONG, "new_password": new, "new_password_confirm": new}

    assert [submit(ada, "/accounts/password", **fields).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_refusal_of_mail_is_true(user_app):
    for _ in range(4):
        answer = submit(browser(user_app), "/accounts/reset", email="unknown@example.org")

    assert answer.status_code == 429
    assert "Too many mails" in answer.text
    assert "We have sent" not in answer.text


# --- where it is counted ------------------------------------------------------------------------


def test_processes_count_together_in_redis(make_app: Any, start_redis: Any):
    url = start_redis().url.render_as_string()
    first, second = make_app(REDIS_URL=url), make_app(REDIS_URL=url)
    make_user(first)

    assert guess(browser(first), 2) == [200, 200]
    assert guess(browser(second), 2) == [200, 429]
    assert is_in(sign_in(browser(second, "203.0.113.7")))
    assert guess(browser(first), 1) == [429], "another address gives nothing back here"


def test_processes_count_alone_without_redis(make_app: Any, start_redis: Any, caplog: pytest.LogCaptureFixture):
    server = start_redis()
    app = make_app(REDIS_URL=server.url.render_as_string())
    make_user(app)
    server.stop()

    assert guess(browser(app), 4) == [200, 200, 200, 429]
    assert "each process counts for itself" in caplog.text


def test_nothing_that_was_typed_is_kept(make_app: Any, start_redis: Any):
    server = start_redis()
    app = make_app(REDIS_URL=server.url.render_as_string())
    guess(browser(app), 1, "secret-typed-here@example.org")

    keys = app.extensions["accounts"].attempts.counters.shared.storage.storage.keys("*")
    assert len(keys) == 3
    assert not [key for key in keys if b"typed" in key]
