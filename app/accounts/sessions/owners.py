"""Whose session it is, as one statement by hand tells; the ORM's account is made where a page wants it."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from sqlalchemy.orm import make_transient_to_detached

from core.access import Identity
from services import db

from ..models import User
from ..roles.permissions import held

#: What is known of an account without asking twice; the ORM reads the rest when somebody wants it.
NAMES = ("id", "key", "name", "email", "version", "fs_uniquifier")

#: The first columns of a statement about a ``person``.
COLUMNS = ", ".join(f"person.{name}" for name in NAMES)


@dataclass(frozen=True, slots=True)
class Owner(Identity):
    """Somebody who has signed in.

    :param account: what is known of the account, by its attributes
    """

    account: Mapping[str, Any] = field(default_factory=dict, compare=False)


def read_owner(rows: Sequence[Sequence[Any]]) -> Owner:
    """Return whose the rows are; they begin with :data:`COLUMNS`, and end with what the owner holds."""
    account = dict(zip(NAMES, rows[0], strict=False))
    roles, permissions = held(rows)
    return Owner(account["key"], account["name"], permissions, None, roles, "session", account)


def user_of(owner: Owner) -> User:
    """Return the ORM's account, as if it had read those columns itself."""
    session = db.session()
    known: User | None = session.identity_map.get(session.identity_key(User, owner.account["id"]))
    if known is not None:
        return known
    user = User(**owner.account, active=True)
    make_transient_to_detached(user)
    session.add(user)
    return user
