"""Schemas made from models: what may be read, and what may be written.

``class ProductSchema(ModelSchema)`` with a ``Meta.model`` has a strict field for every column.
The primary key, columns with ``info={"read_only": True}`` and the version are only dumped: a body
that names them is refused, like one with an unknown field. ``info`` may also hold ``label`` and
``description`` for people, ``min`` and ``max`` for numbers; forms read the same keys.

With ``include_relationships = True`` in its ``Meta`` a schema also has the relationships, as the
keys of the related rows; see :class:`Related`.
"""

from collections.abc import Hashable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from marshmallow import Schema
from marshmallow import ValidationError
from marshmallow import fields
from marshmallow import validate
from marshmallow_sqlalchemy import ModelConverter
from marshmallow_sqlalchemy.schema import SQLAlchemyAutoSchemaOpts
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.interfaces import ONETOMANY
from sqlalchemy.sql.base import ExecutableOption

from services import db
from services import ma

from .fields import field_class
from .fields import make_field
from .fields import not_blank
from .fields import require_visible
from .words import words

#: Rows that a body may name in one relationship: they are looked up in one query.
MOST_RELATED = 1000


class Related(fields.Field[Any]):
    """The rows that a relationship leads to, by their keys.

    JSON shows the key of each, or an object of its parts where the key has several columns. What
    is loaded are rows that exist; marshmallow-sqlalchemy's field of this name makes a new one of an
    unknown key.
    """

    def __init__(self, relation: RelationshipProperty[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        mapper = relation.mapper
        self.model = mapper.class_
        names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        self.keys = {name: make_field(mapper.columns[name]) for name in names}
        self.many = bool(relation.uselist)
        self.ordered = bool(relation.order_by)
        self.collection = relation.collection_class or list

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if value is None or not self.many:
            return None if value is None else self._shown(value)
        rows = value.values() if isinstance(value, Mapping) else value
        # Rows without an order of their own would come in another one each time.
        return [self._shown(row) for row in (rows if self.ordered else sorted(rows, key=self._key))]

    def _shown(self, row: Any) -> Any:
        parts = {name: field.serialize(name, row) for name, field in self.keys.items()}
        return parts if len(parts) > 1 else next(iter(parts.values()))

    def _key(self, row: Any) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in self.keys)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if self.many and not isinstance(value, list):
            raise ValidationError("Not a valid list.")
        given = value if self.many else [value]
        if len(given) > MOST_RELATED:
            raise ValidationError(f"At most {MOST_RELATED} rows.")
        keys = {self._read(key): key for key in given}
        if len(keys) < len(given):
            raise ValidationError("Name each row once.")
        found = self._find(list(keys))
        unknown = [text for key, text in keys.items() if key not in found]
        if unknown:
            raise ValidationError([f"There is no {words(self.model.__name__)} {text}." for text in unknown])
        rows = [found[key] for key in keys]
        return self.collection(rows) if self.many else rows[0]

    def _read(self, value: Any) -> tuple[Hashable, ...]:
        parts = value if isinstance(value, dict) else {next(iter(self.keys)): value}
        if set(parts) != set(self.keys):
            raise ValidationError(f"Give the key of a row: its {' and '.join(self.keys)}.")
        return tuple(field.deserialize(parts[name]) for name, field in self.keys.items())

    def _find(self, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        if not keys:
            return {}
        columns = [getattr(self.model, name) for name in self.keys]
        among = sa.tuple_(*columns).in_(keys) if len(columns) > 1 else columns[0].in_([key for (key,) in keys])
        # MariaDB finds "a" for "A"; what counts is the key that the row has.
        return {self._key(row): row for row in db.session.scalars(sa.select(self.model).where(among)).unique()}


class Converter(ModelConverter):
    """marshmallow-sqlalchemy's converter with our strict fields and the columns' ``info``."""

    def fields_for_model(self, model: type[Any], **options: Any) -> dict[str, fields.Field[Any]]:
        """Make the fields of a model; of a foreign key and its relationship one is written, the other only shown."""
        found = super().fields_for_model(model, **options)
        mapper = sa.inspect(model)
        for name, field in found.items():
            if isinstance(field, Related) and name not in (options.get("base_fields") or {}):
                columns = mapper.relationships[name].local_columns
                foreign = [mapper.get_property_by_column(column).key for column in columns]
                if not field.many and all(found.get(key) is not None for key in foreign):
                    field.dump_only, field.required = True, False
        return found

    def property2field(self, prop: Any, **options: Any) -> Any:
        """Make the field of one attribute; ``None`` for a relationship that is too long to be read as a whole."""
        if not isinstance(prop, RelationshipProperty) or options.get("field_class"):
            return super().property2field(prop, **options)
        if prop.lazy in ("dynamic", "write_only"):
            return None
        if not options.pop("instance", True):
            return Related
        return Related(prop, **{**_relation_kwargs(prop), **options})

    def _get_field_class_for_column(self, column: sa.Column[Any]) -> type[fields.Field[Any]]:
        chosen = field_class(column)
        return chosen[0] if chosen else super()._get_field_class_for_column(column)

    def _add_column_kwargs(self, kwargs: dict[str, Any], column: sa.Column[Any]) -> None:
        super()._add_column_kwargs(kwargs, column)
        chosen = field_class(column)
        if chosen is not None:
            # The length and the choices stand in ours as well; once is enough.
            kept = [rule for rule in kwargs["validate"] if not isinstance(rule, validate.Length | validate.OneOf)]
            kwargs.pop("places", None)
            kwargs |= {**chosen[1], "validate": [*kept, *chosen[1].get("validate", [])]}
        if not_blank(column):
            kwargs["validate"] = [require_visible, *kwargs["validate"]]
        if "min" in column.info or "max" in column.info:
            kwargs["validate"].append(validate.Range(column.info.get("min"), column.info.get("max")))
        if is_read_only(column):
            kwargs |= {"dump_only": True, "required": False}
        for name in ("label", "description"):
            if name in column.info:
                kwargs["metadata"][name] = column.info[name]


def _relation_kwargs(relation: RelationshipProperty[Any]) -> dict[str, Any]:
    metadata = {name: relation.info[name] for name in ("label", "description") if name in relation.info}
    # The rows on the many side are written by their own foreign key.
    shown = relation.viewonly or relation.direction is ONETOMANY or relation.info.get("read_only")
    if shown or relation.collection_class not in (None, list, set):
        return {"metadata": metadata, "dump_only": True}
    if relation.uselist:
        return {"metadata": metadata, "load_default": relation.collection_class or list}
    if any(column.nullable for column in relation.local_columns):
        return {"metadata": metadata, "load_default": None}
    return {"metadata": metadata, "required": True}


def is_read_only(column: sa.Column[Any]) -> bool:
    """Return whether only the application sets this column."""
    if column.info.get("read_only"):
        return True
    # A key that makes itself: counted by the database, or a UUID by its default.
    made = column.default is not None or column.server_default is not None
    counted = column.table is not None and column is column.table.autoincrement_column
    return counted or (column.primary_key and made)


class ModelSchemaOpts(SQLAlchemyAutoSchemaOpts):
    """The defaults of :class:`ModelSchema`: our converter, foreign keys included, dicts loaded."""

    def __init__(self, meta: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(meta, *args, **kwargs)  # type: ignore[no-untyped-call]
        self.model_converter = getattr(meta, "model_converter", Converter)
        self.include_fk = getattr(meta, "include_fk", True)


class ModelSchema(ma.SQLAlchemyAutoSchema):  # type: ignore[name-defined,misc]
    """The base of the schemas of models."""

    OPTIONS_CLASS = ModelSchemaOpts

    def load(self, data: Any, **options: Any) -> Any:
        """Check the data and give a dict of it, never an instance."""
        # marshmallow-sqlalchemy 1.6 reads the version of an installed package from the disk at every load: 400 µs.
        return Schema.load(self, data, **options)


def loads(schema: Schema, model: type[Any]) -> list[ExecutableOption]:
    """Return what to read with the rows, so that a schema shows each relationship of all of them by one query."""
    relations = sa.inspect(model).relationships
    found: list[ExecutableOption] = []
    for name, field in schema.dump_fields.items():
        relation = relations.get(field.attribute or name)
        if relation is None or relation.lazy in ("dynamic", "write_only"):
            continue
        option = selectinload(relation.class_attribute)
        keys = [getattr(field.model, key) for key in field.keys] if isinstance(field, Related) else []
        found.append(option.load_only(*keys) if keys else option)
    return found
