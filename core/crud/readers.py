"""Rows that exist for the current identity: one definition, by which every face reads and refers to rows.

The rows of a model are those that its verbs give: their :meth:`Crud.select`, and of these the ones that their read
policy allows. They are the verbs that a face of this application serves, else the first that were made. A model
without verbs is public.
"""

from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from weakref import WeakKeyDictionary
from weakref import ref

import sqlalchemy as sa
from flask import Flask
from flask import current_app
from flask import g
from flask.sansio.app import App
from sqlalchemy import ColumnElement
from sqlalchemy.orm import defer
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.interfaces import ORMOption

from services import db

from ..access import PUBLIC
from ..access import Policy
from ..access import allowed
from ..access import condition
from ..access import identity
from ..fields import relations
from ..fields.columns import is_long
from ..platform import platform_of
from .keys import among
from .keys import attribute_of

if TYPE_CHECKING:
    from .verbs import Crud

#: Where a request keeps what it has asked.
_CACHE = "readable_rows"

_first: "WeakKeyDictionary[type[Any], ref[Crud]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Served:
    """The verbs over a model that some face serves.

    :param allow: what any face does with them
    :param writes: verb to the attributes that any face writes with it: ``create`` and ``update``
    """

    verbs: "Crud"
    allow: frozenset[str]
    writes: Mapping[str, frozenset[str]] = field(default_factory=dict)


def init_app(app: Flask) -> None:
    """Let fields of relationships accept the rows that exist for the caller, and refuse others like missing ones."""
    relations.choose_by(app, rows)


def add(verbs: "Crud") -> None:
    """Make the verbs of a model known."""
    known = _first.get(verbs.model)
    if known is None or known() is None:
        _first[verbs.model] = ref(verbs)


def has_verbs(model: type[Any]) -> bool:
    """Return whether some verbs of this process say who may read the rows of a model."""
    return any(known() is not None for one in model.__mro__ if (known := _first.get(one)) is not None)


def policy_of(model: type[Any], verb: str = "get") -> Policy | None:
    """Return who may read the rows of a model; ``None`` if that was never declared.

    :param verb: ``get`` for a row, ``list`` for several
    """
    verbs = verbs_of(model)
    return None if verbs is None else verbs.access.get(verb)


def verbs_of(model: type[Any]) -> "Crud | None":
    """Return the verbs by which the rows of a model are read; ``None`` if it has none."""
    in_use = served()
    for one in model.__mro__:
        if one in in_use:
            return in_use[one].verbs
        known = _first.get(one)
        if known is not None:
            return known()
    return None


def serve(app: App, verbs: "Crud", allow: Iterable[str], writes: Iterable[str] = ()) -> None:
    """Make known that a face serves these verbs; of several objects for one model the first counts.

    :param writes: the attributes that the face takes from outside: the fields of its form or its schema
    """
    known: dict[type[Any], Served] = platform_of(app).served
    found = known.setdefault(verbs.model, Served(verbs, frozenset()))
    if found.verbs is verbs:
        written = {verb: found.writes.get(verb, frozenset()) | {*writes} for verb in {"create", "update"} & {*allow}}
        known[verbs.model] = Served(verbs, found.allow | {*allow}, {**found.writes, **written})


def served(app: App | None = None) -> dict[type[Any], Served]:
    """Return what is served, by model; by default of the current application."""
    found: dict[type[Any], Served] = platform_of(app or current_app).served
    return found


def may_list(model: type[Any]) -> bool:
    """Return whether the current identity may list some of a model's rows at least."""
    policy = policy_of(model, "list")
    return policy is None or allowed(policy)


# --- as SQL -------------------------------------------------------------------------------------


def bound(model: type[Any], verb: str = "list", entity: Any = None) -> ColumnElement[bool] | None:
    """Return the condition for the rows that the current identity may read; ``None`` for all rows.

    :param verb: ``list`` for rows among others, ``get`` for single ones
    :param entity: an alias of the model that the condition is about, in place of the model
    """
    verbs = verbs_of(model)
    if verbs is None:
        return None
    policy = verbs.access.get(verb, PUBLIC)
    if not allowed(policy):
        return sa.false()
    if not verbs.has_own_select:
        own: ColumnElement[bool] | None = condition(policy, model if entity is None else entity)
        return own
    return _among(verbs.visible(verb), verbs.model, model if entity is None else entity)


def _among(rows: sa.Select[Any], model: type[Any], entity: Any) -> ColumnElement[bool]:
    """Return the condition that a row is one of a SELECT's."""
    names = [attribute_of(model, column) for column in sa.inspect(model).primary_key]
    # An alias: without one the inner SELECT would be about the row of the outer one.
    keys = rows.with_only_columns(*(getattr(model, name) for name in names)).order_by(None).subquery()
    here = [getattr(entity, name) for name in names]
    left = here[0] if len(here) == 1 else sa.tuple_(*here)
    among: ColumnElement[bool] = left.in_(sa.select(*keys.c))
    return among


def narrow(select: Any, model: type[Any], verb: str = "list") -> Any:
    """Leave of a SELECT of a model's rows those that the current identity may read."""
    own = bound(model, verb)
    return select if own is None else select.where(own)


def rows(model: type[Any], verb: str = "get") -> sa.Select[Any]:
    """Choose the rows of a model that the current identity may read."""
    selected: sa.Select[Any] = narrow(sa.select(model), model, verb)
    return selected


def load(relation: Any) -> Any:
    """Return the option that reads with each row the related ones that the current identity may read.

    :param relation: ``Product.category``
    """
    prop = relation.property
    own = bound(prop.mapper.class_, "list" if prop.uselist else "get")
    return selectinload(relation if own is None else relation.and_(own))


def without_long(model: type[Any], shown: Container[str] = ()) -> list[ORMOption]:
    """Return the options that leave columns unread whose values may be long; they are read when they are asked for.

    :param shown: attributes that are read nevertheless
    """
    mapper = sa.inspect(model)
    needed = {*mapper.primary_key, mapper.version_id_col}
    columns = [one for one in mapper.column_attrs if one.key not in shown and one.columns[0] not in needed]
    return [defer(one.class_attribute) for one in columns if is_long(one.columns[0])]


# --- of rows that were read ---------------------------------------------------------------------


def may_read(item: Any) -> bool:
    """Return whether the current identity may read a row."""
    return bool(readable([item]))


def readable(items: Iterable[Any]) -> list[Any]:
    """Return those of some rows, of any models, that the current identity may read.

    Where a model has a ``select()`` of its own, the database is asked: once for the rows of each model, and
    for none twice in a request.
    """
    allowed_rows = [item for item in items if _is_allowed(item)]
    asked: dict[type[Any], list[Any]] = {}
    for item in allowed_rows:
        verbs = verbs_of(type(item))
        if verbs is not None and verbs.has_own_select:
            asked.setdefault(type(item), []).append(item)
    missing = {id(item) for model, several in asked.items() for item in _missing(model, several)}
    return [item for item in allowed_rows if id(item) not in missing]


def forget() -> None:
    """Ask the database again which rows exist: some were written."""
    g.pop(_CACHE, None)


def _is_allowed(item: Any) -> bool:
    policy = policy_of(type(item))
    return policy is None or allowed(policy, item)


def _missing(model: type[Any], items: list[Any]) -> list[Any]:
    """Return those of some rows of one model that its ``select()`` does not have."""
    # A row that is not stored yet is the caller's own.
    keys = {id(item): key for item in items if (key := sa.inspect(item).identity) is not None}
    known: dict[Any, bool] = g.setdefault(_CACHE, {}).setdefault((identity().key, model), {})
    unknown = {*keys.values()} - known.keys()
    if unknown:
        found = _existing(model, unknown)
        known.update({key: key in found for key in unknown})
    return [item for item in items if not known.get(keys.get(id(item)), True)]


def _existing(model: type[Any], keys: set[Any]) -> set[Any]:
    columns = [getattr(model, attribute_of(model, column)) for column in sa.inspect(model).primary_key]
    found = narrow(sa.select(*columns), model, "get").where(among(columns, keys))
    with db.session.no_autoflush:
        return {tuple(row) for row in db.session.execute(found)}
