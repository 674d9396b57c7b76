"""Reading entities: for schemas that show more than plain columns, and for what is included."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from marshmallow import Schema
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm import selectinload
from sqlalchemy.sql.base import ExecutableOption

from ..access import Policy
from ..access import allowed
from ..access import require
from ..crud import readers
from ..crud.listing import Query
from ..crud.verbs import Crud
from ..crud.verbs import Page
from ..schemas import loads
from .projections import WHOLE
from .projections import Projection

#: Projections that a reader keeps.
MOST_VIEWS = 100


class EntityReader:
    """Reads entities, and leaves what becomes of them to marshmallow.

    :param includes: relation to the schema of what is shown of it
    """

    #: Whether an item shows nothing but columns of its row.
    only_columns = False

    def __init__(self, verbs: Crud, schema: Schema, includes: Mapping[str, type[Schema]]) -> None:
        self.verbs = verbs
        self.schema = schema
        self.includes = includes
        self._views: dict[Projection, View] = {}

    def page(self, query: Query, shown: Projection = WHOLE) -> Page:
        """Return one page, its items as JSON shows them."""
        view = self._view(shown)
        page = self.verbs.list(query, view.options)
        return replace(page, items=view.dump(page.items))

    def one(self, key: object, shown: Projection = WHOLE) -> tuple[dict[str, Any], int | None]:
        """Return one row as JSON shows it, and its version."""
        view = self._view(shown)
        item = self.verbs.get(key, view.options)
        return view.dump([item])[0], self.verbs.version(item)

    def require_included(self, name: str) -> Policy | None:
        """Hold whoever is asking to what the verbs of an included relation's own model ask.

        :return: the policy; ``None`` if there is none
        :raises Unauthenticated: if it is not known who they are
        :raises Forbidden: if it is known, and they may not
        """
        relation = sa.inspect(self.verbs.model).relationships[name]
        policy = readers.policy_of(relation.mapper.class_, "list" if relation.uselist else "get")
        if policy is not None:
            require(policy)
        return policy

    def _view(self, shown: Projection) -> "View":
        for name in shown.include:
            self.require_included(name)
        view = self._views.get(shown)
        if view is None:
            relations = sa.inspect(self.verbs.model).relationships
            embedded = [Embedded(relations[name], self.includes[name]()) for name in shown.include]
            schema = project(self.schema, shown)
            options = [*loads(schema, self.verbs.model), *(one.option for one in embedded)]
            view = View(schema, options, embedded)
            if len(self._views) >= MOST_VIEWS:
                # As for prepared statements: anybody may think out new ones.
                self._views.clear()
            self._views[shown] = view
        return view


@dataclass(frozen=True)
class View:
    """What of a model's rows is shown, and what is read for it."""

    schema: Schema
    options: list[ExecutableOption]
    embedded: list["Embedded"]

    def dump(self, items: list[Any]) -> list[dict[str, Any]]:
        """Return the rows as JSON shows them."""
        shown: list[dict[str, Any]] = self.schema.dump(items, many=True)
        for one in self.embedded:
            for item, body in zip(items, shown, strict=True):
                body[one.relation.key] = one.dump(item)
        return shown


class Embedded:
    """The rows of one relation, as they are shown within an item."""

    def __init__(self, relation: RelationshipProperty[Any], schema: Schema) -> None:
        self.relation = relation
        self.schema = schema
        within: Any = loads(schema, relation.mapper.class_)
        self.option = selectinload(relation.class_attribute).options(*within)

    def dump(self, item: Any) -> Any:
        """Return the related row, or all of them; not those that whoever is asking may not read."""
        value = getattr(item, self.relation.key)
        policy = readers.policy_of(self.relation.mapper.class_, "list" if self.relation.uselist else "get")
        if not self.relation.uselist:
            hidden = value is None or (policy is not None and not allowed(policy, value))
            return None if hidden else self.schema.dump(value)
        rows = list(value.values() if isinstance(value, Mapping) else value)
        if policy is not None:
            rows = [row for row in rows if allowed(policy, row)]
        if not self.relation.order_by:
            rows.sort(key=self.relation.mapper.primary_key_from_instance)
        return self.schema.dump(rows, many=True)


def project(schema: Schema, shown: Projection) -> Schema:
    """Return the schema of a projection's fields, without what an included relation stands in place of."""
    if shown == WHOLE:
        return schema
    names = {name: field.data_key or name for name, field in schema.dump_fields.items()}
    hidden = set(shown.include)
    kept = {
        name
        for name, key in names.items()
        if (shown.fields is None or key in shown.fields)
        and not hidden & {key, schema.dump_fields[name].attribute or name}
    }
    return type(schema)(only=kept)
