"""The names of columns that a list understands, checked as the list is declared.

A name is a column's, or ``category.name`` for one of a related row.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from ..access import column_policies
from ..fields.columns import make_field
from ..fields.columns import plain_type
from . import texts

#: Operator to the ending of its parameter: ``population__gte=100000``.
OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "nin", "startswith", "contains", "isnull")

#: Operators that take values with commas between them.
LISTED = ("in", "nin", "between")

#: Operators whose parameter is given once: of two bounds one says nothing.
ONCE = ("gt", "gte", "lt", "lte", "isnull")

#: Operators on texts.
OF_TEXTS = ("startswith", "contains")

#: Characters of a text by which a list is sorted: cursors carry it, in the URL.
LONGEST_SORTED = 255


@dataclass(frozen=True)
class ColumnRef:
    """A column that a list is asked about: of the model, or of one that it points to.

    :param relation: the attribute of the model that leads there; ``None`` for a column of its own
    :param target: the model or, where rows are joined for sorting, its alias
    """

    column: Any
    relation: Any = None
    target: Any = None


@dataclass
class Names:
    """The names of columns by which the rows of one model are searched, filtered and sorted.

    :param search: columns in which ``q`` is looked for
    :param filters: columns, each with its operators; ``in`` brings ``nin``, ``gte`` with ``lte`` brings ``between``
    :param sorts: columns that ``sort`` may name
    :param order: the order where none is asked for, in the words of ``sort``
    :raises TypeError: if a name is none of the model's, or its column cannot be asked so
    """

    model: type[Any]
    search: Sequence[str] = ()
    filters: Mapping[str, Iterable[str]] = field(default_factory=dict)
    sorts: Sequence[str] = ()
    order: Sequence[str] = ()

    def __post_init__(self) -> None:
        mapper = sa.inspect(self.model)
        #: The attributes of the key.
        self.keys = tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key)
        self.order = self.with_key(self.order)
        ordered = {name.removeprefix("-") for name in (*self.sorts, *self.order)}
        self.paths = {name: self._path(name) for name in {*self.search, *self.filters, *ordered, *self.keys}}
        for name in ordered:
            fault = _unsortable(self.paths[name])
            if fault:
                raise TypeError(f"{self.model.__name__} cannot be sorted by {name}: {fault}")
        unknown = sorted({operator for operators in self.filters.values() for operator in operators} - set(OPERATORS))
        if unknown:
            raise TypeError(f"{self.model.__name__} has no filter {', '.join(unknown)}: use {', '.join(OPERATORS)}")
        self._refuse_no_texts()
        self.filters = {name: _with_implied(operators) for name, operators in self.filters.items()}
        self.fields = {name: make_field(self.paths[name].column) for name in {*self.filters, *ordered}}
        #: Of the names that lead to other rows, the relationship.
        self.relations = {
            name: path.relation.property for name, path in self.paths.items() if path.relation is not None
        }
        #: Of the names with a read policy, the model and the attribute.
        self.guarded = {name: guarded for name in self.paths for guarded in self._guarded(name)}

    def _refuse_no_texts(self) -> None:
        begun = [name for name, operators in self.filters.items() if {*OF_TEXTS} & {*operators}]
        wrong = sorted(name for name in {*self.search, *begun} if not texts.is_text(self.paths[name].column))
        if wrong:
            raise TypeError(
                f"{self.model.__name__} cannot be searched by {', '.join(wrong)}, which is no text: "
                f"take it out of search, and {' and '.join(OF_TEXTS)} out of its filters"
            )

    def _path(self, name: str) -> ColumnRef:
        relation, _, column = name.rpartition(".")
        mapper = sa.inspect(self.model)
        if not relation:
            if name not in mapper.column_attrs:
                raise TypeError(f"{self.model.__name__} has no column {name}")
            return ColumnRef(mapper.columns[name])
        if relation not in mapper.relationships:
            raise TypeError(f"{self.model.__name__} has no relationship {relation}, named in {name}")
        related = mapper.relationships[relation].mapper
        if column not in related.column_attrs:
            raise TypeError(f"{related.class_.__name__} has no column {column}, named in {name}")
        target = aliased(related.class_)
        # An attribute may be called otherwise than its column.
        aliased_column = sa.inspect(target).selectable.corresponding_column(related.columns[column])
        return ColumnRef(aliased_column, getattr(self.model, relation), target)

    def _guarded(self, name: str) -> Iterator[tuple[type[Any], str]]:
        """Yield the attributes with a read policy on a name's path."""
        relation, _, column = name.rpartition(".")
        steps = [(self.model, relation or column)]
        if relation:
            steps.append((self.relations[name].mapper.class_, column))
        yield from ((model, step) for model, step in steps if step in column_policies(model))

    def with_key(self, names: Sequence[str]) -> tuple[str, ...]:
        """End with the key, in the direction of the last name, so that the order is total."""
        named = {name.removeprefix("-") for name in names}
        mark = "-" if names and names[-1].startswith("-") else ""
        return (*names, *(f"{mark}{name}" for name in self.keys if name not in named))


def _with_implied(operators: Iterable[str]) -> tuple[str, ...]:
    """Return operators with those that ask for nothing else, in the order of all."""
    given = {*operators}
    implied = {"nin"} if "in" in given else set()
    implied |= {"between"} if {"gte", "lte"} <= given else set()
    return tuple(operator for operator in OPERATORS if operator in given | implied)


def _unsortable(ref: ColumnRef) -> str | None:
    type_ = plain_type(ref.column)
    if ref.relation is not None and ref.relation.property.uselist:
        return "it has several"
    if type(type_) is sa.Float:
        # On MariaDB it has 24 bits and equals no value that is shown of it: a cursor would not move.
        return "make it a Double"
    if isinstance(type_, sa.String) and not 0 < (type_.length or 0) <= LONGEST_SORTED:
        return f"a cursor carries texts of at most {LONGEST_SORTED} characters, give it a length"
    return None
