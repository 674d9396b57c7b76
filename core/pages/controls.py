"""The controls by which a person filters a list: one for each filter that its verbs declare."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import lazy_gettext
from marshmallow import ValidationError
from sqlalchemy.orm import RelationshipProperty

from services import db

from ..crud.choices import MOST
from ..crud.choices import Choices
from ..crud.conditions import MAX_VALUES
from ..crud.conditions import Args
from ..crud.conditions import joined
from ..crud.names import LISTED
from ..crud.names import OF_TEXTS
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

#: The label of a control by its operator; a colon stands before what is looked for in languages with cases.
_LABELS = {
    "ne": lazy_gettext("%(label)s is not"),
    "gt": lazy_gettext("%(label)s above"),
    "gte": lazy_gettext("%(label)s from"),
    "lt": lazy_gettext("%(label)s below"),
    "lte": lazy_gettext("%(label)s to"),
    "startswith": lazy_gettext("%(label)s starts with"),
    "contains": lazy_gettext("%(label)s contains"),
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
    :param chosen: the values of a select; it takes several where its parameter is repeated
    :param number: of an ``input`` for a further value of a parameter that is repeated
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
    chosen: Sequence[str] = ()
    number: int = 0


def controls(verbs: Crud, given: Args, errors: Mapping[str, list[str]]) -> list[Control]:
    """Return the controls of a list, filled with what was asked.

    :param given: the query string
    :param errors: parameter to what is wrong with it
    """
    return [
        control
        for parameter, (name, operator) in _parameters(verbs).items()
        for control in _controls(verbs, name, operator, given, errors.get(parameter, ()))
    ]


def read_controls(verbs: Crud, given: Args) -> Args:
    """Return the query string that a program would send for what the controls of a list have sent."""
    known = _parameters(verbs)
    searches = {parameter + SEARCH for parameter, asked in known.items() if _chooses(verbs, *asked)}
    found: dict[str, str | Sequence[str]] = {}
    for parameter, texts in given.items():
        if parameter in searches:
            # The text of a control's search is not a filter of the list.
            continue
        name, operator = known.get(parameter, ("", ""))
        if name and _is_typed(verbs, name, operator):
            column = verbs.listing.paths[name].column
            found[parameter] = [text and read_typed(column, text) for text in _texts(texts)]
        else:
            found[parameter] = texts
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
    """Return the parameters that have a control, each with its name and operator; sets and ranges are for programs."""
    hidden = verbs.listing.hidden()
    return {
        joined(name, operator): (name, operator)
        for name, operators in verbs.filters.items()
        for operator in operators
        if operator not in LISTED and name not in hidden
    }


def _texts(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given


def _controls(verbs: Crud, name: str, operator: str, given: Args, errors: Sequence[str]) -> Iterator[Control]:
    """Yield the control of a parameter: a select, or an ``input`` for each value."""
    parameter, column = joined(name, operator), verbs.listing.paths[name].column
    values = [text for text in _texts(given.get(parameter, "")) if text][:MAX_VALUES]
    value, text = next(iter(values), ""), _label(verbs, name, operator)
    if _chooses(verbs, name, operator):
        search = _texts(given.get(parameter + SEARCH, ""))[0].strip()
        options, more = _rows(verbs, name, values, search)
        searched = search if more else None
        yield Control(parameter, text, "select", value, options, errors, search=searched, chosen=values)
    elif (fixed := _options(verbs.model, column, operator)) is not None:
        yield Control(parameter, text, "select", value, fixed, errors, chosen=values)
    else:
        further = gettext("and %(label)s", label=text) if operator == "ne" else gettext("or %(label)s", label=text)
        for number, one in enumerate(values or [""]):
            shown = _input(column, operator, further if number else text, one, errors)
            yield replace(shown, name=parameter, number=number)


def _input(column: Any, operator: str, text: str, value: str, errors: Sequence[str]) -> Control:
    """Return the ``input`` for a value, without its name."""
    if operator in OF_TEXTS:
        return Control("", text, "text", value, (), errors)
    kind, step = input_of(column)
    text += unit_of(column)
    if errors:
        # A browser shows nothing of what is no value of the control's kind.
        return Control("", text, "text", value, (), errors, note=note_of(column))
    return Control("", text, kind, shown_typed(column, value), (), errors, step, note_of(column))


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
    return operator not in ("isnull", *OF_TEXTS) and not _chooses(verbs, name, operator)


def _relation(verbs: Crud, name: str) -> RelationshipProperty[Any] | None:
    """Find the relationship whose rows are the choices: of ``category_id`` or ``tags.id``."""
    path = verbs.listing.paths[name]
    if path.relation is not None:
        relation: RelationshipProperty[Any] = path.relation.property
        is_key = path.column.primary_key and len(relation.mapper.primary_key) == 1
        return relation if is_key else None
    found = sa.inspect(verbs.model).relationships
    return next((relation for relation in found if relation.local_columns == {path.column}), None)


def _rows(verbs: Crud, name: str, values: Sequence[str], search: str) -> tuple[list[tuple[str, str]], bool]:
    """Return the rows to choose from, or of many the chosen ones and what was found; and whether they are many."""
    relation: Any = _relation(verbs, name)
    choices = Choices(relation.mapper.class_)
    first = choices.find()
    rows = first.rows if not first.more else choices.find(search).rows if search else ()
    options = [(_written(verbs, name, relation, row), str(row)) for row in rows]
    missing = [value for value in dict.fromkeys(values) if value not in dict(options)]
    if missing:
        chosen = {_written(verbs, name, relation, row): str(row) for row in _chosen(verbs, name, relation, missing)}
        options = [*((value, chosen.get(value, value)) for value in missing), *options[: MOST - 1]]
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


def _chosen(verbs: Crud, name: str, relation: RelationshipProperty[Any], values: Sequence[str]) -> Sequence[Any]:
    """Return the rows of some values; without those that are none."""
    model = relation.mapper.class_
    keys = []
    for value in values:
        with suppress(ValidationError):
            keys.append(from_text(verbs.listing.fields[name], value))
    if not keys or not may_list(model):
        return ()
    column = getattr(model, _pointed(verbs, name, relation))
    return db.session.scalars(narrow(sa.select(model), model).where(column.in_(keys))).all()
