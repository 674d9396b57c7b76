"""Who is asking. It is found out when somebody wants to know: a public endpoint costs no query."""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from flask import current_app
from flask import g
from flask import has_app_context
from flask import has_request_context


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as the rest of the platform knows them.

    :param key: tells people apart, for ever the same; ``None`` for nobody. At most 64 characters
    :param name: for people to read
    :param permissions: what the roles grant: ``example.product.edit``
    :param scopes: what a token is limited to, of those permissions; ``None`` without a token
    :param roles: the names of the roles
    :param via: ``session``, ``token`` or ``command``; empty for nobody
    """

    key: str | None = None
    name: str = ""
    permissions: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    roles: frozenset[str] = frozenset()
    via: str = ""

    @property
    def is_known(self) -> bool:
        """Return whether somebody has signed in, or sent a token that counts."""
        return self.key is not None

    @property
    def is_operator(self) -> bool:
        """Return whether it is no request that asks, but a command or a task: they may do everything."""
        return self.via == "command"

    def covers(self, permission: str) -> bool:
        """Return whether their token has this scope; without a token there is no limit."""
        return self.scopes is None or permission in self.scopes

    def may(self, permission: str) -> bool:
        """Return whether they have a permission, and their token covers it."""
        return permission in self.permissions and self.covers(permission)


#: Who has not signed in.
ANONYMOUS = Identity()

#: Whoever runs commands on the server.
OPERATOR = Identity(via="command")

Finder = Callable[[], Identity]


def tell(app: Flask, find: Finder) -> None:
    """Let this application ask ``find`` who sends a request; it is called at most once for each.

    :param find: answers :data:`ANONYMOUS` for nobody; raises where credentials were sent that do not count
    """
    app.extensions["identity"] = find


def identity() -> Identity:
    """Return who is asking; nobody where no module knows people, the operator where there is no request."""
    if not has_app_context():
        return OPERATOR
    known: Identity | None = g.get("identity")
    if known is not None:
        return known
    if not has_request_context():
        return OPERATOR
    find: Finder | None = current_app.extensions.get("identity")
    g.identity = ANONYMOUS if find is None else find()
    found: Identity = g.identity
    return found


def has_looked() -> bool:
    """Return whether this request has found out that somebody is asking: its answer may be for them alone."""
    known: Identity | None = g.get("identity")
    return known is not None and known.is_known


def forget() -> None:
    """Find out anew who is asking: they have just signed in or out."""
    g.pop("identity", None)


@contextmanager
def acting_as(somebody: Identity) -> Iterator[None]:
    """Let somebody else ask, for a command, a task or a test; within an application context."""
    before = g.get("identity")
    g.identity = somebody
    try:
        yield
    finally:
        g.identity = before
