"""Checks that join policies and identities: may the current identity do this?"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import g
from flask import has_app_context

from ..exceptions import Forbidden
from ..exceptions import Unauthenticated
from .identities import identity
from .policies import PUBLIC
from .policies import Policy


def require(policy: Policy, item: Any = None) -> None:
    """Raise unless the current identity satisfies a policy.

    :raises Unauthenticated: if it is not known who they are
    :raises Forbidden: if it is known, and they may not
    """
    if policy is PUBLIC or allowed(policy, item):
        return
    if not identity().is_known:
        raise Unauthenticated
    raise Forbidden(policy.permissions)


def allowed(policy: Policy, item: Any = None) -> bool:
    """Return whether the current identity satisfies a policy."""
    if policy is PUBLIC or is_unchecked():
        return True
    who = identity()
    return who.is_operator or policy.allows(who, item)


def condition(policy: Policy, model: Any) -> Any:
    """Return the condition of the rows for which the current identity satisfies a policy; ``None`` for all rows."""
    if not policy.knows_owners or is_unchecked() or identity().is_operator:
        return None
    return policy.condition(identity(), model)


@contextmanager
def unchecked() -> Iterator[None]:
    """Let everything pass within: the caller has checked another permission before.

    A method that moves stock changes a product on its own behalf; its caller need not be one who may edit
    products.
    """
    before = g.get("unchecked", False)
    g.unchecked = True
    try:
        yield
    finally:
        g.unchecked = before


def is_unchecked() -> bool:
    """Return whether what is done now is done within :func:`unchecked`, on the application's own behalf."""
    return has_app_context() and bool(g.get("unchecked", False))
