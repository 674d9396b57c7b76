"""The verbs of accounts, for the pages and for the commands."""

from typing import Any
from uuid import uuid4

from email_validator import validate_email
from flask import current_app
from flask_babel import gettext
from flask_security import SQLAlchemyUserDatastore
from flask_security import UserMixin
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from core.access import security_log
from core.data.models import now
from core.exceptions import Invalid
from core.exceptions import NotFound
from services import db

from .models import LONGEST_NAME
from .models import Role
from .models import User
from .roles import granting
from .roles.permissions import ADMINISTRATOR
from .sessions import lifetimes
from .tokens import issuing

#: Characters of an address, as many as its column holds; to look at a million takes seconds.
LONGEST_EMAIL = 254

#: Role of every registered user.
EVERYONE = "member"


def normalized(email: str) -> str:
    """Return an address as it is kept: in small letters, for mail servers ignore case.

    :raises ValueError: if it is none
    """
    address = email.strip()
    if len(address) > LONGEST_EMAIL:
        raise ValueError(gettext("An address has at most %(longest_email)s characters.", longest_email=LONGEST_EMAIL))
    return validate_email(address, check_deliverability=False).normalized.lower()


def identify(text: str) -> str | None:
    """Return the normalized address of a sign-in form; ``None`` if it is none."""
    try:
        return normalized(text)
    except ValueError:
        return None


class Datastore(SQLAlchemyUserDatastore):
    """Flask-Security's way to our tables; a user comes with roles and permissions, in one query."""

    def commit(self) -> None:
        """Leave it to `commits.py`: Flask-Security asks for it when the answer is made already."""

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> User | None:
        ((name, value),) = kwargs.items()
        wanted = joinedload(User.roles).joinedload(Role.grants)
        return db.session.scalar(select(User).where(getattr(User, name) == value).options(wanted))

    def create_user(self, **kwargs: Any) -> UserMixin:
        kwargs.setdefault("roles", [EVERYONE])
        granting.complete()
        user = super().create_user(**kwargs)
        # A second registration of the same address at the same moment is refused here, before a mail is sent.
        db.session.flush()
        return user


def datastore() -> Datastore:
    """Return a datastore; it keeps nothing."""
    return Datastore(db, User, Role)


def find(email: str) -> User:
    """Return the account with this address.

    :raises NotFound: if there is none
    """
    try:
        user = datastore().find_user(email=normalized(email))
    except ValueError:
        user = None
    if user is None:
        raise NotFound(gettext("No account has the address %(email)s.", email=email))
    return user


def create(email: str, name: str, password: str | None, roles: list[str]) -> User:
    """Make an account whose address needs no confirmation; one that waits for it becomes the new one.

    :param password: its hash; ``None`` where one will be chosen by a link
    :raises Invalid: if the address is none, or is taken
    """
    try:
        address = normalized(email)
    except ValueError as error:
        raise Invalid({"email": [str(error)]}) from error
    user = db.session.scalar(select(User).where(User.email == address))
    if user is not None and not is_waiting(user):
        raise Invalid({"email": [gettext("%(address)s has an account already.", address=address)]})
    if len(name) > LONGEST_NAME:
        raise Invalid({"name": [gettext("A name has at most %(longest_name)s characters.", longest_name=LONGEST_NAME)]})
    granting.complete()
    found = db.session.scalars(select(Role).where(Role.name.in_([EVERYONE, *roles]))).all()
    if user is None:
        user = User(email=address)
        db.session.add(user)
    else:
        claim(user)
    user.name, user.password, user.roles, user.confirmed_at = name, password, list(found), now()
    try:
        db.session.flush()
    except IntegrityError as error:
        db.session.rollback()
        raise Invalid({"email": [gettext("%(address)s has an account already.", address=address)]}) from error
    security_log.record("account.created", who=user.key)
    return user


def is_waiting(user: User) -> bool:
    """Return whether an account cannot be used until its address is confirmed."""
    return user.confirmed_at is None and bool(current_app.config["SECURITY_CONFIRMABLE"])


def claim(user: User) -> None:
    """Close every way into an account: the owner of its address may not have made it.

    A stranger can register with any address, and wait for its owner. What the stranger has left, a password, tokens,
    passkeys, an app, sessions, links that were asked for, opens nothing once the owner has come.
    """
    user.password = user.mf_recovery_codes = None
    user.tf_primary_method = user.tf_totp_secret = user.tf_totp_counter = None
    user.webauthn = []
    user.fs_webauthn_user_handle = uuid4().hex
    issuing.revoke_all(user)
    lifetimes.end_all(user, "address confirmed")
    datastore().set_uniquifier(user)


def disable(user: User) -> None:
    """Disable an account, and end its sessions and tokens.

    :raises Invalid: if no administrator would be left
    """
    if user.active and ADMINISTRATOR in (role.name for role in user.roles):
        granting.check_others_left(user)
    store = datastore()
    store.deactivate_user(user)
    store.set_uniquifier(user)
    issuing.revoke_all(user)
    lifetimes.end_all(user, "account disabled")
    db.session.flush()
    security_log.record("account.disabled", who=user.key)


def enable(user: User) -> None:
    """Enable an account again."""
    datastore().activate_user(user)
    db.session.flush()
    security_log.record("account.enabled", who=user.key)
