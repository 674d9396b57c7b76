"""Rows that belong to a row and are written with it: the lines of an invoice.

An array replaces what is there: an entry with a key changes that row, one without a key is added, and rows that are
not named are deleted. An object changes only the rows that it names: ``{"12": {…}, "13": null, "+new": {…}}``. All of
it is one transaction and, with the parent, one version. No HTTP.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from marshmallow import Schema
from marshmallow import ValidationError
from marshmallow import fields
from sqlalchemy.exc import DataError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm import with_parent

from services import db

from ..crud import integrity
from ..crud import readers
from ..crud.verbs import Crud
from ..exceptions import Invalid
from ..fields.columns import make_field
from ..fields.json_schema import json_schema
from ..fields.strict import from_text
from ..rest.projections import Visible

#: Rows of one parent that a body replaces or names, at most.
MOST = 200

#: Begins the name of a new row in an object.
NEW = "+"


@dataclass(frozen=True)
class Entry:
    """One row as it was sent.

    :param place: of the entry in the array, or its name in the object
    :param key: the values of the row's own key; empty for a new row that gets one
    :param values: what is to be written; ``None`` to delete the row
    :param is_new: whether its name in the object begins with :data:`NEW`
    """

    place: str
    key: tuple[Any, ...]
    values: Mapping[str, Any] | None
    is_new: bool = False


@dataclass(frozen=True)
class Entries:
    """The rows of one parent as they were sent.

    :param replaces: whether rows that are not named are deleted
    """

    replaces: bool
    entries: list[Entry] = field(default_factory=list)


class Children(fields.Field[Entries]):
    """Reads the children of a row from JSON.

    :param relation: the one-to-many relationship
    :param schema: of the children, without the attributes that point to the parent
    """

    def __init__(self, relation: RelationshipProperty[Any], schema: Schema, **options: Any) -> None:
        super().__init__(load_only=True, **options)
        mapper = relation.mapper
        self.visible = Visible(schema, mapper.class_)
        pointing = {mapper.get_property_by_column(column).key for _, column in relation.local_remote_pairs or ()}
        names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        #: The key of a child within its parent: attributes, each with the field that reads it.
        self.keys = {name: make_field(mapper.columns[name]) for name in names if name not in pointing}
        #: True if the database makes the key of a new row.
        self.is_numbered = all(name not in schema.load_fields for name in self.keys)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Entries:
        if isinstance(value, list | dict) and len(value) > MOST:
            if isinstance(value, list):
                raise ValidationError(
                    gettext("At most %(most)s rows at once: name those that change by an object.", most=MOST)
                )
            raise ValidationError(gettext("At most %(most)s rows at once.", most=MOST))
        if isinstance(value, list):
            return Entries(True, self._read_all([(str(place), None, one) for place, one in enumerate(value)]))
        if isinstance(value, dict):
            return Entries(False, self._read_all([(name, name, one) for name, one in value.items()]))
        raise ValidationError(gettext("Give an array of rows, or an object of rows by their keys."))

    def _read_all(self, sent: list[tuple[str, str | None, Any]]) -> list[Entry]:
        found: list[Entry] = []
        errors: dict[Any, Any] = {}
        for place, name, one in sent:
            try:
                entry = self._read(place, name, one)
                if entry.key and any(entry.key == other.key for other in found):
                    raise ValidationError({next(iter(self.keys)): [gettext("Another row here has the same key.")]})
                found.append(entry)
            except ValidationError as error:
                errors[place if name is not None else int(place)] = error.messages
        if errors:
            raise ValidationError(errors)
        return found

    def _read(self, place: str, name: str | None, one: Any) -> Entry:
        if name is not None and not name.startswith(NEW):
            key = self._named(name)
            return Entry(place, key, None if one is None else self.visible.schema().load(one, partial=True))
        if not isinstance(one, dict):
            raise ValidationError(gettext("Give a JSON object."))
        given = {key: one[key] for key in self.keys if key in one}
        if name is not None:
            # A new row cannot take the number of another one.
            key = self._key(given) if not self.is_numbered and len(given) == len(self.keys) else ()
            return Entry(place, key, self.visible.schema().load(one), is_new=True)
        key = self._key(given) if len(given) == len(self.keys) else ()
        if self.is_numbered:
            one = {key: value for key, value in one.items() if key not in given}
        return Entry(place, key, self.visible.schema().load(one, partial=bool(key) and self.is_numbered))

    def _named(self, text: str) -> tuple[Any, ...]:
        """Read the key of a row from the name of its entry."""
        if len(self.keys) > 1:
            raise ValidationError(gettext("Rows with a key of several columns are given in an array."))
        return tuple(from_text(reader, text) for reader in self.keys.values())

    def _key(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        errors, found = {}, []
        for name, reader in self.keys.items():
            try:
                found.append(reader.deserialize(given[name]))
            except ValidationError as error:
                errors[name] = error.messages
        if errors:
            raise ValidationError(errors)
        return tuple(found)

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return an array of rows, or an object of rows by their keys."""
        named = self.visible.schema().load_fields
        properties = {one.data_key or name: json_schema(one) for name, one in named.items()}
        needed = [one.data_key or name for name, one in named.items() if one.required]
        keys = {name: json_schema(one) for name, one in self.keys.items()}
        row = {"type": "object", "properties": {**keys, **properties}, "additionalProperties": False}
        # An entry with a key changes a row, and may leave out the rest.
        whole = row if self.is_numbered or not needed else {**row, "required": needed}
        changes = {"type": ["object", "null"], "properties": properties, "additionalProperties": False}
        return {
            "oneOf": [
                {"type": "array", "maxItems": MOST, "items": whole},
                {"type": "object", "maxProperties": MOST, "additionalProperties": changes},
            ]
        }


class ChildWriter:
    """Writes the children of one relationship, by their own verbs where a face serves them."""

    def __init__(self, relation: RelationshipProperty[Any], children: Children) -> None:
        self.relation = relation
        self.model = relation.mapper.class_
        self.children = children
        #: Attribute of the parent to that of the child which points to it.
        self.pairs = [
            (relation.parent.get_property_by_column(own).key, relation.mapper.get_property_by_column(remote).key)
            for own, remote in relation.local_remote_pairs or ()
        ]

    def write(self, parent: Any, given: Entries) -> bool:
        """Write the children of a stored row, and return whether there was anything to do.

        :raises Invalid: naming the entries at fault: ``lines.2.quantity``
        :raises Forbidden: if the current identity may not do that with the children
        """
        verbs = readers.verbs_of(self.model) or _plain(self.model)
        pointers = {remote: getattr(parent, own) for own, remote in self.pairs}
        there = self._stored(parent, given)
        self._refuse_unknown(given, there)
        kept = {entry.key for entry in given.entries if entry.values is not None}
        gone = [row for key, row in there.items() if key not in kept]
        # Deleted first, so that a new row may take the place of an old one under a unique constraint.
        for row in gone:
            verbs.delete(row)
        self._make_room(pointers, given, there)
        for entry in given.entries:
            if entry.values is None:
                continue
            with self._placed(entry):
                if entry.key in there:
                    verbs.update(there[entry.key], entry.values)
                else:
                    verbs.create({**entry.values, **pointers})
        db.session.expire(parent, [self.relation.key])
        return bool(gone or given.entries)

    def _stored(self, parent: Any, given: Entries) -> dict[tuple[Any, ...], Any]:
        """Return by key those of the parent's rows that are concerned, and that the current identity may read."""
        columns = [getattr(self.model, name) for name in self.children.keys]
        # The relationship may have a condition beyond its foreign key.
        select = readers.rows(self.model).where(with_parent(parent, self.relation.class_attribute))
        if not given.replaces:
            named = (zip(columns, entry.key, strict=True) for entry in given.entries if entry.key)
            select = select.where(sa.or_(sa.false(), *(sa.and_(*(one == part for one, part in key)) for key in named)))
        rows = db.session.scalars(select.limit(MOST + 1)).unique().all()
        if len(rows) > MOST:
            message = gettext("There are more than %(most)s rows: name those that change by an object.", most=MOST)
            raise Invalid({self.relation.key: [message]})
        return {tuple(getattr(row, name) for name in self.children.keys): row for row in rows}

    def _refuse_unknown(self, given: Entries, there: Mapping[tuple[Any, ...], Any]) -> None:
        """Refuse unknown keys of existing rows, and known keys of new rows."""
        may_be_new = given.replaces and not self.children.is_numbered
        errors = {}
        for entry in given.entries:
            message = ""
            if entry.is_new and entry.key in there:
                message = gettext("This row exists already: name it by its key.")
            elif entry.key and entry.key not in there and not (may_be_new or entry.is_new):
                message = gettext("There is no such row here.")
            if message:
                errors[f"{self.relation.key}.{entry.place}.{next(iter(self.children.keys))}"] = [message]
        if errors:
            raise Invalid(errors)

    def _make_room(self, pointers: Mapping[str, Any], given: Entries, there: Mapping[tuple[Any, ...], Any]) -> None:
        """Give the rows that change places higher numbers first: a unique constraint is checked row by row."""
        for name in self._places:
            moved = {
                entry.key: entry.values[name]
                for entry in given.entries
                if entry.values is not None and name in entry.values and entry.key in there
                if entry.values[name] != getattr(there[entry.key], name)
            }
            taken = {getattr(there[key], name) for key in moved}
            if not taken & set(moved.values()):
                continue
            siblings = [getattr(self.model, one) == value for one, value in pointers.items()]
            highest = db.session.scalar(sa.select(sa.func.max(getattr(self.model, name))).where(*siblings))
            free = max(number for number in (highest, *moved.values()) if number is not None) + 1
            with _unless_refused(), db.session.begin_nested():
                for number, key in enumerate(moved, free):
                    own = zip(self.children.keys, key, strict=True)
                    is_own = [getattr(self.model, one) == part for one, part in own]
                    update = sa.update(self.model).where(*siblings, *is_own).values({name: number})
                    db.session.execute(update, execution_options={"synchronize_session": False})

    @cached_property
    def _places(self) -> list[str]:
        """The whole numbers that a unique constraint keeps apart among the children of one parent."""
        mapper, pointing = self.relation.mapper, {remote for _, remote in self.pairs}
        table: Any = mapper.local_table
        unique = [one for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
        unique += [one for one in table.indexes if one.unique]
        found = [{mapper.get_property_by_column(column).key for column in one.columns} for one in unique]
        names = {name for known in found if known & pointing for name in known - pointing}
        return sorted(name for name in names if isinstance(mapper.columns[name].type, sa.Integer))

    @contextmanager
    def _placed(self, entry: Entry) -> Iterator[None]:
        """Prefix the names in errors with the place of the entry."""
        try:
            yield
        except Invalid as error:
            place = f"{self.relation.key}.{entry.place}"
            named = {f"{place}.{name}" if name else place: texts for name, texts in error.errors.items()}
            raise Invalid(named) from error


@contextmanager
def _unless_refused() -> Iterator[None]:
    """Continue if a CHECK or a type refuses a number: the rows themselves then report the conflict."""
    try:
        yield
    except (IntegrityError, DataError, OverflowError):
        pass
    except OperationalError as error:
        if not integrity.is_refusal(error):
            raise


def _plain(model: type[Any]) -> Crud:
    """Return verbs of a model that no face serves: its rows are written with their parent only."""
    verbs: Crud = type(f"{model.__name__}Rows", (Crud,), {"model": model})()
    return verbs
