"""The consequences of a deletion: rows that go with it, rows that lose their link to it, and rows that prevent it.

The ORM decides where the model has a relationship that says so, else the foreign key of the other table. Rows are only
counted, up to a limit; those that the current identity may not list are "other rows".
"""

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from sqlalchemy.orm.interfaces import MANYTOONE
from sqlalchemy.orm.interfaces import ONETOMANY

from services import db

from ..fields.words import derived
from ..fields.words import plural
from ..fields.words import words
from . import readers

#: Effects of deleting a row.
EFFECTS = DELETED, UNLINKED, PREVENTS = ("deleted", "unlinked", "prevents")

#: Rows are counted up to this many.
MOST = 100
#: How many steps a deletion is followed: rows of rows of rows.
DEEPEST = 4

#: Returns the condition for the rows of a table that are meant.
Condition = Callable[[Any], Any]
#: An effect, the mapper of the rows that it concerns, and which of them.
Reached = tuple[str, Any, Condition]


@dataclass(frozen=True)
class Consequence:
    """The effect of a deletion on the rows of one model.

    :param effect: ``deleted``, ``unlinked`` or ``prevents``
    :param model: whose rows; ``None`` for those that may not be named
    :param number: how many there are, up to :data:`MOST` and one more; 0 where the number is not given
    """

    effect: str
    model: type[Any] | None
    number: int = 0

    def __str__(self) -> str:
        if self.model is None:
            return gettext("other rows")
        one = words(self.model.__name__)
        if self.number == 1:
            return f"1 {derived(one, self.model)}"
        several = derived(plural(one), self.model)
        if self.number > MOST:
            return gettext("over %(number)s %(nouns)s", number=MOST, nouns=several)
        return f"{self.number} {several}"


def consequences(item: Any) -> list[Consequence]:
    """Return what the deletion of a row does, each model once for each effect."""
    reached: dict[tuple[str, Any], list[Condition]] = {}
    for effect, other, condition in _follow(item):
        reached.setdefault((effect, other), []).append(condition)
    found: list[Consequence] = []
    unnamed: dict[str, Consequence] = {}
    for (effect, other), conditions in reached.items():
        named, others = _count(item, other, conditions)
        if named:
            found.append(Consequence(effect, other.class_, named))
        if others:
            unnamed[effect] = Consequence(effect, None)
    return [*found, *unnamed.values()]


def _follow(item: Any) -> Iterator[Reached]:
    mapper = sa.inspect(type(item))
    yield from _with_it(item, mapper)
    yield from _links(item, mapper)
    yield from _below(mapper, _is(item), DEEPEST)


def _is(item: Any) -> Condition:
    key = [*zip(sa.inspect(type(item)).primary_key, sa.inspect(item).identity, strict=True)]

    def condition(table: Any) -> Any:
        known = [table.c[column.key] == value for column, value in key if column.key in table.c]
        return sa.and_(*known) if known else sa.false()

    return condition


def _with_it(item: Any, mapper: Any) -> Iterator[Reached]:
    """Yield the rows that it points to, where these belong to it alone."""
    for relation in mapper.relationships:
        if relation.direction is MANYTOONE and relation.cascade.delete:
            other = getattr(item, relation.key)
            if other is not None:
                yield DELETED, relation.mapper, _is(other)


def _below(mapper: Any, meant: Condition, steps: int) -> Iterator[Reached]:
    """Yield what becomes of the rows that point to the meant rows of a model, and so on."""
    for constraint in _pointing_to(mapper):
        other = _mapper_of(mapper, constraint.table)
        if other is None or _is_same_row(other, constraint):
            continue
        effect, condition = _effect(mapper, constraint), _pointing(constraint, meant)
        if not _number(_rows(other, condition), 1):
            continue
        yield effect, other, condition
        if effect == DELETED and steps:
            yield from _below(other, condition, steps - 1)


def _links(item: Any, mapper: Any) -> Iterator[Reached]:
    """Yield what becomes of the rows that are linked by a table between."""
    own = {one.secondary: one for one in mapper.relationships if one.secondary is not None and not one.viewonly}
    for constraint in _pointing_to(mapper):
        table = constraint.table
        others = [one for one in table.foreign_key_constraints if one is not constraint]
        other = _mapper_of(mapper, others[0].referred_table) if len(others) == 1 else None
        if _mapper_of(mapper, table) is not None or other is None:
            continue
        if table in own:
            # The ORM removes the links, and what they lead to only if the relationship says so.
            effect = DELETED if own[table].cascade.delete else UNLINKED
        else:
            effect = _of_database(constraint, deletes=UNLINKED)
        yield effect, other, _pointed(others[0], table, _matches(constraint, table, item))


def _pointing_to(mapper: Any) -> list[Any]:
    """Return the foreign keys of this database that lead to a model's tables."""
    tables = set(mapper.tables)
    found = [
        constraint
        for table in mapper.local_table.metadata.tables.values()
        for constraint in sorted(table.foreign_key_constraints, key=lambda one: one.column_keys)
        if constraint.referred_table in tables
    ]
    # Another application of this process may have modules that this one has not.
    inspector = sa.inspect(db.session.connection(bind_arguments={"mapper": mapper}))
    there = {table for table in {one.table for one in found} if inspector.has_table(table.name, schema=table.schema)}
    return [constraint for constraint in found if constraint.table in there]


def _is_same_row(other: Any, constraint: Any) -> bool:
    """Return whether a foreign key joins the parts of one row that has several tables: of a subclass."""
    return other.inherits is not None and set(constraint.columns) <= set(constraint.table.primary_key)


def _mapper_of(mapper: Any, table: Any) -> Any:
    """Return the mapper of a table; ``None`` for one that only links others."""
    found = (one for one in mapper.registry.mappers if one.local_table is table)
    return next(found, None)


def _effect(mapper: Any, constraint: Any) -> str:
    """Return what becomes of the rows of a foreign key: the relationship says, else the database."""
    if any(one.secondary is constraint.table and not one.viewonly for one in mapper.relationships):
        # The ORM removes the rows of a table between, also where they have a model of their own.
        return DELETED
    columns = set(constraint.columns)
    relations = [
        one
        for one in mapper.relationships
        if one.direction is ONETOMANY and not one.viewonly and set(one.remote_side) == columns
    ]
    for relation in relations:
        if relation.cascade.delete:
            return DELETED
        if not relation.passive_deletes:
            # The ORM takes the row out of those that point to it.
            return UNLINKED if all(column.nullable for column in columns) else PREVENTS
    return _of_database(constraint, deletes=DELETED)


def _of_database(constraint: Any, *, deletes: str) -> str:
    rule = (constraint.ondelete or "").upper()
    if rule == "CASCADE":
        return deletes
    return UNLINKED if rule in ("SET NULL", "SET DEFAULT") else PREVENTS


def _pairs(constraint: Any) -> list[tuple[Any, Any]]:
    return [(element.parent, element.column) for element in constraint.elements]


def _matches(constraint: Any, table: Any, item: Any) -> Any:
    mapper = sa.inspect(type(item))
    return sa.and_(
        *(
            table.c[own.key] == getattr(item, mapper.get_property_by_column(referred).key)
            for own, referred in _pairs(constraint)
        )
    )


def _pointing(constraint: Any, meant: Condition) -> Condition:
    """Return the condition for the rows whose foreign key leads to one of the meant."""

    def condition(table: Any) -> Any:
        referred = constraint.referred_table.alias()
        joined = (table.c[own.key] == referred.c[column.key] for own, column in _pairs(constraint))
        return sa.exists().where(*joined, meant(referred))

    return condition


def _pointed(constraint: Any, between: Any, match: Any) -> Condition:
    """Return the condition for the rows to which the matching rows of a table between lead."""

    def condition(table: Any) -> Any:
        joined = (between.c[own.key] == table.c[column.key] for own, column in _pairs(constraint))
        return sa.exists().where(*joined, match)

    return condition


def _count(item: Any, mapper: Any, conditions: list[Condition]) -> tuple[int, bool]:
    """Return how many rows may be named, and whether there are others."""
    model = mapper.class_
    rows = _rows(mapper, *conditions)
    if isinstance(item, model):
        rows = rows.where(sa.not_(_is(item)(mapper.local_table)))
    named = _number(readers.narrow(rows, model)) if readers.may_list(model) else 0
    return named, named <= MOST and _number(rows) > named


def _rows(mapper: Any, *conditions: Condition) -> Any:
    table = mapper.local_table
    rows: Any = sa.select(sa.literal_column("1")).select_from(mapper.class_)
    return rows.where(sa.or_(*(condition(table) for condition in conditions)))


def _number(select: Any, most: int = MOST + 1) -> int:
    few = select.limit(most).subquery()
    return db.session.scalar(sa.select(sa.func.count()).select_from(few)) or 0
