"""The methods of declared resources: ``shop.invoice.list``, ``get``, ``create``, ``update`` and ``delete``.

They take and give what REST does, by the same verbs: a list its parameters, a body its fields, a change the version
that it is based on.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from inspect import Parameter as Kind
from typing import Any

from flask_babel import gettext
from marshmallow import ValidationError
from marshmallow import fields

from core.access import PUBLIC
from core.crud.conditions import split
from core.crud.names import LISTED
from core.exceptions import BadQuery
from core.exceptions import Invalid
from core.fields.json_schema import json_schema
from core.fields.words import words
from core.resources import Resource
from core.rest import ModelResource
from core.rest.changes import merge_json

from .annotations import field_for
from .methods import Method
from .signatures import Parameter
from .signatures import Signature

#: The parameters of a list that are the same for each: name, annotation, default.
_OF_LISTS: tuple[tuple[str, Any, Any], ...] = (
    ("filter", dict[str, Any], {}),
    ("q", str, ""),
    ("sort", str, ""),
    ("limit", int | None, None),
    ("page", int | None, None),
    ("cursor", str, ""),
    ("count", bool, False),
)

#: Values of texts with a format.
_SAMPLES = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00",
    "uuid": "01234567-89ab-4cde-8f01-23456789abcd",
}

_DOCS = {
    "list": """List {plural}, a page at a time.

    :param filter: the parameters of REST's list by which to filter; a list of values for one that is repeated
    :param q: words to search for
    :param sort: columns with commas between them, ``-`` in front for descending
    :param limit: how many at most
    :param page: number of the page, from 1
    :param cursor: ``next`` or ``previous`` of another page
    :param count: whether to count all that match
    :param fields: the fields to show, with commas between them
    :param include: the related rows to show, with commas between them
    """,
    "get": """Return one {noun}.

    :param key: its key
    :param fields: the fields to show, with commas between them
    :param include: the related rows to show, with commas between them
    :raises NotFound: if there is none with this key
    """,
    "create": """Add one {noun}.

    :param values: its fields
    :raises Invalid: if a value is wrong
    :raises Conflict: if it collides with another row
    """,
    "update": """Change fields of one {noun}.

    :param key: its key
    :param values: the fields that change
    :param version: the version that was seen
    :raises NotFound: if there is none with this key
    :raises Stale: if it has changed since
    :raises Invalid: if a value is wrong
    """,
    "delete": """Delete one {noun}.

    :param key: its key
    :param version: the version that was seen
    :raises NotFound: if there is none with this key
    :raises Stale: if it has changed since
    :raises InUse: if other rows need it
    """,
}


def methods_of(resources: Iterable[tuple[str, Resource]]) -> dict[str, Method]:
    """Return the methods of declared resources, by name.

    :param resources: (label of the module, the resource)
    """
    return {method.name: method for module, resource in resources for method in _methods(module, resource)}


def _methods(module: str, resource: Resource) -> Iterator[Method]:
    calls = Calls(resource)
    noun = words(resource.model.__name__)
    for verb in resource.allow:
        function: Callable[..., Any] = getattr(calls, verb)

        def method(*args: Any, function: Callable[..., Any] = function, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        method.__doc__ = _DOCS[verb].format(noun=noun, plural=resource.plural.lower())
        method.policy = resource.access.get(verb, PUBLIC)  # type: ignore[attr-defined]  # read by Method.policy
        signature = Signature([*calls.parameters(verb)], None, Any, calls.result(verb))
        yield ResourceMethod(f"{module}.{noun.replace(' ', '_')}.{verb}", method, signature)


class ResourceMethod(Method):
    """A method of a resource: its example is made of the fields that it needs."""

    @property
    def examples(self) -> list[dict[str, Any]]:
        """One call with the parameters that are required."""
        needed = [one for one in self.signature.parameters if one.required]
        return [{one.name: sample(one.field) for one in needed}] if needed else []


class Calls:
    """The calls of one resource."""

    def __init__(self, resource: Resource) -> None:
        face = resource.rest or type("Items", (ModelResource,), {"verbs": resource, "schema": resource.schema})
        self.items: ModelResource = face()
        self.verbs = resource

    def parameters(self, verb: str) -> Iterator[Parameter]:
        """Yield the parameters of a method, in order."""
        if verb == "list":
            yield from (_parameter(name, field_for(kind), default) for name, kind, default in _OF_LISTS)
        if verb in ("get", "update", "delete"):
            yield _parameter("key", self.verbs.key.field())
        if verb in ("create", "update"):
            yield _parameter("values", Values(self.items))
        if verb in ("update", "delete") and self.verbs.version_key is not None:
            yield _parameter("version", field_for(int))
        if verb in ("list", "get"):
            yield from (_parameter(name, field_for(str), "") for name in self.items.projections.parameters)

    def result(self, verb: str) -> fields.Field[Any]:
        """Return the field of what a method returns."""
        return {"list": Listed, "delete": Nothing}.get(verb, Shown)(self.items)

    # --- the methods ---

    def list(self, *, filter: Mapping[str, Any], count: bool, **asked: Any) -> dict[str, Any]:
        """Return one page, with the cursors of its neighbours."""
        clash = [name for name in filter if name in asked or name == "count"]
        if clash:
            raise BadQuery({name: [gettext("This is a parameter of its own, no filter.")] for name in clash})
        filters = {name: _texts(name, value) for name, value in filter.items()}
        args: dict[str, str | list[str]] = {**filters, "count": "true" if count else ""}
        args |= {name: str(value) for name, value in asked.items() if value not in (None, "")}
        shown, read = self.items.projections.read(args)
        page = self.items.reader.page(self.verbs.listing.parse(args, read=read), shown)
        found = {"items": page.items, "next": page.next, "previous": page.previous}
        return found | ({} if page.total is None else {"total": page.total})

    def get(self, key: Any, **asked: str) -> Any:
        """Return one row."""
        shown = self.items.projections.parse({name: text for name, text in asked.items() if text})
        return self.items.reader.one(key, shown)[0]

    def create(self, values: Mapping[str, Any]) -> Any:
        """Add a row, and return it."""
        return self.items.reader.written(self.verbs.create(self.items.visible.schema().load(values)))

    def update(self, key: Any, values: Mapping[str, Any], version: int | None = None) -> Any:
        """Change a row, and return it."""
        schema = self.items.visible.schema()
        kept = self.items.hidden_links(key).values()
        given = {name: value for name, value in values.items() if value is not None or name not in kept}
        data = schema.load(given, partial=True)
        item = self.verbs.get(key)
        return self.items.reader.written(self.verbs.update(item, merge_json(schema, item, data), version))

    def delete(self, key: Any, version: int | None = None) -> None:
        """Delete a row."""
        self.verbs.delete(self.verbs.get(key), version)


def sample(field: fields.Field[Any]) -> Any:
    """Return a value that a field takes: its example, or the simplest of its JSON Schema."""
    if "example" in field.metadata:
        return field.metadata["example"]
    schema = json_schema(field)
    if isinstance(field, Values):
        return {name: sample(one) for name, one in field.named().items() if one.required}
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "string":
        return _SAMPLES.get(schema.get("format", ""), "text"[: schema.get("maxLength", 4)])
    return {"boolean": True, "array": [], "object": {}}.get(kind, max(1, schema.get("minimum", 1)))


def _texts(name: str, value: Any) -> str | list[str]:
    """Write a value of a filter as a query string has it; a list as a parameter that is repeated."""
    if not isinstance(value, list):
        return _text(name, value)
    if not value:
        raise Invalid({name: [gettext("Give at least one value.")]})
    if split(name)[1] not in LISTED:
        return [_text(name, one) for one in value]
    groups = value if all(isinstance(one, list) for one in value) else [value]
    return [_listed(name, group) for group in groups]


def _listed(name: str, values: Any) -> str:
    texts = [_text(name, one) for one in values]
    if not texts:
        raise Invalid({name: [gettext("Give at least one value.")]})
    if any("," in text for text in texts):
        plain, operator = split(name)
        cure = {"in": plain, "nin": f"{plain}__ne"}.get(operator)
        message = (
            gettext("A list cannot hold a value with a comma. Give the list to %(name)s.", name=cure)
            if cure
            else gettext("A list cannot hold a value with a comma.")
        )
        raise Invalid({name: [message]})
    return ",".join(texts)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Invalid({name: [gettext("Give a text, a number, true or false, or a list of these.")]})


def _parameter(name: str, field: fields.Field[Any], default: Any = Kind.empty) -> Parameter:
    required = default is Kind.empty
    return Parameter(name, Any, field, Kind.KEYWORD_ONLY, required, None if required else default)


class Shown(fields.Raw):
    """A row, as the schema of its resource has written it already."""

    def __init__(self, items: ModelResource) -> None:
        super().__init__()
        self.items = items

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what the current identity may read."""
        named = self.items.visible.schema().dump_fields
        properties = {field.data_key or name: json_schema(field, shown=True) for name, field in named.items()}
        return {"type": "object", "properties": properties}


class Listed(Shown):
    """A page of rows."""

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return the object of a page."""
        cursor = {"type": ["string", "null"]}
        rows = {"type": "array", "items": super().json_schema(shown=shown)}
        properties = {"items": rows, "next": cursor, "previous": cursor, "total": {"type": "integer"}}
        return {"type": "object", "properties": properties, "required": ["items", "next", "previous"]}


class Nothing(Shown):
    """Null."""

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return null."""
        return {"type": "null"}


class Values(fields.Raw):
    """The fields of a row, which the resource's schema reads within the call."""

    def __init__(self, items: ModelResource) -> None:
        super().__init__(required=True)
        self.items = items

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(gettext("Give a JSON object."))
        return value

    def json_schema(self, *, shown: bool = False) -> dict[str, Any]:
        """Return what the current identity may write."""
        properties = {name: json_schema(field) for name, field in self.named().items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def named(self) -> dict[str, fields.Field[Any]]:
        """Return the fields that the current identity may write, by their names in JSON."""
        named = self.items.visible.schema().load_fields
        return {field.data_key or name: field for name, field in named.items()}
