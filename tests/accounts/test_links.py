"""Links in mails: each counts for a while, for its own purpose, and no change of an account goes without a proof."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner

from tests.accounts.people import link
from tests.accounts.people import mails
from tests.accounts.people import make_person
from tests.accounts.people import sign_in
from tests.forms import submit

NEW = "seven green apples fall"


def ask_for_a_link(app: Flask, client: FlaskClient) -> str:
    make_person(app)
    submit(client, "/accounts/reset", email="ada@example.org")
    return link(mails(app)[0])


def test_link_for_a_password_counts_for_hours(
    site: Flask, visitor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ask_for_a_link(site, visitor)
    assert visitor.get(path).status_code == 200
    today = TimestampSigner.get_timestamp
    seconds = site.config["SECURITY_RESET_PASSWORD_WITHIN"].total_seconds() + 60
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda signer: today(signer) + int(seconds))

    assert visitor.get(path).location == "/accounts/reset"
    assert seconds <= timedelta(days=1).total_seconds() + 60


def test_link_of_one_purpose_does_not_count_for_another(site: Flask, visitor: FlaskClient) -> None:
    submit(visitor, "/accounts/register", name="Grace", email="grace@example.org", password=NEW, password_confirm=NEW)
    confirmation = link(mails(site)[0])
    assert confirmation.startswith("/accounts/confirm/")

    assert visitor.get(confirmation.replace("/confirm/", "/reset/")).location == "/accounts/reset"
    assert visitor.get(confirmation).status_code == 200


def test_link_for_a_password_signs_nobody_in(site: Flask, visitor: FlaskClient) -> None:
    path = ask_for_a_link(site, visitor)
    answer = submit(visitor, path, password=NEW, password_confirm=NEW)

    assert answer.location == "/accounts/sign-in"
    assert visitor.get("/accounts/").location.startswith("/accounts/sign-in")


def test_change_of_the_address_asks_again_who_is_there(site: Flask, visitor: FlaskClient) -> None:
    make_person(site)
    sign_in(visitor)
    assert visitor.get("/accounts/email").status_code == 200
    site.config["SECURITY_FRESHNESS"] = timedelta(seconds=0.001)

    assert visitor.get("/accounts/email").location.startswith("/accounts/verify?next=")
