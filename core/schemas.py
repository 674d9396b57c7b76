"""Schemas made from models: what may be read, and what may be written.

``class ProductSchema(ModelSchema)`` with a ``Meta.model`` has a strict field for every column.
The primary key, columns with ``info={"read_only": True}`` and the version are only dumped: a body
that names them is refused, like one with an unknown field. ``info`` may also hold ``label`` and
``description`` for people, ``min`` and ``max`` for numbers; forms read the same keys.
"""

from typing import Any

import sqlalchemy as sa
from marshmallow import Schema
from marshmallow import fields
from marshmallow import validate
from marshmallow_sqlalchemy import ModelConverter
from marshmallow_sqlalchemy.schema import SQLAlchemyAutoSchemaOpts

from services import ma

from .fields import field_class
from .fields import not_blank
from .fields import require_visible


class Converter(ModelConverter):
    """marshmallow-sqlalchemy's converter with our strict fields and the columns' ``info``."""

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
