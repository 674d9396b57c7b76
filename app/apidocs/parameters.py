"""Parameters beside the body: the query string, the path, and headers."""

from collections.abc import Mapping
from typing import Any

from werkzeug.routing import IntegerConverter
from werkzeug.routing import Rule

import settings
from core.crud import Crud
from core.crud.conditions import MAX_SEARCH
from core.crud.conditions import MAX_VALUES
from core.crud.conditions import joined
from core.crud.listing import MAX_CURSOR
from core.crud.names import LISTED
from core.crud.names import ONCE
from core.fields.strict import WITHOUT_NUL

from .schemas import INPUT
from .schemas import Components
from .schemas import JsonSchema

Parameter = dict[str, Any]

#: The schema of a text to be found within others.
_PART: JsonSchema = {"type": "string", "maxLength": MAX_SEARCH, "pattern": WITHOUT_NUL}

#: Operator to what its parameter asks for.
MEANINGS = {
    "eq": "Only where {name} is this.",
    "ne": "Only where {name} is not this.",
    "gt": "Only where {name} is greater than this.",
    "gte": "Only where {name} is this or greater.",
    "lt": "Only where {name} is less than this.",
    "lte": "Only where {name} is this or less.",
    "between": "Only where {name} is the first of these, the second, or between them.",
    "in": "Only where {name} is one of these.",
    "nin": "Only where {name} has a value, and it is none of these.",
    "startswith": "Only where {name} begins with this.",
    "contains": "Only where {name} has this in it, in upper or lower case.",
    "isnull": "Only where {name} has no value (true), or where it has one (false).",
}

#: Those that are the same everywhere, by the name of their component.
COMMON: dict[str, Parameter] = {
    "cursor": {
        "name": "cursor",
        "in": "query",
        "description": "Where the page begins: taken from a link of an answer, with the same sort. Not with `page`.",
        "schema": {"type": "string", "maxLength": MAX_CURSOR, "pattern": "^[A-Za-z0-9_-]+$"},
    },
    "page": {
        "name": "page",
        "in": "query",
        "description": f"A page by its number. They end after {settings.MAX_OFFSET:,} rows; a cursor goes on.",
        "schema": {"type": "integer", "minimum": 1, "maximum": settings.MAX_OFFSET + 1},
    },
    "count": {
        "name": "count",
        "in": "query",
        "description": "Whether to answer the `total` as well; it costs a count.",
        "schema": {"type": "boolean", "default": False},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` of what you change, as you read it: 412 if it has changed since.",
        "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$'},
        "example": '"1"',
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` that you have: 304 without a body if it is still the same.",
        "schema": {"type": "string"},
        "example": '"0"',
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A fresh random text for each thing to be done, the same when you try again: it is done once.",
        "schema": {"type": "string", "pattern": '^([!#-\\[\\]-~]{1,255}|"[!#-\\[\\]-~]{1,255}")$'},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    },
}


def common(name: str, *, required: bool = False) -> Parameter:
    """Return a reference to one that is the same everywhere, or itself where it must be given."""
    return {**COMMON[name], "required": True} if required else {"$ref": f"#/components/parameters/{name}"}


def of_path(rule: Rule, keys: Mapping[str, JsonSchema]) -> list[Parameter]:
    """Return the variables of a URL.

    :param keys: what is known of some, by name
    """
    found = []
    for name in sorted(rule.arguments):
        # werkzeug has no public name for them.
        number = isinstance(rule._converters[name], IntegerConverter)
        schema = keys.get(name) or {"type": "integer" if number else "string"}
        text = schema.get("description") or f"The {name} in the path."
        found.append({"name": name, "in": "path", "required": True, "description": text, "schema": schema})
    return found


def of_list(verbs: Crud, components: Components) -> list[Parameter]:
    """Return what a list may be asked: search, filters, order and place."""
    listing = verbs.listing
    hidden = listing.hidden()
    found = []
    if any(name not in hidden for name in listing.search):
        found.append(_query("q", "Only what has this text in it.", _PART))
    for name, operators in listing.filters.items():
        if name in hidden:
            continue
        one = components.property(listing.fields[name], INPUT)
        for operator in operators:
            found.append(_filter(joined(name, operator), MEANINGS[operator].format(name=f"`{name}`"), operator, one))
    sorts = [name for name in listing.sorts if name not in hidden]
    if sorts:
        order = [name for name in listing.order if name.removeprefix("-") not in hidden]
        text = f"The order, the first name first, `-` for descending. Without it: {','.join(order)}."
        found.append(_choice("sort", text, [sign + name for name in sorts for sign in ("", "-")], uniqueItems=True))
    sizes = {"type": "integer", "minimum": 1, "maximum": settings.MAX_PAGE_SIZE, "default": listing.page_size}
    found.append(_query("limit", "So many on a page.", sizes))
    return [*found, common("cursor"), common("page"), common("count")]


def of_projections(choices: Mapping[str, Any]) -> list[Parameter]:
    """Return what may be chosen of an item.

    :param choices: parameter to the names that it takes
    """
    meanings = {
        "fields": "Only these fields of each item.",
        "include": "With each item the rows that it leads to, under the name of the relation.",
    }
    return [_choice(name, meanings[name], list(names)) for name, names in choices.items()]


def of_schema(schema: Any, components: Components) -> list[Parameter]:
    """Return the parameters that a marshmallow schema declares."""
    found = []
    for name, field in schema.load_fields.items():
        one = components.property(field, INPUT)
        text = one.pop("description", f"The {name}.")
        parameter = _query(field.data_key or name, text, one)
        found.append({**parameter, "required": True} if field.required else parameter)
    return found


def _query(name: str, text: str, schema: JsonSchema) -> Parameter:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _filter(name: str, text: str, operator: str, one: JsonSchema) -> Parameter:
    """Return the parameter of a filter: several values have commas between them, or repeat it."""
    if operator in LISTED:
        bounds = {"minItems": 2, "maxItems": 2} if operator == "between" else {"maxItems": MAX_VALUES}
        return _several(name, text, {"type": "array", "items": _without_comma(one), **bounds})
    if operator in ONCE:
        return _query(name, text, {"type": "boolean"} if operator == "isnull" else one)
    items = _PART if operator == "contains" else one
    schema = {"type": "array", "items": items, "maxItems": MAX_VALUES}
    text += " Repeated: none of them." if operator == "ne" else " Repeated: one of them."
    return {**_query(name, text, schema), "style": "form", "explode": True}


def _choice(name: str, text: str, names: list[str], **rules: Any) -> Parameter:
    items = {"type": "string", "enum": names}
    return _several(name, text, {"type": "array", "items": items, **rules})


def _several(name: str, text: str, schema: JsonSchema) -> Parameter:
    return {**_query(name, text, schema), "style": "form", "explode": False}


def _without_comma(schema: JsonSchema) -> JsonSchema:
    # A type with a rule of its own, as a date, has no comma either.
    is_free = schema.get("type") == "string" and schema.get("pattern", WITHOUT_NUL) == WITHOUT_NUL
    return {**schema, "pattern": r"^[^,\u0000]+$"} if is_free and not {"enum", "format"} & schema.keys() else schema
