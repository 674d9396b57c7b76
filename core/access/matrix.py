"""The matrix of permissions: a row for each endpoint and method, a column for each role."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask

from .endpoints import Guarded
from .endpoints import everything
from .identities import ANONYMOUS
from .identities import Identity
from .policies import Policy
from .roles import roles

YES, OWN, NO = "yes", "own", "no"

#: Columns of anonymous visitors, and of signed-in users without any role.
ANONYMOUS_COLUMN = "anonymous"
SIGNED_IN_COLUMN = "signed in"


@dataclass(frozen=True)
class Line:
    """One thing that can be asked.

    :param cells: for each column: ``yes``, ``no``, or ``own`` for rows of their own only
    """

    asked: Guarded
    cells: Sequence[str]


@dataclass(frozen=True)
class Matrix:
    """Return the matrix; scopes of tokens are not part of it."""

    columns: Sequence[str]
    lines: Sequence[Line]


def matrix(app: Flask) -> Matrix:
    """Return who may ask what, by the roles as they are now."""
    people = {ANONYMOUS_COLUMN: ANONYMOUS, SIGNED_IN_COLUMN: Identity(key="")} | {
        name: Identity(key="", permissions=granted, roles=frozenset({name})) for name, granted in roles().items()
    }
    return Matrix(list(people), [_line(one, people) for one in everything(app)])


def _line(asked: Guarded, people: Mapping[str, Identity]) -> Line:
    return Line(asked, [_cell(asked.policy, who) for who in people.values()])


def _cell(policy: Policy | None, who: Identity) -> str:
    if policy is None:
        return YES
    if not policy.allows(who):
        return NO
    return OWN if policy.confines(who) else YES
