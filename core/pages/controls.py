"""The controls by which a person filters a list: one for each filter that its verbs declare."""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import lazy_gettext
from marshmallow import ValidationError
from sqlalchemy.orm import RelationshipProperty

from services import db

from ..crud.choices import MOST
from ..crud.choices import Choices
from ..crud.readers import may_list
from ..crud.readers import narrow
from ..crud.verbs import Crud
from ..exceptions import UNKNOWN
from ..fields.columns import plain_type
from ..fields.strict import from_text
from ..fields.words import choice_label
from ..fields.words import enum_choices
from .display import label
from .typed import input_of
from .typed import note_of
from .typed import read_typed
from .typed import shown_typed
from .typed import unit_of
from .typed import wrong_of

#: Suffix that an operator adds to the label of its control.
#: The label of a control by its operator; a colon stands before what is looked for in languages with cases.
_LABELS = {
    "ne": lazy_gettext("%(label)s is not"),
    "gt": lazy_gettext("%(label)s above"),
    "gte": lazy_gettext("%(label)s from"),
    "lt": lazy_gettext("%(label)s below"),
    "lte": lazy_gettext("%(label)s to"),
    "startswith": lazy_gettext("%(label)s starts with"),
    "isnull": lazy_gettext("%(label)s is empty"),
}

#: The ending of the parameter in which the rows of a filter are looked for.
SEARCH = "__search"


@dataclass(frozen=True)
class Control:
    """One control of the form above a list.

    :param name: its parameter in the query string
    :param kind: ``select``, or the type of an ``input``
    :param options: of a select: (value, text)
    :param errors: what is wrong with the value
    :param step: of an ``input`` of numbers or times
    :param note: how to write a value
    :param search: what is looked for among the rows of a select; ``None`` where it shows all of them
    """

    name: str
    label: str
    kind: str
    value: str
    options: Sequence[tuple[str, str]] = ()
    errors: Sequence[str] = ()
    step: str = ""
    note: str = ""
    search: str | None = None


def controls(verbs: Crud, given: Mapping[str, str], errors: Mapping[str, list[str]]) -> list[Control]:
    """Return the controls of a list, filled with what was asked.

    :param given: the query string
    :param errors: parameter to what is wrong with it
    """
    return [
        _control(verbs, name, operator, given, errors.get(parameter, ()))
        for parameter, (name, operator) in _parameters(verbs).items()
    ]


def read_controls(verbs: Crud, given: Mapping[str, str]) -> dict[str, str]:
    """Return the query string that a program would send for what the controls of a list have sent."""
    known = _parameters(verbs)
    searches = {parameter + SEARCH for parameter, asked in known.items() if _chooses(verbs, *asked)}
    found = {}
    for parameter, text in given.items():
        if parameter in searches:
            # The text of a control's search is not a filter of the list.
            continue
        name, operator = known.get(parameter, ("", ""))
        typed = name and _is_typed(verbs, name, operator)
        found[parameter] = read_typed(verbs.listing.paths[name].column, text) if typed and text else text
    return found


def control_messages(verbs: Crud, errors: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the messages of refused parameters in words for people, who do not write values as programs do."""
    known = _parameters(verbs)
    found = {}
    for parameter, messages in errors.items():
        name, operator = known.get(parameter, ("", ""))
        if name and _is_typed(verbs, name, operator):
            column = verbs.listing.paths[name].column
            found[parameter] = list(dict.fromkeys(wrong_of(column, message) for message in messages))
        else:
            found[parameter] = [_for_people(parameter, message) for message in messages]
    return found


def _for_people(parameter: str, message: str) -> str:
    # The names of all parameters help programs only.
    if parameter == "sort":
        return gettext("Choose a column heading.")
    return gettext("This filter does not exist.") if message.startswith(str(UNKNOWN)) else message


def _parameters(verbs: Crud) -> dict[str, tuple[str, str]]:
    """Return the parameters that have a control, each with its name and operator; a set of values is for programs."""
    hidden = verbs.listing.hidden()
    return {
        name if operator == "eq" else f"{name}__{operator}": (name, operator)
        for name, operators in verbs.filters.items()
        for operator in operators
        if operator != "in" and name not in hidden
    }


def _control(verbs: Crud, name: str, operator: str, given: Mapping[str, str], errors: Sequence[str]) -> Control:
    parameter = name if operator == "eq" else f"{name}__{operator}"
    column = verbs.listing.paths[name].column
    value, text = given.get(parameter, ""), _label(verbs, name, operator)
    if _chooses(verbs, name, operator):
        search = given.get(parameter + SEARCH, "").strip()
        options, more = _rows(verbs, name, value, search)
        return Control(parameter, text, "select", value, options, errors, search=search if more else None)
    if (fixed := _options(verbs.model, column, operator)) is not None:
        return Control(parameter, text, "select", value, fixed, errors)
    if operator == "startswith":
        return Control(parameter, text, "text", value, (), errors)
    kind, step = input_of(column)
    text += unit_of(column)
    if errors:
        # A browser shows nothing of what is no value of the control's kind.
        return Control(parameter, text, "text", value, (), errors, note=note_of(column))
    return Control(parameter, text, kind, shown_typed(column, value), (), errors, step, note_of(column))


def _label(verbs: Crud, name: str, operator: str) -> str:
    relation = name.rpartition(".")[0] or name
    pointing = _relation(verbs, name)
    text = label(verbs.model, pointing.key if pointing is not None else relation)
    return str(_LABELS[operator]) % {"label": text} if operator in _LABELS else text


def _options(model: type[Any], column: Any, operator: str) -> Sequence[tuple[str, str]] | None:
    type_ = plain_type(column)
    if operator == "isnull" or isinstance(type_, sa.Boolean):
        return [("true", gettext("Yes")), ("false", gettext("No"))]
    if isinstance(type_, sa.Enum):
        return [(name, choice_label(member, model)) for name, member in enum_choices(type_).items()]
    return None


def _chooses(verbs: Crud, name: str, operator: str) -> bool:
    return operator == "eq" and _relation(verbs, name) is not None


def _is_typed(verbs: Crud, name: str, operator: str) -> bool:
    """Return whether a person writes the value, in the words of a control; a key is chosen, and sent as it is."""
    return operator not in ("isnull", "startswith") and not _chooses(verbs, name, operator)


def _relation(verbs: Crud, name: str) -> RelationshipProperty[Any] | None:
    """Find the relationship whose rows are the choices: of ``category_id`` or ``tags.id``."""
    path = verbs.listing.paths[name]
    if path.relation is not None:
        relation: RelationshipProperty[Any] = path.relation.property
        is_key = path.column.primary_key and len(relation.mapper.primary_key) == 1
        return relation if is_key else None
    found = sa.inspect(verbs.model).relationships
    return next((relation for relation in found if relation.local_columns == {path.column}), None)


def _rows(verbs: Crud, name: str, value: str, search: str) -> tuple[list[tuple[str, str]], bool]:
    """Return the rows to choose from, or of many the chosen one and what was found; and whether they are many."""
    relation: Any = _relation(verbs, name)
    choices = Choices(relation.mapper.class_)
    first = choices.find()
    rows = first.rows if not first.more else choices.find(search).rows if search else ()
    options = [(_written(verbs, name, relation, row), str(row)) for row in rows]
    if value and value not in dict(options):
        chosen = _chosen(verbs, name, relation, value)
        options = [(value, value if chosen is None else str(chosen)), *options[: MOST - 1]]
    return options, first.more


def _written(verbs: Crud, name: str, relation: RelationshipProperty[Any], row: Any) -> str:
    """Return the value by which a row is asked for."""
    value = getattr(row, _pointed(verbs, name, relation))
    return str(verbs.listing.fields[name]._serialize(value, None, None))


def _pointed(verbs: Crud, name: str, relation: RelationshipProperty[Any]) -> str:
    """Return the attribute of the rows to choose from that a filter compares."""
    pairs = relation.local_remote_pairs or ()
    own = verbs.listing.paths[name].relation is None
    column = pairs[0][1] if own else relation.mapper.primary_key[0]
    return str(relation.mapper.get_property_by_column(column).key)


def _chosen(verbs: Crud, name: str, relation: RelationshipProperty[Any], value: str) -> Any:
    model = relation.mapper.class_
    try:
        key = from_text(verbs.listing.fields[name], value)
    except ValidationError:
        return None
    if not may_list(model):
        return None
    wanted = narrow(sa.select(model), model).where(getattr(model, _pointed(verbs, name, relation)) == key).limit(1)
    return db.session.scalars(wanted).first()
