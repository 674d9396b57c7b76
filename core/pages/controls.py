"""The controls by which a person filters a list: one for each filter that its verbs declare."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import RelationshipProperty

from services import db

from ..crud.readers import may_list
from ..crud.readers import narrow
from ..crud.verbs import Crud
from ..fields.columns import is_number
from ..fields.columns import plain_type
from ..words import choice_label
from ..words import enum_choices
from .display import label

#: What an operator adds to the label of its control.
_ENDINGS = {
    "ne": " is not", "gt": " above", "gte": " from", "lt": " below", "lte": " to",
    "startswith": " starts with", "isnull": " is empty",
}  # fmt: skip


@dataclass(frozen=True)
class Control:
    """One control of the form above a list.

    :param name: its parameter in the query string
    :param kind: ``select``, or the type of an ``input``
    :param options: of a select: (value, text)
    :param errors: what is wrong with the value
    """

    name: str
    label: str
    kind: str
    value: str
    options: Sequence[tuple[str, str]] = ()
    errors: Sequence[str] = ()


def controls(verbs: Crud, given: Mapping[str, str], errors: Mapping[str, list[str]]) -> list[Control]:
    """Return the controls of a list, filled with what was asked.

    :param given: the query string
    :param errors: parameter to what is wrong with it
    """
    found = []
    for name, operators in verbs.filters.items():
        # A set of values is for programs.
        for operator in (operator for operator in operators if operator != "in"):
            parameter = name if operator == "eq" else f"{name}__{operator}"
            kind, options = _kind(verbs, name, operator)
            text = _label(verbs, name) + _ENDINGS.get(operator, "")
            value = given.get(parameter, "")
            found.append(Control(parameter, text, kind, value, options, errors.get(parameter, ())))
    return found


def _label(verbs: Crud, name: str) -> str:
    relation = name.rpartition(".")[0] or name
    pointing = _relation(verbs, name)
    return label(verbs.model, pointing.key if pointing is not None else relation)


def _kind(verbs: Crud, name: str, operator: str) -> tuple[str, Sequence[tuple[str, str]]]:
    type_ = plain_type(verbs.listing.paths[name].column)
    if operator == "isnull" or isinstance(type_, sa.Boolean):
        return "select", [("true", "Yes"), ("false", "No")]
    if isinstance(type_, sa.Enum):
        return "select", [(name, choice_label(member)) for name, member in enum_choices(type_).items()]
    relation = _relation(verbs, name)
    if relation is not None and operator == "eq":
        return "select", _rows(relation)
    if is_number(verbs.listing.paths[name].column):
        return "number", ()
    return ("date", ()) if isinstance(type_, sa.Date) else ("text", ())


def _relation(verbs: Crud, name: str) -> RelationshipProperty[Any] | None:
    """Find the relationship whose rows are the choices: of ``category_id`` or ``tags.id``."""
    path = verbs.listing.paths[name]
    if path.relation is not None:
        relation: RelationshipProperty[Any] = path.relation.property
        return relation if path.column.primary_key else None
    found = sa.inspect(verbs.model).relationships
    return next((relation for relation in found if relation.local_columns == {path.column}), None)


def _rows(relation: RelationshipProperty[Any]) -> list[tuple[str, str]]:
    model = relation.mapper.class_
    rows = db.session.scalars(narrow(sa.select(model), model)) if may_list(model) else ()
    return sorted(((str(sa.inspect(row).identity[0]), str(row)) for row in rows), key=lambda choice: choice[1])
