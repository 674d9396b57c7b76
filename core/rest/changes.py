"""Changes of an existing row by a body: PUT replaces it, PATCH merges into it (RFC 7396)."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema
from marshmallow import ValidationError

from ..fields.strict import Json


def add_defaults(schema: Schema, model: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Add the values that a replaced item gets for what the body leaves out."""
    columns = model.__mapper__.columns
    found = {}
    for name, field in schema.load_fields.items():
        attribute = field.attribute or name
        column = columns.get(attribute)
        if column is None or field.required:
            continue
        default = column.default
        if default is not None and default.is_scalar:
            found[attribute] = default.arg
        elif default is not None and default.is_callable:
            found[attribute] = default.arg(None)
        elif column.nullable:
            found[attribute] = None
    return {**found, **data}


def merge_json(schema: Schema, item: Any, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Apply a merge patch to the columns that hold JSON; those of other types are replaced.

    :param data: what the patch was loaded to
    :raises ValidationError: if what comes of it does not fit its column
    """
    merged, errors = {}, {}
    for name, field in schema.load_fields.items():
        attribute = field.attribute or name
        if isinstance(field, Json) and isinstance(data.get(attribute), dict):
            try:
                merged[attribute] = field.deserialize(merge(getattr(item, attribute), data[attribute]))
            except ValidationError as error:
                errors[field.data_key or name] = error.messages
    if errors:
        raise ValidationError(errors)
    return {**data, **merged} if merged else data


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396, section 2): an object changes the names that it has, null removes one."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged
