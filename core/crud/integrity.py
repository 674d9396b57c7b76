"""Integrity errors of databases: the field and the rule that it breaks, in words for a person."""

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import lazy_gettext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import OperationalError

from services import db

from ..access import hidden_attributes
from ..data import drivers
from ..data.models import numbered
from ..data.models import sequence_of
from ..exceptions import InUse
from ..exceptions import Invalid
from ..exceptions import Unnumbered
from ..exceptions import VerbError
from ..fields.words import noun
from .keys import attribute_of
from .rules import find_rule
from .rules import rule_columns
from .rules import rule_message
from .rules import writes

#: Error codes by engine: PostgreSQL's SQLSTATE, MariaDB's number, the beginning of SQLite's text.
_UNIQUE = ("23505", 1062, "UNIQUE constraint failed")
_FOREIGN_KEY = ("23503", 1451, 1452, "FOREIGN KEY constraint failed")
_CHECK = 4025
#: A sequence is at its end.
_USED_UP = ("2200H", 1467)
_NOT_NULL = ("23502", 1048, "NOT NULL constraint failed")

REQUIRED = lazy_gettext("This field is required.")


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
        return _taken(error, model, data, asked)
    if deleting and (_is(error, _FOREIGN_KEY) or _is(error, _NOT_NULL)):
        # NOT NULL, where the ORM would have taken the row out of those that point to it.
        return InUse(gettext("Other rows point to this %(noun)s: delete or change them first.", noun=noun(model)))
    if _is(error, _FOREIGN_KEY):
        return Invalid({name: [gettext("There is no such row.")] for name in _dangling(model, data, asked) or [""]})
    if _is(error, _USED_UP):
        return describe_misfit(error, model)
    if _is(error, _NOT_NULL):
        name = _named_column(error, model)
        return Invalid(
            _placed(model, [name], gettext("A value is missing.") if _is_hidden(model, name) else str(REQUIRED))
        )
    return _broken(error, model)


def is_refusal(error: OperationalError) -> bool:
    """Return whether an operational error means that a row was refused: PyMySQL has some of them there."""
    return drivers.codes(error.orig)[1] in (_CHECK, _USED_UP[1])


def describe_misfit(error: DBAPIError, model: type[Any]) -> VerbError:
    """Say why a value does not fit its column."""
    if _is(error, _USED_UP):
        return Unnumbered(
            f"The numbers of {sa.inspect(model).local_table.name} are used up: give its key a larger type."
        )
    return Invalid({"": [gettext("A value does not fit its column.")]})


def _taken(
    error: IntegrityError | OperationalError, model: type[Any], data: Mapping[str, Any], asked: Any
) -> VerbError:
    rule = find_rule(error, model)
    columns = rule_columns(rule)
    for column in columns:
        # The caller has not sent it: the database took a number that a row has already.
        if column in numbered(column.table) and attribute_of(model, column) not in data and writes(error, column.table):
            return Unnumbered(_explain_number(column, asked))
    message = rule_message(rule, model) or gettext("Another %(noun)s has this already.", noun=noun(model))
    return Invalid(_placed(model, [attribute_of(model, column) for column in columns], message))


def _explain_number(column: sa.Column[Any], asked: Any) -> str:
    name = sequence_of(asked, column)
    what = f"A new row of {column.table.name} got a {column.name} that another row has"
    if name is None:
        return f"{what}: its numbers are used up. Give the column a larger type."
    statement = f"SELECT setval('{name}', (SELECT max({column.name}) FROM {column.table.name}))"  # noqa: S608 - it is logged
    return f"{what}: the sequence {name} is behind. Set it to the highest number that a row has: {statement};"


def _broken(error: IntegrityError | OperationalError, model: type[Any]) -> VerbError:
    rule = find_rule(error, model)
    columns = rule_columns(rule)
    # A rule on several columns is an error of the whole row.
    names = [attribute_of(model, columns[0])] if len(columns) == 1 else []
    return Invalid(_placed(model, names, rule_message(rule, model) or gettext("The data breaks a rule of its table.")))


def _placed(model: type[Any], names: Iterable[str], message: str) -> dict[str, list[str]]:
    """Return a message at some attributes; those that the current identity may not read are not named."""
    return {name: [message] for name in names if not _is_hidden(model, name)} or {"": [message]}


def _is_hidden(model: type[Any], name: str) -> bool:
    return name in hidden_attributes(model)


def _is(error: DBAPIError, kinds: tuple[str | int, ...]) -> bool:
    text = str(error.orig)
    known = set(drivers.codes(error.orig)) - {None}
    return bool(known & set(kinds)) or any(isinstance(kind, str) and text.startswith(kind) for kind in kinds)


def _named_column(error: IntegrityError | OperationalError, model: type[Any]) -> str:
    cause: Any = error.orig
    if hasattr(cause, "diag"):
        name = cause.diag.column_name
    elif len(cause.args) > 1:
        name = str(cause.args[1]).split("'")[1]
    else:
        name = str(cause).rpartition(".")[2]
    columns = sa.inspect(model).local_table.columns
    return attribute_of(model, columns[name]) if name in columns else ""


def _dangling(model: type[Any], data: Mapping[str, Any], asked: Any) -> list[str]:
    """Return the attributes of those foreign keys that lead to no row."""
    found: list[str] = []
    for key in getattr(sa.inspect(model).local_table, "foreign_key_constraints", ()):
        names = [attribute_of(model, column) for column in key.columns]
        values = [data.get(name) for name in names]
        if any(value is None for value in values):
            continue
        same = [element.column == value for element, value in zip(key.elements, values, strict=True)]
        if not asked.scalar(sa.select(sa.exists().where(*same))):
            found += names
    return found
