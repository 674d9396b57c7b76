"""The values of a change that the current identity could write by a face, and why the others stay."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext

from core.access import Policy
from core.crud import readers
from core.crud import references
from core.crud.readers import Served
from core.data.models import Owned
from core.fields.columns import plain_type
from core.fields.schemas import is_read_only
from services import db

from .plans import Plan
from .plans import Unreadable

#: Why a value stays as it is.
ONLY_SET_BY_THE_APPLICATION = lazy_gettext("only the application sets it")
GONE = lazy_gettext("there is no such value any more")
NOT_KEPT = lazy_gettext("it is not kept")
TOO_LONG = lazy_gettext("it is too long to be kept")
LEADS_NOWHERE = lazy_gettext("it leads to a row that is gone or that you may not read")
LINKS_NOWHERE = lazy_gettext("without rows that are gone or that you may not read")

#: Types of values that say when or under which number a row was made.
_STAMPS = (sa.DateTime, sa.Date, sa.Uuid)


def why_not(
    plan: Plan, served: Served, verb: str, name: str, values: Mapping[str, Any], item: Any = None
) -> str | None:
    """Return why a value that was recorded cannot be written back; ``None`` if it can.

    :param verb: ``create`` or ``update``
    :param values: all that was recorded
    :param item: the row that is updated
    """
    if name not in plan.columns and name not in plan.links:
        return GONE
    if plan.is_secret(name):
        return NOT_KEPT
    if name in plan.columns and values[name] is not None and not _leads_to_readable(plan, name, values, item):
        return LEADS_NOWHERE
    return None if _is_written(plan, served, verb, name) else ONLY_SET_BY_THE_APPLICATION


def makes_the_row(plan: Plan, served: Served, name: str) -> bool:
    """Return whether a value is part of what a row is: its key, its owner, when it was made.

    It comes back with the row. What else only the application sets begins as in a new row.
    """
    column = plan.mapper.columns.get(name)
    if column is None:
        return False
    return column.primary_key or name in _owners(plan, served) or _is_stamp(column)


def is_as_in_a_new_row(plan: Plan, name: str, value: Any) -> bool:
    """Return whether a new row has this value without being given it."""
    if name in plan.links or value is None:
        return not value
    default = plan.mapper.columns[name].default
    if not isinstance(default, sa.ColumnDefault) or not default.is_scalar:
        return False
    return bool(plan.write({name: default.arg})[0].get(name) == value)


def _is_written(plan: Plan, served: Served, verb: str, name: str) -> bool:
    column = plan.mapper.columns.get(name)
    if column is not None and (is_read_only(column) or column is plan.mapper.version_id_col):
        return False
    # A form writes a foreign key by its relationship.
    return not {name, plan.pointers.get(name, name)}.isdisjoint(served.writes.get(verb, ()))


def _leads_to_readable(plan: Plan, name: str, values: Mapping[str, Any], item: Any) -> bool:
    """Return whether a foreign key leads to a row that there is, and that the current identity may read."""
    for pointer in references.pointers(plan.mapper):
        if name not in pointer.names:
            continue
        try:
            key = [plan.read(one, values[one]) if one in values else getattr(item, one, None) for one in pointer.names]
        except Unreadable:
            return False
        same = [column == part for column, part in zip(pointer.columns, key, strict=True)]
        found = readers.narrow(sa.select(pointer.model), pointer.model, "get").where(*same)
        if None not in key and not db.session.scalar(sa.select(found.exists())):
            return False
    return True


def _owners(plan: Plan, served: Served) -> set[str]:
    """Return the attributes that hold the owner of a row."""
    named = {name for policy in served.verbs.access.values() for name in _owner_names(policy)}
    return named | ({"owner_key"} if issubclass(plan.mapper.class_, Owned) else set())


def _owner_names(policy: Policy) -> Iterator[str]:
    owner = getattr(policy, "owner", None)
    if owner is not None:
        yield owner
    for part in getattr(policy, "policies", ()):
        yield from _owner_names(part)


def _is_stamp(column: sa.Column[Any]) -> bool:
    default, by_server = column.default, column.server_default
    is_made = default is not None and (default.is_callable or default.is_clause_element)
    is_made = is_made or isinstance(getattr(by_server, "arg", None), sa.Function)
    return is_made and is_read_only(column) and isinstance(plain_type(column), _STAMPS)
