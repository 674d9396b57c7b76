"""Schemas made from models: what may be read, and what may be written.

``class ProductSchema(ModelSchema)`` with a ``Meta.model`` has a strict field for every column.
The primary key, columns with ``info={"read_only": True}`` and the version are only dumped: a body
that names them is refused, like one with an unknown field. ``info`` may also hold ``label`` and
``description`` for people, ``min`` and ``max`` for numbers; forms read the same keys. An ``example``
is for the API's document.

With ``include_relationships = True`` in its ``Meta`` a schema also has the relationships, as the
keys of the related rows; see :mod:`core.fields.relations`.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from marshmallow import Schema
from marshmallow import fields
from marshmallow import validate
from marshmallow_sqlalchemy import ModelConverter
from marshmallow_sqlalchemy.schema import SQLAlchemyAutoSchemaOpts
from sqlalchemy.orm import ColumnProperty
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.interfaces import ONETOMANY
from sqlalchemy.sql.base import ExecutableOption

from services import ma

from .columns import field_class
from .columns import is_hidden
from .columns import not_blank
from .relations import Related
from .strict import require_visible


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
        # The mapper has relationships before columns.
        return dict(sorted(found.items(), key=lambda pair: isinstance(pair[1], Related)))

    def property2field(self, prop: Any, **options: Any) -> Any:
        """Make the field of one attribute.

        :return: ``None`` for a relationship that is too long to be read as a whole, and for what is never shown
        """
        field_class, instance = options.pop("field_class", None), options.pop("instance", True)
        if isinstance(prop, ColumnProperty) and is_hidden(prop.columns[0]):
            return None
        if not isinstance(prop, RelationshipProperty) or field_class or not instance:
            return super().property2field(prop, field_class=field_class, instance=instance, **options)
        if prop.lazy in ("dynamic", "write_only"):
            return None
        return Related(prop, **{**_relation_kwargs(prop), **options})

    def _get_field_class_for_column(self, column: sa.Column[Any]) -> type[fields.Field[Any]]:
        return field_class(column)[0]

    def _add_column_kwargs(self, kwargs: dict[str, Any], column: sa.Column[Any]) -> None:
        super()._add_column_kwargs(kwargs, column)
        chosen = field_class(column)[1]
        # The length, the choices and the places stand in ours as well; once is enough.
        kwargs.pop("places", None)
        kwargs |= {**chosen, "validate": [*chosen.get("validate", [])]}
        if not isinstance(column, sa.Column):
            # An expression of SQL, which is only shown.
            kwargs["allow_none"] = True
            return
        if not_blank(column):
            kwargs["validate"] = [require_visible, *kwargs["validate"]]
        if "min" in column.info or "max" in column.info:
            kwargs["validate"].append(validate.Range(column.info.get("min"), column.info.get("max")))
        if is_read_only(column):
            kwargs |= {"dump_only": True, "required": False}
        for name in ("label", "description", "example"):
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
    return counted or (column.primary_key and made) or _is_computed(column)


def _is_computed(column: sa.Column[Any]) -> bool:
    """Return whether the database refuses any other value than its own."""
    return column.computed is not None or (column.identity is not None and bool(column.identity.always))


class ModelSchemaOpts(SQLAlchemyAutoSchemaOpts):
    """The defaults of :class:`ModelSchema`: our converter, foreign keys included, dicts loaded."""

    def __init__(self, meta: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(meta, *args, **kwargs)  # type: ignore[no-untyped-call]  # it has no types
        self.model_converter = getattr(meta, "model_converter", Converter)
        self.include_fk = getattr(meta, "include_fk", True)


class ModelSchema(ma.SQLAlchemyAutoSchema):  # type: ignore[name-defined,misc]  # made at run time
    """The base of the schemas of models."""

    OPTIONS_CLASS = ModelSchemaOpts

    def load(self, data: Any, **options: Any) -> Any:
        """Check the data and give a dict of it, never an instance."""
        # marshmallow-sqlalchemy 1.6 reads the version of an installed package from the disk at every load: 400 µs.
        return Schema.load(self, data, **options)


def loads(schema: Schema, model: type[Any], load: Callable[[Any], Any] = selectinload) -> list[ExecutableOption]:
    """Return what to read with the rows, so that a schema shows each relationship of all of them by one query.

    :param load: makes the option of a relationship
    """
    relations = sa.inspect(model).relationships
    found: list[ExecutableOption] = []
    for name, field in schema.dump_fields.items():
        relation = relations.get(field.attribute or name)
        if relation is None or relation.lazy in ("dynamic", "write_only"):
            continue
        option = load(relation.class_attribute)
        keys = [getattr(field.model, key) for key in field.keys] if isinstance(field, Related) else []
        found.append(option.load_only(*keys) if keys else option)
    return found
