"""Check references: a row may point to rows that exist for the current identity; other links are kept.

A foreign key, or a relationship, may be set to a row that the current identity may read; any other is refused like
one that does not exist. Links to rows that it may not read stay as they are.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import lazy_gettext
from sqlalchemy.orm import Mapper

from services import db

from ..exceptions import Invalid
from ..fields.words import noun
from . import readers

#: Message for a reference to no row, formatted with the key.
NO_SUCH_ROW = lazy_gettext("There is no such row.")


@dataclass(frozen=True)
class Pointer:
    """A foreign key.

    :param names: the attributes of its columns
    :param columns: the columns that they point to
    :param model: whose rows these are
    """

    names: tuple[str, ...]
    columns: tuple[sa.Column[Any], ...]
    model: type[Any]


@lru_cache(maxsize=2000)
def pointers(mapper: Mapper[Any]) -> Sequence[Pointer]:
    """Return the foreign keys of a model that lead to rows of models."""
    # Of several models in one table, the one that all of its rows are.
    models = {
        one.local_table: one.class_
        for one in mapper.registry.mappers
        if one.inherits is None or one.local_table is not one.inherits.local_table
    }
    found = []
    for key in getattr(mapper.local_table, "foreign_key_constraints", ()):
        model = models.get(key.referred_table)
        if model is not None and all(column in mapper.columns.values() for column in key.columns):
            names = tuple(str(mapper.get_property_by_column(column).key) for column in key.columns)
            found.append(Pointer(names, tuple(element.column for element in key.elements), model))
    return found


def check(item: Any, values: Mapping[str, Any]) -> None:
    """Check the references of a row before they are set.

    :param values: attribute to value, of what changes
    :raises Invalid: naming each that leads to a row that the current identity may not read
    """
    errors = dict(_faults(item, values, {id(item)}))
    if errors:
        raise Invalid(errors)


def _faults(item: Any, values: Mapping[str, Any], seen: set[int]) -> Iterator[tuple[str, list[str]]]:
    """Yield what leads to unreadable rows, by name: ``lines.0.product_id`` in a new row that comes with this one.

    :param seen: the ids of the rows that were looked at
    """
    state = sa.inspect(item)
    for pointer in pointers(state.mapper):
        if not values.keys().isdisjoint(pointer.names) and not _exists(item, pointer, values):
            yield from ((name, [str(NO_SUCH_ROW)]) for name in pointer.names)
    for name in values.keys() & state.mapper.relationships.keys():
        rows = _rows(values[name])
        known = _rows(getattr(item, name)) if state.has_identity else []
        others = [(place, row) for place, row in enumerate(rows) if id(row) not in seen and row not in known]
        messages = [*_unreadable([row for _, row in others if sa.inspect(row).has_identity])]
        if messages:
            yield name, messages
        # A row that is not stored yet is the caller's own; the row that it refers to is not.
        for place, row in ((place, row) for place, row in others if not sa.inspect(row).has_identity):
            seen.add(id(row))
            path = f"{name}.{place}" if state.mapper.relationships[name].uselist else name
            yield from ((f"{path}.{inner}", found) for inner, found in _faults(row, _given(row), seen))


def _given(row: Any) -> dict[str, Any]:
    """Return what a row that is not stored yet was given."""
    state = sa.inspect(row)
    return {name: value for name, value in state.dict.items() if name in state.mapper.attrs}


def _exists(item: Any, pointer: Pointer, values: Mapping[str, Any]) -> bool:
    """Return whether a key refers to a row; where all rows are public, the database checks that itself."""
    key = [values[name] if name in values else getattr(item, name) for name in pointer.names]
    if any(part is None for part in key):
        return True
    own = readers.bound(pointer.model, "get")
    if own is None:
        return True
    same = [column == part for column, part in zip(pointer.columns, key, strict=True)]
    found = sa.select(pointer.model).where(*same, own)
    found = found.with_only_columns(sa.literal_column("1"), maintain_column_froms=True)
    with db.session.no_autoflush:
        return db.session.scalar(found.limit(1)) is not None


def _unreadable(added: list[Any]) -> Iterator[str]:
    kept = {id(row) for row in readers.readable(added)}
    for row in added:
        if id(row) not in kept:
            key = ", ".join(map(str, sa.inspect(row).identity or ()))
            yield gettext("There is no %(noun)s %(key)s.", noun=noun(type(row)), key=key)


def with_hidden(before: Any, value: Any) -> Any:
    """Return the value that a relationship gets, with those links that the current identity is not shown.

    :param before: the row or rows that it has
    :param value: those that were chosen among the ones shown
    """
    hidden = _hidden(_rows(before), _rows(value))
    if not hidden:
        return value
    if isinstance(before, Mapping):
        return {**value, **{key: row for key, row in before.items() if row in hidden}}
    if isinstance(before, set):
        return {*value, *hidden}
    if isinstance(before, list):
        return [*value, *hidden]
    return before if value is None else value


def _hidden(before: list[Any], chosen: list[Any]) -> list[Any]:
    gone = [row for row in before if row not in chosen]
    if not gone:
        return []
    shown = {id(row) for row in readers.readable(gone)}
    return [row for row in gone if id(row) not in shown]


def _rows(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [*value.values()]
    return [*value] if isinstance(value, Iterable) else [value]
