"""Filters of a list: their parameters are read, checked and bounded here, for every face.

A parameter is ``<name>``, which is equality, or ``<name>__<operator>``. Repeated, it asks for one of its values, with a
negative operator for none of them; a bound is given once. Parameters of different names hold at once.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask_babel import gettext
from marshmallow import ValidationError
from sqlalchemy.engine import Dialect

from services import db

from ..exceptions import BadQuery
from ..fields.columns import plain_type
from ..fields.decimals import lost_digits
from ..fields.strict import Text
from ..fields.strict import from_text
from . import texts
from .names import LISTED
from .names import LONGEST_SORTED
from .names import ONCE
from .names import Names

#: Parameters to texts: one, or several where a parameter is repeated.
Args = Mapping[str, str | Sequence[str]]

#: Limits of one list: filters, values in all of them, and their bytes in a query string.
MAX_FILTERS = 20
MAX_VALUES = 100
MAX_QUERY = 8192

MAX_SEARCH = 200

#: Operator to the most characters of its text.
_LONGEST = {"startswith": LONGEST_SORTED, "contains": MAX_SEARCH}

_TEXT = Text()


@dataclass(frozen=True)
class Filter:
    """One condition: ``column operator value``.

    :param value: several as a tuple; of ``between`` two and two, the lowest and the highest
    """

    name: str
    operator: str
    value: Any

    @property
    def values(self) -> tuple[Any, ...]:
        """The values, also where there is one."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    @property
    def shape(self) -> tuple[Any, ...]:
        """Shape of the SQL."""
        return self.name, self.operator, self.values if self.operator == "isnull" else len(self.values)


def separate(args: Args, singles: Sequence[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the texts of the parameters that are single by nature, and those of the others; without empty texts.

    :raises BadQuery: if a single one is repeated, or if the others are longer than a list takes
    """
    single: dict[str, str] = {}
    others: dict[str, list[str]] = {}
    repeated, size = [], 0
    for name, given in args.items():
        several = [given] if isinstance(given, str) else given
        left = [text for text in several if text]
        if name not in singles:
            size += sum(_size(name) + _size(text) for text in left)
            others |= {name: left} if left else {}
        elif len(several) > 1:
            repeated.append(name)
        elif left:
            single[name] = left[0]
    if repeated:
        raise BadQuery({name: [gettext("Give it once.")] for name in repeated})
    if size > MAX_QUERY:
        message = gettext(
            "The filters of a list take at most %(number)s bytes together.", number=format(MAX_QUERY, ",")
        )
        raise BadQuery({"": [message]})
    return single, others


def read_filters(
    names: Names, asked: Mapping[str, Sequence[str]], hidden: frozenset[str], errors: dict[str, list[str]]
) -> tuple[tuple[Filter, ...], list[str]]:
    """Read the parameters that are filters.

    :param hidden: names that the current identity may not read
    :param errors: parameter to what is wrong with it, to be completed
    :return: (filters, parameters that are none)
    """
    found: list[Filter] = []
    unknown = []
    known = values = 0
    for parameter, given in asked.items():
        name, operator = split(parameter)
        if name in hidden or operator not in names.filters.get(name, ()):
            unknown.append(parameter)
            continue
        words = [text.split(",") if operator in LISTED else [text] for text in given]
        known += 1
        values += sum(map(len, words))
        try:
            if known > MAX_FILTERS:
                raise ValidationError(gettext("A list takes at most %(number)s filters.", number=MAX_FILTERS))
            if values > MAX_VALUES:
                message = gettext("The filters of a list take at most %(number)s values together.", number=MAX_VALUES)
                raise ValidationError(message)
            read = _operands(names, name, operator, words)
            found.append(Filter(name, operator, read[0] if len(read) == 1 else read))
        except ValidationError as error:
            errors[parameter] = [str(message) for message in error.messages]
    # The order of parameters does not matter to SQL: one shape, one statement.
    return tuple(sorted(found, key=lambda one: (one.name, one.operator))), unknown


def split(parameter: str) -> tuple[str, str]:
    """Return the name and the operator of a parameter."""
    name, mark, operator = parameter.partition("__")
    return name, operator if mark else "eq"


def joined(name: str, operator: str) -> str:
    """Return the parameter of a name and an operator."""
    return name if operator == "eq" else f"{name}__{operator}"


def given_values(filters: Sequence[Filter], dialect: Dialect) -> dict[str, Any]:
    """Return the values for the parameters of the conditions, ``f<filter>_<value>``."""
    found: dict[str, Any] = {}
    for number, item in enumerate(filters):
        if item.operator == "isnull":
            continue
        for place, value in enumerate(item.values):
            written = value
            if item.operator == "startswith":
                written = texts.beginning(value, dialect)
            elif item.operator == "contains":
                written = texts.part(value)
            found[f"f{number}_{place}"] = written
    return found


def read_flag(text: str) -> bool:
    """Read ``true`` or ``false``.

    :raises ValidationError: if it is neither
    """
    if text not in ("true", "false"):
        raise ValidationError(gettext("Write true or false."))
    return text == "true"


def _size(text: str) -> int:
    # With the character that follows it.
    return (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))) + 1


def _operands(names: Names, name: str, operator: str, words: Sequence[Sequence[str]]) -> tuple[Any, ...]:
    if operator in ONCE and len(words) > 1:
        raise ValidationError(gettext("Give it once."))
    if operator == "isnull":
        return (read_flag(words[0][0]),)
    if operator == "between" and any(len(pair) != 2 for pair in words):
        raise ValidationError(gettext("Give two values with a comma between them, the lowest and the highest."))
    if operator in _LONGEST and any(len(word) > _LONGEST[operator] for word, *_ in words):
        raise ValidationError(gettext("At most %(max_search)s characters.", max_search=_LONGEST[operator]))
    if operator == "contains":
        # A part of a text need not be what its column takes.
        return tuple(from_text(_TEXT, word) for word, *_ in words)
    return tuple(_value(names, name, word) for group in words for word in group)


def _value(names: Names, name: str, text: str) -> Any:
    value = from_text(names.fields[name], text)
    if isinstance(value, Decimal):
        lost = lost_digits(value, plain_type(names.paths[name].column), db.engine.dialect.name)
        if lost:
            raise ValidationError(lost)
    return value
