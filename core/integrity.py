"""What a database's refusal means: which field breaks which rule, in words for a person."""

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services import db

from .exceptions import InUse
from .exceptions import Invalid
from .exceptions import VerbError

#: What each engine says: PostgreSQL's SQLSTATE, MariaDB's number, the beginning of SQLite's text.
_UNIQUE = ("23505", 1062, "UNIQUE constraint failed")
_FOREIGN_KEY = ("23503", 1451, 1452, "FOREIGN KEY constraint failed")
_NOT_NULL = ("23502", 1048, "NOT NULL constraint failed")


def explain(
    error: IntegrityError, model: type[Any], data: Mapping[str, Any], *, deleting: bool = False
) -> VerbError:
    """Say what the database refused; the session must have been rolled back.

    :param data: what was to be written, to find the key that points nowhere
    """
    if _is(error, _UNIQUE):
        names = _unique_columns(error, model)
        return Invalid({name: [f"Another {words(model.__name__)} has this already."] for name in names or [""]})
    if _is(error, _FOREIGN_KEY):
        if deleting:
            return InUse(f"Other rows point to this {words(model.__name__)}: delete or change them first.")
        return Invalid({name: ["There is no such row."] for name in _dangling(model, data) or [""]})
    if _is(error, _NOT_NULL):
        return Invalid({name: ["This field is required."] for name in _named_column(error, model)})
    return Invalid({"": ["The data breaks a rule of its table."]})


def words(name: str) -> str:
    """Turn ``OrderLine`` into ``order line``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def _is(error: IntegrityError, kinds: tuple[str | int, ...]) -> bool:
    cause = error.orig
    state = getattr(cause, "sqlstate", None)
    number = cause.args[0] if cause is not None and cause.args else None
    text = str(cause)
    return state in kinds or number in kinds or any(isinstance(k, str) and text.startswith(k) for k in kinds)


def _unique_columns(error: IntegrityError, model: type[Any]) -> list[str]:
    """Find the constraint by its name (PostgreSQL, MariaDB) or its columns (SQLite)."""
    table = sa.inspect(model).local_table
    text = str(error.orig)
    sets: dict[str, list[sa.Column[Any]]] = {
        str(constraint.name): list(constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    }
    sets |= {str(index.name): list(index.columns) for index in table.indexes if index.unique}
    for name, columns in sets.items():
        listed = ", ".join(f"{table.name}.{column.name}" for column in columns)
        if re.search(rf"\b{re.escape(name)}\b", text) or text.endswith(f": {listed}"):
            return [_attribute(model, column) for column in columns]
    if "PRIMARY" in text or "pk_" in text or any(f"{table.name}.{c.name}" in text for c in table.primary_key):
        return [_attribute(model, column) for column in table.primary_key]
    return []


def _named_column(error: IntegrityError, model: type[Any]) -> list[str]:
    text = str(error.orig)
    found = [c for c in sa.inspect(model).local_table.columns if re.search(rf"\b{re.escape(c.name)}\b", text)]
    return [_attribute(model, column) for column in found] or [""]


def _dangling(model: type[Any], data: Mapping[str, Any]) -> list[str]:
    found = []
    for column in sa.inspect(model).local_table.columns:
        name = _attribute(model, column)
        for key in column.foreign_keys:
            value = data.get(name)
            if value is not None and not db.session.scalar(sa.select(sa.exists().where(key.column == value))):
                found.append(name)
    return found


def _attribute(model: type[Any], column: sa.Column[Any]) -> str:
    return str(sa.inspect(model).get_property_by_column(column).key)
