"""Permissions of roles. The administrators' are not stored: they have every permission of every module."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from core.access import permissions

#: Has every permission, also those of a module that was installed today.
ADMINISTRATOR = "administrator"

#: For statements by hand about a ``person``: what they hold, a row for each permission of each role.
HELD = """
    LEFT JOIN accounts_user_role held ON held.user_id = person.id
    LEFT JOIN accounts_role role ON role.id = held.role_id
    LEFT JOIN accounts_role_permission granted ON granted.role_id = role.id
"""
#: The last columns of such a statement.
HELD_COLUMNS = "role.name, granted.permission"


def held(rows: Iterable[Sequence[Any]]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of a user's roles, and the permissions that they grant, from rows of :data:`HELD`."""
    roles = frozenset(row[-2] for row in rows if row[-2])
    return roles, granted(roles, (row[-1] for row in rows if row[-1]))


def granted(roles: Iterable[str], kept: Iterable[str]) -> frozenset[str]:
    """Return the permissions of a user.

    :param roles: the names of their roles
    :param kept: what the tables say that these grant
    """
    return frozenset(permissions()) if ADMINISTRATOR in roles else frozenset(kept)
