"""Rows that a foreign key leads to, read by their keys: one query for all of a page, and no entities."""

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from marshmallow import Schema
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.interfaces import MANYTOONE

from services import db

from ..data import cursors
from . import dump
from .statements import Prepared
from .statements import prepare


def make_lookups(model: type[Any], includes: Mapping[str, type[Schema]]) -> dict[str, "Lookup"]:
    """Make the lookups of those relations for which that is all it takes."""
    relations = sa.inspect(model).relationships
    found = {}
    for name, schema in includes.items():
        relation = relations[name]
        plan = dump.plan(schema(), relation.mapper.class_) if _is_by_key(relation) else None
        if plan is not None:
            found[name] = Lookup(relation, plan)
    return found


def _is_by_key(relation: RelationshipProperty[Any]) -> bool:
    """Return whether the other row is found by its primary key alone, in a table that is its model's own."""
    pairs = relation.local_remote_pairs or ()
    if relation.direction is not MANYTOONE or len(pairs) != 1:
        return False
    ((local, remote),) = pairs
    mapper = relation.mapper
    plain = mapper.inherits is None and mapper.polymorphic_on is None
    # Of another type, the driver might give values that are not equal.
    alike = type(local.type) is type(remote.type) and (remote,) == tuple(mapper.primary_key)
    return plain and alike and any(relation.primaryjoin.compare(side) for side in (local == remote, remote == local))


class Lookup:
    """Reads what is shown of rows, by the values that the driver gave for their keys."""

    def __init__(self, relation: RelationshipProperty[Any], plan: dump.Plan) -> None:
        ((self.column, self.key),) = relation.local_remote_pairs or ()
        self.plan = plan
        self._prepared: dict[Any, Prepared] = {}

    def find(self, keys: Iterable[Any]) -> dict[Any, dict[str, Any]]:
        """Return what is shown of the rows with these keys, by key."""
        wanted = list(keys)
        if not wanted:
            return {}
        engine = db.engine
        # A statement for each power of two, not for each number: some keys are asked for twice.
        size = 1 << (len(wanted) - 1).bit_length()
        prepared = self._prepared.get((engine.dialect.name, size))
        if prepared is None:
            prepared = prepare(engine, self._select(size), self.plan, links={"key": self.key})
            # The keys come from the driver, and go back as they are.
            prepared = self._prepared[engine.dialect.name, size] = replace(prepared, binds={})
        wanted += wanted[:1] * (size - len(wanted))
        values = {f"k{number}": key for number, key in enumerate(wanted)}
        rows = cursors.read_rows(engine, prepared.sql, prepared.parameters(values))
        place = prepared.links["key"]
        return {row[place]: prepared.dump(row) for row in rows}

    def _select(self, size: int) -> sa.Select[Any]:
        marks = [sa.bindparam(f"k{number}", type_=self.key.type) for number in range(size)]
        return sa.select(self.key).where(self.key.in_(marks))
