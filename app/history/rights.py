"""Permissions to see the changes of a row, and to undo them."""

from types import SimpleNamespace
from typing import Any

from flask_babel import gettext

from core.access import PUBLIC
from core.access import allowed
from core.access import identity
from core.access import require
from core.crud.readers import served
from core.crud.readers import without_long
from core.exceptions import NotFound
from services import db

from .changes import READ
from .models import Change
from .plans import Plan
from .plans import Unreadable
from .sight import existed
from .sight import exists
from .sight import last_whole
from .sight import whole_of


def may_see(model: type[Any], item: Any) -> bool:
    """Return whether the current identity may see the history of a row.

    Those who may read the whole history, and those who may read and update the row: its owner, where rows have owners.
    That everyone may update a row does not reveal who has.

    :param item: the row, or what :func:`subject` makes of one that is gone
    """
    if allowed(READ):
        return True
    verbs = served().get(model)
    policy = None if verbs is None else verbs.verbs.access.get("update")
    if policy is None or policy is PUBLIC or not identity().is_known:
        return False
    return allowed(policy, item) and _may_get(model, item)


def require_sight(model: type[Any], item: Any) -> None:
    """Raise unless the current identity passes :func:`may_see`.

    :raises Unauthenticated: if it is not known who they are
    :raises Forbidden: if it is known, and they may not
    """
    if not may_see(model, item):
        require(READ)


def subject(plan: Plan, key: str) -> Any:
    """Return the row that the policies are asked about, or what is known of one that is gone.

    :raises NotFound: if there never was one, or none that the current identity may read or whose history they may read
    """
    found = _stored(plan, key) or _gone(plan, key)
    if found is None or not (allowed(READ) or _may_get(plan.mapper.class_, found)):
        # The same answer for both: only those who may read a row learn that it exists.
        raise NotFound(gettext("There is no such row, and never was."))
    return found


def _stored(plan: Plan, key: str) -> Any:
    parsed = plan.key_of(key)
    if parsed is None or not exists(plan, parsed):
        return None
    return db.session.get(plan.mapper.class_, parsed, options=without_long(plan.mapper.class_))


def _gone(plan: Plan, key: str) -> Any:
    parsed = plan.key_of(key)
    if parsed is not None and db.session.get(plan.mapper.class_, parsed, options=without_long(plan.mapper.class_)):
        return None
    last = last_whole(plan, key)
    return None if last is None or not existed(plan, whole_of(last)) else as_it_was(plan, last)


def _may_get(model: type[Any], item: Any) -> bool:
    verbs = served().get(model)
    return verbs is None or verbs.verbs.may("get", item)


def as_it_was(plan: Plan, change: Change) -> Any:
    """Return what is known of a row that is gone, for the policies: whose it was."""
    values = {}
    for name, value in whole_of(change).items():
        try:
            values[name] = plan.read(name, value) if name in plan.columns else None
        except Unreadable:
            values[name] = None
    return SimpleNamespace(**{**dict.fromkeys(plan.columns), **values})
