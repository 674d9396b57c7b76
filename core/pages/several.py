"""The rows to which the to-many relationships of some rows lead: the first of each, and how many there are.

One statement for each relationship, however many rows are shown and however many are related.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm import aliased
from sqlalchemy.orm.interfaces import ONETOMANY

from services import db

from ..access import hidden_attributes
from ..crud.keys import among
from ..crud.keys import attribute_of
from ..crud.readers import bound
from ..crud.readers import may_list
from ..crud.readers import readable
from .model_pages import list_of

#: How many related rows a cell, or a page of a row, shows.
SHOWN = 10


@dataclass(frozen=True)
class Several:
    """Some related rows.

    :param total: how many there are that the current identity may list
    :param url: of the list of all of them; ``None`` if there is no such list
    """

    items: Sequence[Any]
    total: int
    url: str | None

    @property
    def others(self) -> int:
        """Return how many are not shown."""
        return self.total - len(self.items)


class Shown:
    """The values of some rows as a page shows them; of a to-many relationship, a :class:`Several`.

    :param names: the attributes that are shown
    """

    def __init__(self, model: type[Any], rows: Sequence[Any], names: Iterable[str]) -> None:
        relations = sa.inspect(model).relationships
        names = [*dict.fromkeys(names)]
        several = [relations[name] for name in names if name in relations and relations[name].uselist]
        self._several = {relation.key: _read(relation, rows) for relation in several}
        single = [name for name in names if name in relations and name not in self._several]
        related = [row for found in self._several.values() for one in found.values() for row in one.items]
        related += [one for name in single for row in rows if (one := getattr(row, name)) is not None]
        # Asked at once for all that is shown, not for each.
        readable(related)

    def __call__(self, item: Any, name: str) -> Any:
        """Return a value of a row."""
        found = self._several.get(name)
        return getattr(item, name) if found is None else found[sa.inspect(item).identity]


def _read(relation: RelationshipProperty[Any], rows: Sequence[Any]) -> Mapping[Any, Several]:
    keys = [sa.inspect(row).identity for row in rows]
    found: dict[Any, tuple[list[Any], int]] = {key: ([], 0) for key in keys}
    if keys and may_list(relation.mapper.class_):
        width = len(keys[0])
        own = bound(relation.mapper.class_)
        is_common = own is None and width == 1
        statement = _common_statement(relation) if is_common else _statement(relation, own, keys)
        parameters = {"keys": [key[0] for key in keys]} if is_common else {}
        for row in db.session.execute(statement, parameters).unique():
            key = tuple(row[1 : 1 + width])
            found[key] = ([*found[key][0], row[0]], row[-1])
    return {key: Several(items, total, _list_url(relation, key)) for key, (items, total) in found.items()}


@lru_cache(maxsize=1000)
def _common_statement(relation: RelationshipProperty[Any]) -> Any:
    """Return the statement for keys of one column where all related rows are public: it is built once."""
    return _statement(relation, None, None)


def _statement(
    relation: RelationshipProperty[Any],
    own: ColumnElement[bool] | None,
    keys: Sequence[tuple[Any, ...]] | None,
) -> Any:
    """Return the SELECT of the first related rows of each row.

    :param own: the condition for the related rows that the current identity may list
    :param keys: of the rows; ``None`` for those that the parameter ``keys`` gives
    """
    target = relation.mapper.class_
    parent: Any = aliased(relation.parent.class_)
    columns = [getattr(parent, attribute_of(relation.parent.class_, column)) for column in relation.parent.primary_key]
    own_key = [getattr(target, attribute_of(target, column)) for column in relation.mapper.primary_key]
    place = sa.func.row_number().over(partition_by=columns, order_by=_order(relation, own_key))
    total = sa.func.count().over(partition_by=columns)
    wanted = [column.label(f"p{number}") for number, column in enumerate(columns)]
    wanted += [column.label(f"k{number}") for number, column in enumerate(own_key)]
    select = sa.select(*wanted, place.label("place"), total.label("total")).select_from(parent)
    select = select.join(getattr(parent, relation.key)).where(_with_keys(columns, keys))
    # The window is over the rows that may be listed: the condition stands within.
    numbered = (select if own is None else select.where(own)).subquery()
    match = sa.and_(*(column == numbered.c[f"k{number}"] for number, column in enumerate(own_key)))
    parts = [numbered.c[f"p{number}"] for number in range(len(columns))]
    outer = sa.select(target, *parts, numbered.c.total).join(numbered, match).where(numbered.c.place <= SHOWN)
    return outer.order_by(*parts, numbered.c.place)


def _with_keys(columns: Sequence[Any], keys: Sequence[tuple[Any, ...]] | None) -> Any:
    given: sa.BindParameter[Any] = sa.bindparam("keys", expanding=True)
    return columns[0].in_(given) if keys is None else among(columns, keys)


def _order(relation: RelationshipProperty[Any], own: Sequence[Any]) -> list[Any]:
    """Return the order of the relationship; what it takes from the table between has another name here."""
    tables = set(relation.mapper.tables)
    declared = [one for one in relation.order_by or () if {*_tables(one)} <= tables]
    return [*declared, *own]


def _tables(order: Any) -> list[Any]:
    return [column.table for column in sa.sql.visitors.iterate(order) if isinstance(column, sa.Column)]


def _list_url(relation: RelationshipProperty[Any], key: tuple[Any, ...]) -> str | None:
    """Return the list of the other model, filtered to what belongs to a row."""
    if len(key) != 1:
        return None
    model = relation.mapper.class_
    pairs = relation.local_remote_pairs or ()
    if relation.direction is ONETOMANY and len(pairs) == 1 and pairs[0][0].primary_key:
        filtered = attribute_of(model, pairs[0][1])
        url = list_of(model, filtered, key[0])
        if url is not None:
            return url
    (column,) = relation.parent.primary_key
    own = attribute_of(relation.parent.class_, column)
    back = relation.back_populates or relation.backref
    return list_of(model, f"{back}.{own}", key[0]) if isinstance(back, str) else None


@dataclass(frozen=True)
class Related:
    """The rows of one relationship.

    :param name: of the relationship
    :param more: how many others there are besides these
    :param url: of the list of all of them; ``None`` if there is no such list
    """

    name: str
    items: Sequence[Any]
    more: int
    url: str | None


def related(item: Any) -> list[Related]:
    """Return what belongs to a row, for each of its one-to-many relationships that may be listed."""
    relations = sa.inspect(type(item)).relationships
    hidden = hidden_attributes(type(item))
    names = [
        relation.key
        for relation in relations
        if relation.direction is ONETOMANY and relation.uselist
        if relation.key not in hidden and may_list(relation.mapper.class_)
    ]
    shown = Shown(type(item), [item], names)
    found = {name: shown(item, name) for name in names}
    return [Related(name, sorted(one.items, key=str), one.others, one.url) for name, one in found.items()]
