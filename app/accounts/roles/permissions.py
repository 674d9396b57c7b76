"""What roles grant. The administrators' is not kept: they may do everything that any module asks for."""

from collections.abc import Iterable

from core.access import permissions

#: Who may do everything, also what a module asks for that was installed today.
ADMINISTRATOR = "administrator"


def granted(roles: Iterable[str], kept: Iterable[str]) -> frozenset[str]:
    """Return the permissions that somebody has.

    :param roles: the names of their roles
    :param kept: what the tables say that these grant
    """
    return frozenset(permissions()) if ADMINISTRATOR in roles else frozenset(kept)
