"""The keys of the accounts: mails, sessions, who may have one."""

from datetime import timedelta

import pytest

from config import ROOT
from core import modules
from core.configuration import ConfigError
from core.configuration.collected import load

STRONG = "6y0Rk4kBq1nV8wZt3sXeLdUaHgJmPfCo"


def accounts() -> list[modules.Module]:
    return modules.load(["app.accounts"])


def faults(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(accounts(), environ)
    return caught.value.faults


def test_sessions_in_redis_need_its_address():
    (found,) = faults(SESSION_STORE="redis")

    assert found.startswith("SESSION_STORE is redis, and REDIS_URL is missing")
    config = load(accounts(), {"SECRET_KEY": STRONG, "SESSION_STORE": "Redis", "REDIS_URL": "redis://127.0.0.1"})
    assert config["SESSION_STORE"] == "redis"


def test_session_cookie_lasts_longest_session(make_app):
    assert make_app(SESSION_MAX_HOURS=5).config["PERMANENT_SESSION_LIFETIME"] == timedelta(hours=5)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.org",
        "smtp://me:p%40ss@mail.example.org:587",
        "smtps://mail.example.org:465",
        "console:",
        "console:,smtp://localhost:25",
    ],
)
def test_way_of_mail_is_taken(url):
    assert load(accounts(), {"SECRET_KEY": STRONG, "MAIL_URL": url})["MAIL_URL"] == url.split(",")


def test_mail_folder_inside_project():
    found = load(accounts(), {"SECRET_KEY": STRONG, "MAIL_URL": "folder:instance/mail,folder:/var/mail"})["MAIL_URL"]

    assert found == [f"folder:{ROOT}/instance/mail", "folder:/var/mail"]


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "smtp://",
        "smtp://me:hunter2@",
        "http://me:hunter2@example.org",
        "smtp://me:hunter2@example.org:port",
        "smtp://me:hunter2@[",
        "folder:",
        "folder:/",
        "folder:a%00b",
    ],
)
def test_invalid_mail_url_not_echoed(url):
    (found,) = faults(MAIL_URL=url)

    assert found.startswith("MAIL_URL cannot be used: write smtp://USER:PASSWORD@HOST:587")
    assert "hunter2" not in found


@pytest.mark.parametrize("sender", ["unknown", "Andamio", "Andamio <>", "a@b@c", "a@", "A, B <a@b.org>", "a@b_c.org"])
def test_sender_is_an_address(sender):
    (found,) = faults(MAIL_SENDER=sender)

    assert found.startswith("MAIL_SENDER is")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Andamio 2.0 <no-reply@example.org>", "Andamio 2.0 <no-reply@example.org>"),
        ('"Andamio, Inc." <a@münchen.example>', '"Andamio, Inc." <a@xn--mnchen-3ya.example>'),
    ],
)
def test_sender_is_read_as_mail(written, kept):
    assert load(accounts(), {"SECRET_KEY": STRONG, "MAIL_SENDER": written})["MAIL_SENDER"] == kept


def test_mail_links_to_known_hosts():
    production = {"APP_ENV": "production", "SECRET_KEY": STRONG, "DATABASE_URL": "postgresql://db/site"}
    mail = {"MAIL_URL": "smtp://mail.example.org", "MAIL_SENDER": "Andamio <no-reply@example.org>"}

    assert not load(accounts(), production)["ACCOUNTS_REGISTRATION"]
    assert [fault.split()[0] for fault in faults(**production, MAIL_URL=mail["MAIL_URL"])] == [
        "TRUSTED_HOSTS",
        "MAIL_SENDER",
    ]
    # Also of a developer who has opened them to all; what stays on this machine may lead where they are.
    (found,) = faults(APP_ENV="development", TRUSTED_HOSTS=",", **mail)
    assert found.startswith("TRUSTED_HOSTS is missing")
    assert faults(**production, MAIL_URL="console:", MAIL_SENDER="a@example.org") == [found]
    assert (
        load(accounts(), {"APP_ENV": "development", "TRUSTED_HOSTS": ",", "SECRET_KEY": STRONG})["TRUSTED_HOSTS"] == []
    )
    assert load(accounts(), {**production, **mail, "TRUSTED_HOSTS": "www.example.org"})["MAIL_URL"] == [
        mail["MAIL_URL"]
    ]
    (found,) = faults(**production, ACCOUNTS_REGISTRATION="true")
    assert found.startswith("MAIL_URL is missing")
    assert load(accounts(), {**production, "ACCOUNTS_REGISTRATION": "true", "ACCOUNTS_CONFIRM": "false"})
