"""Policies: which identities may use a verb, an endpoint or a method, declared once.

.. code-block:: python

    class Orders(Crud):
        access = {
            "list": PUBLIC,
            "create": permission("shop.order.add"),
            "update": permission("shop.order.edit", owner="owner_key"),
        }

An endpoint without a policy is public, as in Flask, and shown as undeclared.
"""

import re
from abc import ABC
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import false
from sqlalchemy import or_

from .identities import Identity

#: ``<module>.<noun>.<verb>``; a token's scopes stand between spaces (RFC 6749, section 3.3).
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){2}")
LONGEST_NAME = 100

#: Every permission that imported code asks for. An application has those of its modules
#: (:func:`core.access.permissions`).
NAMES: set[str] = set()

#: Those of them that some policy does not ask of the owner of a row.
OWNERS_NAMES: set[str] = set()


class Policy(ABC):
    """A rule about who may."""

    @abstractmethod
    def allows(self, who: Identity, item: Any = None) -> bool:
        """Return whether they may.

        :param item: the row that it is about; without one, whether there can be such a row at all
        """

    @property
    @abstractmethod
    def reason(self) -> str:
        """Short description for people: ``signed in``."""

    @property
    def permissions(self) -> frozenset[str]:
        """The permissions that it asks for, any of which is enough."""
        return frozenset()

    @property
    def knows_owners(self) -> bool:
        """Return whether it depends on the row."""
        return False

    def confines(self, who: Identity) -> bool:
        """Return whether of all rows they may only for their own."""
        return False

    def condition(self, who: Identity, model: Any) -> ColumnElement[bool] | None:
        """Return what the rows have in common for which they may; ``None`` for all rows.

        :param model: the model, or an alias of it
        """
        return None

    def check(self, model: type[Any]) -> None:
        """Check at start that the policy can be applied to the rows of a model.

        :raises TypeError: if it depends on the row and cannot say in SQL which rows it allows
        """
        if self.knows_owners and type(self).condition is Policy.condition:
            raise TypeError(f"the policy {self.reason!r} depends on the row: give it a condition() for lists")


@dataclass(frozen=True)
class Public(Policy):
    """Allow all identities and anonymous visitors."""

    def allows(self, who: Identity, item: Any = None) -> bool:
        """Return that they may."""
        return True

    @property
    def reason(self) -> str:
        """Short description for people."""
        return "public"


@dataclass(frozen=True)
class SignedIn(Policy):
    """Satisfied by every signed-in user. A token needs a policy with a permission, which it can be limited to."""

    def allows(self, who: Identity, item: Any = None) -> bool:
        """Return whether they have a session."""
        return who.is_known and who.scopes is None

    @property
    def reason(self) -> str:
        """Short description for people."""
        return "signed in"


@dataclass(frozen=True)
class Permission(Policy):
    """Satisfied by a permission, granted by a role; and by the owner of the row, where it has one.

    A token must cover the permission in either case.

    :param name: ``<module>.<noun>.<verb>``
    :param owner: attribute of the row that holds the key of its owner's identity
    """

    name: str
    owner: str | None = None

    def allows(self, who: Identity, item: Any = None) -> bool:
        """Return whether they have it, or own the row."""
        return who.is_known and who.covers(self.name) and (self.name in who.permissions or self._owns(who, item))

    def _owns(self, who: Identity, item: Any) -> bool:
        return self.owner is not None and (item is None or getattr(item, self.owner) == who.key)

    @property
    def reason(self) -> str:
        """Short description for people."""
        return self.name if self.owner is None else f"{self.name}, or the owner"

    @property
    def permissions(self) -> frozenset[str]:
        """The one."""
        return frozenset({self.name})

    @property
    def knows_owners(self) -> bool:
        """Return whether rows have owners."""
        return self.owner is not None

    def confines(self, who: Identity) -> bool:
        """Return whether it is only as an owner that they may."""
        return self.owner is not None and self.allows(who) and self.name not in who.permissions

    def condition(self, who: Identity, model: Any) -> ColumnElement[bool] | None:
        """Return that the row is theirs, where they have no permission for those of others."""
        if self.owner is None or not self.confines(who):
            return None
        own: ColumnElement[bool] = getattr(model, self.owner) == who.key
        return own

    def check(self, model: type[Any]) -> None:
        """Check that the rows have the attribute that names their owner."""
        if self.owner is not None and not hasattr(model, self.owner):
            raise TypeError(f"{model.__name__} has no attribute {self.owner}")


@dataclass(frozen=True)
class AnyOf(Policy):
    """Satisfied by any of several policies: a request that does one of several things."""

    policies: tuple[Policy, ...]

    def allows(self, who: Identity, item: Any = None) -> bool:
        """Return whether one of them lets them."""
        return any(policy.allows(who, item) for policy in self.policies)

    @property
    def reason(self) -> str:
        """Short description for people."""
        return "; or ".join(dict.fromkeys(policy.reason for policy in self.policies))

    @property
    def permissions(self) -> frozenset[str]:
        """Those of all."""
        return frozenset().union(*(policy.permissions for policy in self.policies))

    @property
    def knows_owners(self) -> bool:
        """Return whether one of them depends on the row."""
        return any(policy.knows_owners for policy in self.policies)

    def confines(self, who: Identity) -> bool:
        """Return whether it is only as an owner that they may."""
        letting = self._letting(who)
        return bool(letting) and all(policy.confines(who) for policy in letting)

    def condition(self, who: Identity, model: Any) -> ColumnElement[bool] | None:
        """Return that one of the policies allows the row; ``None`` where one allows all rows."""
        conditions = [policy.condition(who, model) for policy in self._letting(who)]
        if any(one is None for one in conditions):
            return None
        return or_(false(), *(one for one in conditions if one is not None))

    def check(self, model: type[Any]) -> None:
        """Check that each of them can be applied to the rows of a model."""
        for policy in self.policies:
            policy.check(model)

    def _letting(self, who: Identity) -> list[Policy]:
        return [policy for policy in self.policies if policy.allows(who)]


PUBLIC = Public()
SIGNED_IN = SignedIn()


def permission(name: str, *, owner: str | None = None) -> Policy:
    """Return the policy that asks for a permission, or for the row's owner.

    :param name: ``<module>.<noun>.<verb>``; that it is used makes it known, no role has it until it is granted
    :param owner: attribute of the row that holds the key of its owner's identity
    :raises ValueError: if it is not called so
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ValueError(f"The permission {name!r} must be <module>.<noun>.<verb> in small letters: shop.order.edit.")
    NAMES.add(name)
    if owner is not None:
        OWNERS_NAMES.add(name)
    return Permission(name, owner)


def any_of(policies: Iterable[Policy | None]) -> Policy | None:
    """Return the policy of what may be done by any of several; ``None`` where one of them is not declared."""
    found = list(dict.fromkeys(policies))
    if None in found or not found:
        return None
    known = [policy for policy in found if policy is not None]
    if PUBLIC in known:
        return PUBLIC
    return known[0] if len(known) == 1 else AnyOf(tuple(known))
