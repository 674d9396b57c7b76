"""What can be done with accounts, for the pages and for the commands."""

from email_validator import validate_email
from flask_security import SQLAlchemyUserDatastore
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from core import security_log
from core.exceptions import Invalid
from core.exceptions import NotFound
from core.models import now
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

#: What everyone who registers is.
EVERYONE = "member"


def normalized(email: str) -> str:
    """Return an address as it is kept: in small letters, for no mail server tells them apart.

    :raises ValueError: if it is none
    """
    address = email.strip()
    if len(address) > LONGEST_EMAIL:
        raise ValueError(f"An address has at most {LONGEST_EMAIL} characters.")
    return validate_email(address, check_deliverability=False).normalized.lower()


def identify(text: str) -> str | None:
    """Return the address that somebody names themselves by; ``None`` if it is none."""
    try:
        return normalized(text)
    except ValueError:
        return None


class Datastore(SQLAlchemyUserDatastore):
    """Flask-Security's way to our tables; a user comes with roles and permissions, in one query."""

    def find_user(self, case_insensitive=False, **kwargs):
        ((name, value),) = kwargs.items()
        wanted = joinedload(User.roles).joinedload(Role.grants)
        return db.session.scalar(select(User).where(getattr(User, name) == value).options(wanted))

    def create_user(self, **kwargs):
        kwargs.setdefault("roles", [EVERYONE])
        granting.complete()
        user = super().create_user(**kwargs)
        try:
            db.session.flush()
        except IntegrityError as error:
            # Somebody has registered with the same address at the same moment. Once more, and it is known.
            db.session.rollback()
            raise Invalid({"email": ["Send it once more, please."]}) from error
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
        raise NotFound(f"Nobody has the address {email!r} here.")
    return user


def create(email: str, name: str, password: str | None, roles: list[str]) -> User:
    """Make an account whose address needs no confirmation.

    :param password: its hash; ``None`` where one will be chosen by a link
    :raises Invalid: if the address is none, or is taken
    """
    try:
        address = normalized(email)
    except ValueError as error:
        raise Invalid({"email": [str(error)]}) from error
    if db.session.scalar(select(User.id).where(User.email == address)):
        raise Invalid({"email": [f"{address} has an account already."]})
    if len(name) > LONGEST_NAME:
        raise Invalid({"name": [f"A name has at most {LONGEST_NAME} characters."]})
    granting.complete()
    found = db.session.scalars(select(Role).where(Role.name.in_([EVERYONE, *roles]))).all()
    user = User(email=address, name=name, password=password, roles=list(found), confirmed_at=now())
    db.session.add(user)
    db.session.flush()
    security_log.record("account.created", who=user.key)
    return user


def disable(user: User) -> None:
    """Keep somebody out, and end what they have open.

    :raises Invalid: if nobody would be left who may do everything
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
    """Let somebody in again."""
    datastore().activate_user(user)
    db.session.flush()
    security_log.record("account.enabled", who=user.key)
