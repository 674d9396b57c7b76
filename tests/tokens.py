"""Users with a token, for tests that write by an API."""

import uuid

from flask import Flask

from app.accounts.models import Role
from app.accounts.models import User
from app.accounts.tokens import issuing
from core.access import permissions
from services import db


def make_user(*names: str, active: bool = True) -> User:
    """Make a user who has these permissions, by a role of their own; the caller commits."""
    text = uuid.uuid4().hex
    role = Role(name=text, permissions=list(names))
    user = User(email=f"{text}@example.org", name="Grace", active=active, roles=[role])
    db.session.add(user)
    db.session.flush()
    return user


def issue(app: Flask, *names: str) -> str:
    """Give a token to a new user, for these permissions; by default for all that there are."""
    with app.app_context():
        wanted = names or tuple(permissions())
        _, text = issuing.make(make_user(*wanted), "test", wanted)
        db.session.commit()
        return text


def authorization(text: str) -> dict[str, str]:
    """Return the header that sends a token."""
    return {"Authorization": f"Bearer {text}"}
