"""People with accounts, and what they do: sign in, read their mail."""

import re
from email.message import EmailMessage
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from flask_security import hash_password
from werkzeug.test import TestResponse

from app.accounts import users
from app.accounts.state import accounts_of
from services import db
from tests.forms import submit

#: Password of all users of the tests.
PASSWORD = "correct horse battery staple"


def make_user(app: Flask, email: str = "ada@example.org", name: str = "Ada", roles: list[str] | None = None) -> str:
    """Make an account with :data:`PASSWORD` and return its key."""
    with app.app_context():
        user = users.create(email, name, hash_password(PASSWORD), roles or [])
        db.session.commit()
        return user.key


def sign_in(client: FlaskClient, email: str = "ada@example.org", password: str = PASSWORD, **more: Any) -> TestResponse:
    """Send the form on which one signs in."""
    return submit(client, "/accounts/sign-in", email=email, password=password, **more)


def sign_out(client: FlaskClient) -> TestResponse:
    """Press the button in the header."""
    token = re.search(r'action="/accounts/sign-out">\s*<input [^>]*value="([^"]+)"', client.get("/accounts/").text)
    assert token, "no user is signed in"
    return client.post("/accounts/sign-out", data={"csrf_token": token[1]})


def mails(app: Flask) -> list[EmailMessage]:
    """Return what was sent, the oldest first."""
    return accounts_of(app).transports[0].messages if accounts_of(app).transports else []


def text(mail: EmailMessage) -> str:
    """Return what a mail says."""
    return mail.get_body(("plain",)).get_content()


def link(mail: EmailMessage) -> str:
    """Return the path of the link in a mail."""
    (found,) = re.findall(r"^https?://[^/]+(/\S+)$", text(mail), re.MULTILINE)
    return found


def confirm(client: FlaskClient, path: str, password: str = PASSWORD, **more: Any) -> TestResponse:
    """Follow the link of the first mail, and say a name and a password."""
    return submit(client, path, **{"name": "Grace", "password": password, "password_confirm": password, **more})
