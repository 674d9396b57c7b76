"""Derived declarations: columns of a list, search, filters, orders and access, from a model.

Nothing here asks the database or a request. What a caller may not read is left out when it is shown, see
:mod:`core.access.columns`; a column that is hidden from everyone is not derived at all.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from marshmallow import Schema
from sqlalchemy.orm.interfaces import MANYTOMANY
from sqlalchemy.orm.interfaces import MANYTOONE
from sqlalchemy.orm.interfaces import ONETOMANY

from ..access import Policy
from ..access import permission
from ..crud import readers
from ..crud.names import LONGEST_SORTED
from ..crud.texts import is_text
from ..crud.verbs import VERBS
from ..data.inventory import is_view
from ..data.models import Owned
from ..data.models import Timestamped
from ..fields.columns import is_hidden
from ..fields.columns import is_long
from ..fields.columns import is_number
from ..fields.columns import plain_type
from ..fields.schemas import ModelSchema
from ..fields.schemas import is_read_only
from ..fields.words import words
from .children import Children

#: Columns of a list, at most.
MOST_COLUMNS = 7

#: Columns in which a search looks, at most.
MOST_SEARCHED = 5

#: Verb to the last word of its permission.
PERMISSION_VERBS = {"list": "read", "get": "read", "create": "add", "update": "edit", "delete": "delete"}

_DATES = (sa.Date, sa.DateTime, sa.Time)


def allowed_verbs(model: type[Any]) -> Sequence[str]:
    """Return the verbs that a model can be used with: a view is only read."""
    return ("list", "get") if is_view(sa.inspect(model).local_table) else VERBS


def access(model: type[Any], module: str, declared: Mapping[str, Policy]) -> Mapping[str, Policy]:
    """Return the policies of the verbs: ``<module>.<noun>.read``, ``add``, ``edit`` and ``delete``.

    The owner of a row of an ``Owned`` model may edit and delete it without. No permission is made known that none of
    them asks for.

    :param declared: those that are declared
    """
    prefix = f"{module}.{words(model.__name__).replace(' ', '_')}"
    owner = "owner_key" if issubclass(model, Owned) else None
    return {
        verb: declared[verb]
        if verb in declared
        else permission(f"{prefix}.{PERMISSION_VERBS[verb]}", owner=owner if verb in ("update", "delete") else None)
        for verb in {**dict.fromkeys(allowed_verbs(model)), **declared}
    }


def list_columns(model: type[Any]) -> Sequence[str]:
    """Return what a list shows: short columns as they are declared, a foreign key as the row that it names."""
    mapper = sa.inspect(model)
    pointers = _pointers(mapper)
    found = [pointers.get(name, name) for name, column in _columns(mapper) if not _is_technical(mapper, name, column)]
    names = list(dict.fromkeys(found))[:MOST_COLUMNS]
    return names or [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def details(model: type[Any]) -> Sequence[str]:
    """Return what the page of a row shows: columns but a counted key and the version, and many-to-many links."""
    mapper = sa.inspect(model)
    pointers = _pointers(mapper)
    shown = [
        pointers.get(name, name)
        for name, column in _columns(mapper)
        if column is not mapper.version_id_col and not _is_counted(column)
    ]
    return list(dict.fromkeys([*shown, *_links(mapper)]))


def includes(model: type[Any], children: Sequence[str] = ()) -> Sequence[str]:
    """Return the relationships to one row of the same module, and the children; other lists have no bound."""
    package = model.__module__.rpartition(".")[0]
    single = [
        relation.key
        for relation in sa.inspect(model).relationships
        if not relation.uselist and relation.mapper.class_.__module__.rpartition(".")[0] == package
    ]
    return list(dict.fromkeys([*single, *children]))


def unguarded(model: type[Any], names: Sequence[str]) -> Sequence[str]:
    """Return those of some relationships that lead to rows of which no verbs say who may read them."""
    relations = sa.inspect(model).relationships
    return [name for name in names if not readers.has_verbs(relations[name].mapper.class_)]


def included(model: type[Any], names: Sequence[str]) -> dict[str, type[Schema]]:
    """Return relationships, each with the schema of its rows.

    :raises TypeError: if one is no relationship
    """
    relations = sa.inspect(model).relationships
    unknown = sorted(set(names) - set(relations.keys()))
    if unknown:
        raise TypeError(f"includes: {model.__name__} has no relationship {', '.join(unknown)}")
    return {name: schema(relations[name].mapper.class_) for name in names}


def fields(model: type[Any]) -> Sequence[str]:
    """Return what forms and bodies take: what may be written, as it is declared, a foreign key as its row."""
    mapper = sa.inspect(model)
    pointers = _pointers(mapper)
    written = [
        pointers.get(name, name)
        for name, column in _columns(mapper)
        if not is_read_only(column) and column is not mapper.version_id_col
    ]
    return list(dict.fromkeys((*written, *_links(mapper))))


def schema(model: type[Any], names: Sequence[str] | None = None, children: Sequence[str] = ()) -> type[Schema]:
    """Make the schema of a model, with the keys of many-to-many links.

    :param names: what may be written; by default all that may
    :param children: the one-to-many relationships whose rows are written with it
    :raises TypeError: if one of these is no such relationship
    """
    mapper = sa.inspect(model)
    left_out = [relation.key for relation in mapper.relationships if relation.key not in _links(mapper)]
    if names is not None:
        pointers = _pointers(mapper)
        writable = [name for name, column in _columns(mapper) if not is_read_only(column)]
        left_out += [name for name in (*writable, *_links(mapper)) if not {name, pointers.get(name)} & set(names)]
    left_out = [name for name in dict.fromkeys(left_out) if name not in children]
    meta = type("Meta", (), {"model": model, "include_relationships": True, "exclude": tuple(left_out)})
    fields = {name: Children(*_child(mapper, name)) for name in children}
    return type(f"{model.__name__}Schema", (ModelSchema,), {"Meta": meta, "__module__": model.__module__, **fields})


def _child(mapper: Any, name: str) -> tuple[Any, Schema]:
    """Return a one-to-many relationship, and the schema of its rows without what says whose they are."""
    relation = mapper.relationships.get(name)
    if relation is None or relation.direction is not ONETOMANY or relation.viewonly:
        raise TypeError(f"children: {mapper.class_.__name__} has no one-to-many relationship {name}")
    pointing = {relation.mapper.get_property_by_column(column).key for _, column in relation.local_remote_pairs}
    target = relation.mapper.class_
    keys = {relation.mapper.get_property_by_column(column).key for column in relation.mapper.primary_key}
    if not relation.uselist or keys <= pointing:
        raise TypeError(
            f"children: {mapper.class_.__name__}.{name} has one row at most: write it by a resource of its own"
        )
    rows = schema(target)
    # The columns of the foreign key may be hidden.
    return relation, rows(exclude=pointing & rows().fields.keys())


def search(model: type[Any]) -> Sequence[str]:
    """Return the columns in which a search looks: short texts that people write."""
    found = (name for name, column in _columns(sa.inspect(model)) if is_text(column) and not is_long(column))
    return tuple(found)[:MOST_SEARCHED]


def filters(model: type[Any]) -> Mapping[str, Sequence[str]]:
    """Return the filters, each with the operators that suit the type of its column."""
    mapper = sa.inspect(model)
    found = {name: operators for name, column in _columns(mapper) if (operators := _operators(mapper, column))}
    for name in _links(mapper):
        target = mapper.relationships[name].mapper
        found[f"{name}.{target.get_property_by_column(target.primary_key[0]).key}"] = ("eq",)
    return found


def sorts(model: type[Any]) -> Sequence[str]:
    """Return the columns by which a list may be sorted: those that an index begins with."""
    mapper = sa.inspect(model)
    table = mapper.local_table
    indexed = {column for column in table.columns if column.index or column.unique}
    for constraint in (*table.indexes, *_unique(table)):
        indexed |= set(list(constraint.columns)[:1])
    indexed |= set(list(mapper.primary_key)[:1])
    return tuple(name for name, column in _columns(mapper) if column in indexed and _is_sortable(column))


def _unique(table: Any) -> Iterator[Any]:
    yield from (one for one in table.constraints if isinstance(one, sa.UniqueConstraint | sa.PrimaryKeyConstraint))


def _is_sortable(column: Any) -> bool:
    type_ = plain_type(column)
    if is_text(column):
        return 0 < (type_.length or 0) <= LONGEST_SORTED
    # A Float has too few digits on MariaDB for a cursor.
    return (type(type_) is not sa.Float and isinstance(type_, (*_DATES, sa.Uuid, sa.Enum))) or is_number(column)


def _operators(mapper: Any, column: Any) -> Sequence[str]:
    type_ = plain_type(column)
    empty = ("isnull",) if column.nullable else ()
    if column.foreign_keys or isinstance(type_, sa.Enum):
        return ("eq", "in", *empty)
    if isinstance(type_, sa.Boolean):
        return ("eq", *empty)
    if isinstance(type_, sa.Float):
        return ("gte", "lte", *empty)
    if column.primary_key or column is mapper.version_id_col:
        return ()
    if is_number(column) or isinstance(type_, _DATES):
        return ("eq", "gte", "lte", *empty)
    return ("eq", "in", "contains", *empty) if is_text(column) and not is_long(column) else ()


def _is_technical(mapper: Any, name: str, column: Any) -> bool:
    """Return whether a column says nothing to who reads a list: a counted key, a version, a long text."""
    is_stamp = issubclass(mapper.class_, Timestamped) and name in ("created_at", "updated_at")
    return _is_counted(column) or is_stamp or is_long(column) or column is mapper.version_id_col


def _is_counted(column: Any) -> bool:
    """Return whether a column is a number that the database counts up, which says nothing to people."""
    return column is column.table.autoincrement_column


def _columns(mapper: Any) -> Iterator[tuple[str, Any]]:
    """Yield the columns that some caller may read, as they are declared."""
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        if isinstance(column, sa.Column) and not is_hidden(column):
            yield attribute.key, column


def _pointers(mapper: Any) -> Mapping[str, str]:
    """Return the foreign keys of one column, each with the relationship that shows its row."""
    return {
        mapper.get_property_by_column(next(iter(relation.local_columns))).key: relation.key
        for relation in mapper.relationships
        if relation.direction is MANYTOONE and len(relation.local_columns) == 1 and not relation.viewonly
    }


def _links(mapper: Any) -> Sequence[str]:
    """Return the many-to-many relationships whose links are written with the row."""
    return [
        relation.key
        for relation in mapper.relationships
        if relation.direction is MANYTOMANY
        and not relation.viewonly
        and relation.lazy not in ("dynamic", "write_only")
        and len(relation.mapper.primary_key) == 1
    ]
