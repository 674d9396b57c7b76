"""The current identity. It is loaded on first use: a public endpoint costs no query."""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from flask import current_app
from flask import g
from flask import has_app_context
from flask import has_request_context

from ..platform import platform_of


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, as the rest of the platform knows them.

    :param key: identifies the user for ever; ``None`` for an anonymous visitor. At most 64 characters
    :param name: for people to read
    :param permissions: what the roles grant: ``example.product.edit``
    :param scopes: what a token is limited to, of those permissions; ``None`` without a token
    :param roles: the names of the roles
    :param via: ``session``, ``token`` or ``command``; empty for an anonymous visitor
    :param language: in which they read, one of ``settings.LANGUAGES``; empty if they have not chosen
    :param time_zone: in which they read times, by its name at IANA; empty if they have not chosen
    """

    key: str | None = None
    name: str = ""
    permissions: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    roles: frozenset[str] = frozenset()
    via: str = ""
    language: str = ""
    time_zone: str = ""

    @property
    def is_known(self) -> bool:
        """Return whether this is a signed-in user, or the owner of a valid token."""
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


#: A visitor who has not signed in.
ANONYMOUS = Identity()

#: Runs commands on the server.
OPERATOR = Identity(via="command")

Finder = Callable[[], Identity]


def set_identity_loader(app: Flask, find: Finder) -> None:
    """Let this application ask ``find`` who sends a request; it is called at most once for each.

    :param find: returns :data:`ANONYMOUS` for a visitor; raises where invalid credentials were sent
    """
    platform_of(app).identity_loader = find


def identity() -> Identity:
    """Return the current identity; anonymous where no module knows users, the operator where there is no request."""
    if not has_app_context():
        return OPERATOR
    known: Identity | None = g.get("identity")
    if known is not None:
        return known
    if not has_request_context():
        return OPERATOR
    find: Finder | None = platform_of(current_app).identity_loader
    g.identity = ANONYMOUS if find is None else find()
    found: Identity = g.identity
    return found


def has_looked() -> bool:
    """Return whether this request has loaded a known identity: its answer may be for them alone."""
    known: Identity | None = g.get("identity")
    return known is not None and known.is_known


def forget() -> None:
    """Load the identity again on next use: a user has just signed in or out."""
    g.pop("identity", None)


@contextmanager
def acting_as(other: Identity) -> Iterator[None]:
    """Set the current identity, for a command, a task or a test; within an application context."""
    before = g.get("identity")
    g.identity = other
    try:
        yield
    finally:
        g.identity = before
