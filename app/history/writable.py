"""What of a change the current identity could write by a face, and why the rest stays as it is."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from core.access import Policy
from core.access import allowed
from core.crud import readers
from core.crud.served import Served
from core.fields.columns import plain_type
from core.models import Owned
from core.schemas import is_read_only
from services import db

from .plans import Plan
from .plans import Unreadable

#: Why a value stays as it is.
ONLY_SET_BY_THE_APPLICATION = "only the application sets it"
GONE = "there is no such value any more"
NOT_KEPT = "it is not kept"
TOO_LONG = "it is too long to be kept"
LEADS_NOWHERE = "it leads to a row that is gone or that you may not read"
LINKS_NOWHERE = "without rows that are gone or that you may not read"

#: Types of values that say when or under which number a row was made.
_STAMPS = (sa.DateTime, sa.Date, sa.Uuid)


def why_not(plan: Plan, served: Served, verb: str, name: str, value: Any) -> str | None:
    """Return why a value that was recorded cannot be written back; ``None`` if it can.

    :param verb: ``create`` or ``update``
    """
    if name not in plan.columns and name not in plan.links:
        return GONE
    if plan.is_secret(name):
        return NOT_KEPT
    if name in plan.columns and value is not None and not _leads_to_readable(plan, name, value):
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
    return default is not None and default.is_scalar and plan.write({name: default.arg})[0].get(name) == value


def readable(model: type[Any], rows: Iterable[Any]) -> list[Any]:
    """Return those of some rows that the current identity may read."""
    found = {sa.inspect(row).identity: row for row in rows}
    policy = readers.policy_of(model)
    if not found or (policy is not None and not allowed(policy)):
        return []
    keys = sa.inspect(model).primary_key
    among = sa.tuple_(*keys).in_([*found]) if len(keys) > 1 else keys[0].in_([key for (key,) in found])
    chosen = readers.narrow(sa.select(model).where(among), model, "get")
    may = {sa.inspect(row).identity for row in db.session.scalars(chosen).unique()}
    return [row for key, row in found.items() if key in may]


def _is_written(plan: Plan, served: Served, verb: str, name: str) -> bool:
    column = plan.mapper.columns.get(name)
    if column is not None and (is_read_only(column) or column is plan.mapper.version_id_col):
        return False
    # A form writes a foreign key by its relationship.
    return not {name, plan.pointers.get(name, name)}.isdisjoint(served.writes.get(verb, ()))


def _leads_to_readable(plan: Plan, name: str, value: Any) -> bool:
    for key in plan.mapper.columns[name].foreign_keys:
        model = _model_of(plan.mapper, key.column.table)
        try:
            if model is not None and not _is_readable(model, key.column == plan.read(name, value)):
                return False
        except Unreadable:
            return False
    return True


def _is_readable(model: type[Any], condition: Any) -> bool:
    policy = readers.policy_of(model)
    if policy is not None and not allowed(policy):
        return False
    chosen = readers.narrow(sa.select(model).where(condition), model, "get")
    return db.session.execute(chosen.with_only_columns(sa.literal(1)).limit(1)).first() is not None


def _model_of(mapper: Mapper[Any], table: Any) -> type[Any] | None:
    found = (one.class_ for one in mapper.registry.mappers if one.local_table is table)
    return next(found, None)


def _owners(plan: Plan, served: Served) -> set[str]:
    """Return the attributes that say whose a row is."""
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
