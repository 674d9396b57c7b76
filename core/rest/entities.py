"""Reading entities: for schemas that show more than plain columns, and for what is included."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from marshmallow import Schema
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.sql.base import ExecutableOption

from services import db

from ..access import Policy
from ..access import require
from ..crud import readers
from ..crud.listing import Query
from ..crud.verbs import Crud
from ..crud.verbs import Page
from ..fields.schemas import loads
from .projections import WHOLE
from .projections import Projection
from .projections import Visible

#: Schemas of projections that a reader keeps.
MOST_SCHEMAS = 100


class EntityReader:
    """Reads entities, and leaves what becomes of them to marshmallow.

    :param includes: relation to the schema of what is shown of it
    """

    #: True if an item shows only columns of its row.
    only_columns = False

    def __init__(self, verbs: Crud, schema: Schema, includes: Mapping[str, type[Schema]]) -> None:
        self.verbs = verbs
        self.schema = schema
        self.includes = includes
        relations = sa.inspect(verbs.model).relationships
        self.visible = Visible(schema, verbs.model)
        self.embedded = {name: Embedded(relations[name], one()) for name, one in includes.items()}
        self._schemas: dict[tuple[Projection, frozenset[str]], Schema] = {}

    def page(self, query: Query, shown: Projection = WHOLE) -> Page:
        """Return one page, its items as JSON shows them."""
        view = self._view(shown)
        page = self.verbs.list(query, view.options())
        return replace(page, items=view.dump(page.items))

    def one(self, key: object, shown: Projection = WHOLE) -> tuple[dict[str, Any], int | None]:
        """Return one row as JSON shows it, and its version."""
        view = self._view(shown)
        item = self.verbs.get(key, view.options())
        return view.dump([item])[0], self.verbs.version(item)

    def written(self, item: Any) -> dict[str, Any]:
        """Return a row that was just written, as a GET would show it."""
        view = self._view(WHOLE)
        options = view.options()
        if options:
            # The written row may refer to rows that are not shown to the caller.
            keys = zip(sa.inspect(self.verbs.model).primary_key, sa.inspect(item).identity, strict=True)
            again = sa.select(self.verbs.model).where(*(column == value for column, value in keys)).options(*options)
            db.session.scalars(again.execution_options(populate_existing=True)).unique().one()
        return view.dump([item])[0]

    def require_included(self, name: str) -> Policy | None:
        """Raise unless the current identity may read an included relation by the verbs of its own model.

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
        key = (shown, self.visible.hidden())
        schema = self._schemas.get(key)
        if schema is None:
            if len(self._schemas) >= MOST_SCHEMAS:
                # As for prepared statements: clients may invent new ones.
                self._schemas.clear()
            schema = self._schemas[key] = project(self.visible.schema(), shown)
        return View(self.verbs.model, schema, [self.embedded[name] for name in shown.include])


@dataclass(frozen=True)
class View:
    """Columns of a model that are shown, and read for it."""

    model: type[Any]
    schema: Schema
    embedded: list["Embedded"]

    def options(self) -> list[ExecutableOption]:
        """Return what to read with the rows: of what they lead to, those that the current identity may read."""
        return [*loads(self.schema, self.model, readers.load), *(one.option() for one in self.embedded)]

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
        self.visible = Visible(schema, relation.mapper.class_)

    def option(self) -> ExecutableOption:
        """Return what to read of them."""
        within = loads(self.visible.schema(), self.relation.mapper.class_, readers.load)
        load: ExecutableOption = readers.load(self.relation.class_attribute).options(*within)
        return load

    def dump(self, item: Any) -> Any:
        """Return the related row, or all of them; they were read by :meth:`option`."""
        value = getattr(item, self.relation.key)
        schema = self.visible.schema()
        if not self.relation.uselist:
            return None if value is None else schema.dump(value)
        rows = list(value.values() if isinstance(value, Mapping) else value)
        if not self.relation.order_by:
            rows.sort(key=self.relation.mapper.primary_key_from_instance)
        return schema.dump(rows, many=True)


def project(schema: Schema, shown: Projection) -> Schema:
    """Return the schema of a projection's fields, without what an included relation stands in place of."""
    if shown == WHOLE:
        return schema
    names = {name: field.data_key or name for name, field in schema.dump_fields.items()}
    hidden = set(shown.include)
    # In the order of the schema: a set would have another one in each process, and the ETag with it.
    kept = [
        name
        for name, key in names.items()
        if (shown.fields is None or key in shown.fields)
        and not hidden & {key, schema.dump_fields[name].attribute or name}
    ]
    return type(schema)(only=kept, exclude=schema.exclude)
