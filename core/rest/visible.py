"""Schemas without the fields of columns that the current identity may not read."""

from collections.abc import Iterator
from typing import Any

from marshmallow import Schema
from marshmallow import fields

from ..access import column_policies
from ..access import hidden_attributes

#: Sets of hidden fields for which a schema is kept.
MOST_KEPT = 100

_NONE: frozenset[str] = frozenset()


class Visible:
    """A schema as each caller has it: for dumps, and for bodies, in which a hidden field is unknown.

    :param model: whose rows it shows
    """

    def __init__(self, schema: Schema, model: type[Any]) -> None:
        self.whole = schema
        #: Field to the model and the attribute that not everybody may read; ``box.code`` within a nested one.
        self.guarded = {name: (owner, attribute) for name, owner, attribute in _guarded(schema, model, ())}
        self._kept: dict[frozenset[str], Schema] = {}

    def hidden(self) -> frozenset[str]:
        """Return the fields that the current identity may not read."""
        if not self.guarded:
            return _NONE
        return frozenset(name for name, (model, one) in self.guarded.items() if one in hidden_attributes(model))

    def schema(self) -> Schema:
        """Return the schema of the other fields."""
        hidden = self.hidden()
        if not hidden:
            return self.whole
        found = self._kept.get(hidden)
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            found = self._kept[hidden] = _without(self.whole, hidden)
        return found

    def keys(self) -> list[str]:
        """Return what the fields are called in JSON."""
        return [field.data_key or name for name, field in self.schema().dump_fields.items()]


def _guarded(schema: Schema, model: Any, seen: tuple[type, ...]) -> Iterator[tuple[str, type[Any], str]]:
    rules = column_policies(model) if hasattr(model, "__mapper__") else {}
    for name, field in schema.fields.items():
        attribute = (field.attribute or name).partition(".")[0]
        if attribute in rules:
            yield name, model, attribute
            continue
        nested = field.inner if isinstance(field, fields.List) else field
        if isinstance(nested, fields.Nested) and type(nested.schema) not in seen:
            inner = getattr(nested.schema.opts, "model", None)
            for below, owner, one in _guarded(nested.schema, inner, (*seen, type(schema))):
                yield f"{name}.{below}", owner, one


def _without(schema: Schema, names: frozenset[str]) -> Schema:
    return type(schema)(
        only=None if schema.only is None else {*schema.only},
        exclude={*schema.exclude, *names},
        partial=schema.partial,
        unknown=schema.unknown,
    )
