"""The rows that belong to a row, as its page shows them: the first few, and the way to all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm.interfaces import ONETOMANY

from ..access import hidden_attributes
from ..crud.readers import may_list
from .several import Shown


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
