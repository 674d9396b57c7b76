"""Owner of a session, read by one hand-written statement; the ORM's account is loaded where a page needs it."""

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

#: Columns of an account that are read with the session; the ORM reads the rest on demand.
NAMES = ("id", "key", "name", "email", "version", "fs_uniquifier", "language", "time_zone")

#: The first columns of a statement about a ``person``.
COLUMNS = ", ".join(f"person.{name}" for name in NAMES)


@dataclass(frozen=True, slots=True)
class Owner(Identity):
    """A signed-in user.

    :param account: what is known of the account, by its attributes
    """

    account: Mapping[str, Any] = field(default_factory=dict, compare=False)


def read_owner(rows: Sequence[Sequence[Any]]) -> Owner:
    """Return whose the rows are; they begin with :data:`COLUMNS`, and end with what the owner holds."""
    account = dict(zip(NAMES, rows[0], strict=False))
    roles, permissions = held(rows)
    chosen = account["language"], account["time_zone"]
    return Owner(account["key"], account["name"], permissions, None, roles, "session", *chosen, account)


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
