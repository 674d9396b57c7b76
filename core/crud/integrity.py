"""What a database's refusal means: which field breaks which rule, in words for a person."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import OperationalError

from services import db

from .. import drivers
from ..exceptions import InUse
from ..exceptions import Invalid
from ..exceptions import VerbError
from ..words import words

#: What each engine says: PostgreSQL's SQLSTATE, MariaDB's number, the beginning of SQLite's text.
_UNIQUE = ("23505", 1062, "UNIQUE constraint failed")
_FOREIGN_KEY = ("23503", 1451, 1452, "FOREIGN KEY constraint failed")
_CHECK = 4025
_NOT_NULL = ("23502", 1048, "NOT NULL constraint failed")


def explain(
    error: IntegrityError | OperationalError,
    model: type[Any],
    data: Mapping[str, Any],
    asked: Any = db.session,
    *,
    deleting: bool = False,
) -> VerbError:
    """Say what the database refused; the session must have been rolled back.

    :param data: what was to be written, to find the key that points nowhere
    :param asked: the session, or the connection, that can look for the row
    """
    if _is(error, _UNIQUE):
        names = _unique_columns(error, model)
        return Invalid({name: [f"Another {words(model.__name__)} has this already."] for name in names or [""]})
    if deleting and (_is(error, _FOREIGN_KEY) or _is(error, _NOT_NULL)):
        # NOT NULL, where the ORM would have taken the row out of those that point to it.
        return InUse(f"Other rows point to this {words(model.__name__)}: delete or change them first.")
    if _is(error, _FOREIGN_KEY):
        return Invalid({name: ["There is no such row."] for name in _dangling(model, data, asked) or [""]})
    if _is(error, _NOT_NULL):
        return Invalid({_named_column(error, model): ["This field is required."]})
    return Invalid({"": ["The data breaks a rule of its table."]})


def breaks_check(error: OperationalError) -> bool:
    """Return whether a CHECK was broken: PyMySQL calls that an operational error."""
    return drivers.codes(error.orig)[1] == _CHECK


def _is(error: IntegrityError | OperationalError, kinds: tuple[str | int, ...]) -> bool:
    text = str(error.orig)
    known = set(drivers.codes(error.orig)) - {None}
    return bool(known & set(kinds)) or any(isinstance(kind, str) and text.startswith(kind) for kind in kinds)


def _unique_columns(error: IntegrityError | OperationalError, model: type[Any]) -> list[str]:
    """Find the constraint by its name (PostgreSQL, MariaDB) or its columns (SQLite)."""
    table = sa.inspect(model).local_table
    key = table.primary_key
    unique = [each for each in table.constraints if isinstance(each, sa.UniqueConstraint)]
    sets = {_name(each): list(each.columns) for each in (*unique, key)} | {"PRIMARY": list(key)}
    sets |= {_name(index): list(index.columns) for index in table.indexes if index.unique}
    broken = _broken(error)
    for name, columns in sets.items():
        listed = ", ".join(f"{table.name}.{column.name}" for column in columns)
        if broken in (name, listed):
            return [_attribute(model, column) for column in columns]
    return []


def _name(rule: sa.Constraint | sa.Index) -> str:
    """Return the name as the engine has it: one that is too long was cut."""
    preparer = db.engine.dialect.identifier_preparer
    text = preparer.format_index(rule) if isinstance(rule, sa.Index) else preparer.format_constraint(rule)
    return str(text).strip('"`')


def _broken(error: IntegrityError | OperationalError) -> str:
    """Return the name of the broken constraint, or its columns; never a word of the data, which it quotes too."""
    cause: Any = error.orig
    if hasattr(cause, "diag"):
        return cause.diag.constraint_name or ""
    text = str(cause.args[-1])
    return text.rpartition("for key ")[2].strip("'") if len(cause.args) > 1 else text.partition(": ")[2]


def _named_column(error: IntegrityError | OperationalError, model: type[Any]) -> str:
    cause: Any = error.orig
    if hasattr(cause, "diag"):
        name = cause.diag.column_name
    elif len(cause.args) > 1:
        name = str(cause.args[1]).split("'")[1]
    else:
        name = str(cause).rpartition(".")[2]
    columns = sa.inspect(model).local_table.columns
    return _attribute(model, columns[name]) if name in columns else ""


def _dangling(model: type[Any], data: Mapping[str, Any], asked: Any) -> list[str]:
    found = []
    for column in sa.inspect(model).local_table.columns:
        name = _attribute(model, column)
        for key in column.foreign_keys:
            value = data.get(name)
            if value is not None and not asked.scalar(sa.select(sa.exists().where(key.column == value))):
                found.append(name)
    return found


def _attribute(model: type[Any], column: sa.Column[Any]) -> str:
    return str(sa.inspect(model).get_property_by_column(column).key)
