"""Projections: the fields of an item that a caller may read, those that they ask for, and its includes.

``?fields=id,name`` and ``?include=country``. Which relations may be included is declared, each with
the schema of what is shown of them.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from marshmallow import Schema
from marshmallow import ValidationError
from marshmallow import fields

from ..access import column_policies
from ..access import hidden_attributes
from ..crud.conditions import Args
from ..exceptions import BadQuery
from ..exceptions import unknown_parameters

#: Sets of hidden fields for which a schema is kept.
MOST_KEPT = 100

_NONE: frozenset[str] = frozenset()


class Visible:
    """A schema as each caller has it: for dumps, and for bodies, in which a hidden field is unknown.

    :param model: whose rows it shows
    """

    def __init__(self, schema: Schema, model: type[Any]) -> None:
        self.whole = schema
        #: Field to the model and the attribute with a read policy; ``box.code`` within a nested one.
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
        only=None if schema.only is None else [name for name in schema.fields if name in schema.only],
        exclude={*schema.exclude, *names},
        partial=schema.partial,
        unknown=schema.unknown,
    )


@dataclass(frozen=True)
class Projection:
    """Projection of an item.

    :param fields: names in JSON, in the order of the schema; ``None`` for all
    :param include: relations, in the order of their declaration
    """

    fields: tuple[str, ...] | None = None
    include: tuple[str, ...] = ()


WHOLE = Projection()


class Projections:
    """The projections that one resource knows.

    :param includes: relation to the schema of what is shown of it
    """

    def __init__(self, visible: Visible, model: type[Any], includes: Mapping[str, Any]) -> None:
        self.visible = visible
        self.model = model
        self.includes = includes

    @property
    def parameters(self) -> dict[str, Sequence[str]]:
        """Parameter to the names that it takes of the current identity."""
        found: dict[str, Sequence[str]] = {"fields": self.visible.keys()}
        if self.includes:
            hidden = hidden_attributes(self.model)
            found["include"] = [name for name in self.includes if name not in hidden]
        return found

    def read(self, args: Args) -> tuple[Projection, dict[str, list[str]]]:
        """Read the parameters of projections, for :meth:`core.crud.listing.Listing.parse`.

        :return: (projection, what is wrong with each of these parameters)
        """
        found: dict[str, tuple[str, ...]] = {}
        if not args.get("fields") and not args.get("include"):
            return WHOLE, {"fields": [], **({"include": []} if self.includes else {})}
        parameters = self.parameters
        faults: dict[str, list[str]] = {name: [] for name in parameters}
        for parameter, names in parameters.items():
            text = args.get(parameter)
            # One that is repeated is refused with the others of the list.
            if not text or not isinstance(text, str):
                continue
            try:
                found[parameter] = _choose(text, names)
            except ValidationError as error:
                faults[parameter] = [str(message) for message in error.messages]
        return (Projection(found.get("fields"), found.get("include", ())) if found else WHOLE), faults

    def parse(self, args: Mapping[str, str]) -> Projection:
        """Read a query string that has parameters of projections only.

        :raises BadQuery: naming every parameter that is unknown or malformed
        """
        if not args:
            return WHOLE
        found, faults = self.read(args)
        errors = {name: messages for name, messages in faults.items() if messages}
        unknown = [name for name, text in args.items() if text and name not in faults]
        errors |= unknown_parameters(unknown, gettext("An item knows %(names)s.", names=", ".join(faults)))
        if errors:
            raise BadQuery(errors)
        return found


def _choose(text: str, names: Sequence[str]) -> tuple[str, ...]:
    chosen = set(text.split(","))
    if not chosen <= set(names):
        raise ValidationError(gettext("Name one or more of %(names)s.", names=", ".join(names)))
    return tuple(name for name in names if name in chosen)


def check_includes(resource: Any) -> None:
    """Check that a resource includes relations of its model only, each with a schema of its rows.

    :raises TypeError: saying what is wrong
    """
    model = resource.verbs.model
    relations = sa.inspect(model).relationships
    for name, schema in resource.includes.items():
        where = f"{resource.__name__}.includes[{name!r}]"
        if name not in relations:
            raise TypeError(f"{where}: {model.__name__} has no relationship of this name")
        if relations[name].lazy in ("dynamic", "write_only"):
            raise TypeError(f"{where}: it is too long to be read as a whole, give it a list of its own")
        if not isinstance(schema, type) or not issubclass(schema, Schema):
            raise TypeError(f"{where} must be a class of a schema")
        target = relations[name].mapper.class_
        shown = getattr(schema.opts, "model", None) if hasattr(schema, "opts") else None
        if shown is not None and not issubclass(target, shown):
            raise TypeError(f"{where}: {schema.__name__} shows {shown.__name__}, not {target.__name__}")
