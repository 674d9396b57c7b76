"""The rows that belong to a row, as its page shows them: the first few, and the way to all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm import with_parent
from sqlalchemy.orm.interfaces import ONETOMANY

from services import db

from ..crud.readers import may_list
from ..crud.readers import narrow
from .model_pages import list_of

#: How many of them are shown.
SHOWN = 10


@dataclass(frozen=True)
class Related:
    """The rows of one relationship.

    :param name: of the relationship
    :param more: whether there are others besides these
    :param url: of the list of all of them; ``None`` if there is no such list
    """

    name: str
    items: Sequence[Any]
    more: bool
    url: str | None


def related(item: Any) -> list[Related]:
    """Return what belongs to a row, for each of its one-to-many relationships that whoever is asking may list."""
    relations = sa.inspect(type(item)).relationships
    return [
        _read(item, relation)
        for relation in relations
        if relation.direction is ONETOMANY and may_list(relation.mapper.class_)
    ]


def _read(item: Any, relation: RelationshipProperty[Any]) -> Related:
    model = relation.mapper.class_
    belongs = with_parent(item, relation.class_attribute)
    select = narrow(sa.select(model), model).where(belongs).order_by(*relation.mapper.primary_key).limit(SHOWN + 1)
    rows = list(db.session.scalars(select))
    return Related(relation.key, sorted(rows[:SHOWN], key=str), len(rows) > SHOWN, _list_url(item, relation))


def _list_url(item: Any, relation: RelationshipProperty[Any]) -> str | None:
    """Return the list of the other model, filtered by its key to this row."""
    pairs = relation.local_remote_pairs or ()
    if len(pairs) != 1:
        return None
    ((_, column),) = pairs
    filtered = relation.mapper.get_property_by_column(column).key
    return list_of(relation.mapper.class_, filtered, sa.inspect(item).identity[0])
