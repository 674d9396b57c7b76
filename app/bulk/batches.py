"""The operations of one bulk request, each done by the verbs, with a result of its own.

An operation that fails undoes itself alone; with ``atomic`` the first failure undoes all, and is the
answer.
"""

from collections.abc import Hashable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

from flask import request
from flask_babel import gettext
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import PreconditionRequired

from core.api.bodies import names_as_sent
from core.api.conditional import changed
from core.exceptions import Invalid
from core.exceptions import Stale
from core.exceptions import VerbError
from core.fields.schemas import loads
from core.http.errors import describe
from core.http.links import item_url
from core.http.problems import Problem
from core.http.problems import Refusal
from core.rest.changes import merge_json
from services import db

if TYPE_CHECKING:
    from .collections import BulkResource

#: Result of one operation, besides its item.
Result = dict[str, Any]


class Batch:
    """The operations of one request.

    :param collection: the path of the items
    """

    def __init__(self, bulk: "BulkResource", collection: str) -> None:
        self.bulk = bulk
        self.collection = collection
        self.items = bulk.items
        self.verbs = bulk.resource.verbs
        self.schema = bulk.items.visible.schema()
        self.schemas = bulk.operations(bulk.items.visible.hidden())
        self.key = self.verbs.key.field()
        self.found: dict[Hashable, Any] = {}

    def run(self, operations: Sequence[Any], *, atomic: bool) -> list[Result]:
        """Do the operations in their order.

        :raises Refusal: where all or nothing is to be done, for the first that fails
        """
        self.found = self._read(operations)
        do = self._do if atomic else self._try
        return [do(number, operation) for number, operation in enumerate(operations)]

    def _read(self, operations: Sequence[Any]) -> dict[Hashable, Any]:
        """Read at once the rows that are to be changed."""
        keys = [key for key in map(self._key, operations) if key is not None]
        if not keys or not self.verbs.may("get"):
            return {}
        return dict(self.verbs.find(keys, loads(self.schema, self.verbs.model)))

    def _key(self, operation: Any) -> Any:
        if not isinstance(operation, dict) or operation.get("method") not in ("update", "delete"):
            return None
        try:
            return self.key.deserialize(operation.get("key"))
        except ValidationError:
            return None

    def _try(self, number: int, sent: Any) -> Result:
        try:
            with db.session.begin_nested():
                return self._do(number, sent)
        except Refusal as refusal:
            problem = refusal.problem
            return {"status": problem.kind.status, "problem": problem.document(request.script_root)}

    def _do(self, number: int, sent: Any) -> Result:
        try:
            operation = self._load(sent)
            act = {"create": self._create, "update": self._update, "delete": self._delete}[operation["method"]]
            return act(operation)
        except (VerbError, ValidationError, HTTPException) as error:
            raise Refusal(_place(describe(error), number)) from error

    def _load(self, operation: Any) -> Any:
        if not isinstance(operation, dict):
            raise ValidationError(gettext("An operation is a JSON object."))
        method = operation.get("method")
        schema = self.schemas.get(method) if isinstance(method, str) else None
        if schema is None:
            raise ValidationError({"method": [gettext("It must be %(names)s.", names=" or ".join(self.schemas))]})
        return schema.load(self._without_hidden_links(operation) if method == "update" else operation)

    def _without_hidden_links(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        """Leave out the ``null`` of relationships whose rows the current identity may not read: they are kept."""
        data, key = operation.get("data"), self._key(operation)
        if key is None or not isinstance(data, dict) or None not in data.values():
            return operation
        kept = self.items.hidden_links(key).values()
        return {
            **operation,
            "data": {name: value for name, value in data.items() if value is not None or name not in kept},
        }

    def _create(self, operation: Mapping[str, Any]) -> Result:
        with self._in_data():
            item = self.verbs.create(operation["data"])
        location = item_url(self.collection, self.verbs.address(item))
        return {"status": 201, "location": location, **self._show(item)}

    def _update(self, operation: Mapping[str, Any]) -> Result:
        item, version = self._get(operation)
        with self._in_data():
            data = merge_json(self.schema, item, operation["data"])
            item = self.verbs.update(item, data, version)
        return {"status": 200, **self._show(item)}

    def _delete(self, operation: Mapping[str, Any]) -> Result:
        item, version = self._get(operation)
        try:
            self.verbs.delete(item, version)
        except Stale:
            raise changed() from None
        return {"status": 204}

    def _get(self, operation: Mapping[str, Any]) -> tuple[Any, int | None]:
        """Return the row of an operation and the version that it is held to."""
        self.verbs.require("get")
        # A row that an earlier operation has touched is read again: it may be gone, or for others now.
        item = self.found.pop(operation["key"], None)
        if item is None:
            item = self.verbs.get(operation["key"])
        version = self.verbs.version(item)
        if version is not None:
            if "version" not in operation:
                raise PreconditionRequired(
                    gettext("Give the `version` of what you have seen, so that no change is lost.")
                )
            if operation["version"] != version:
                raise changed()
        return item, version

    @contextmanager
    def _in_data(self) -> Iterator[None]:
        """Say of what is wrong with the values that they stand in ``data``."""
        try:
            with names_as_sent(self.schema):
                yield
        except Stale:
            raise changed() from None
        except Invalid as error:
            placed = {f"data.{name}" if name else "data": texts for name, texts in error.errors.items()}
            raise Invalid(placed) from error
        except ValidationError as error:
            raise ValidationError({"data": error.normalized_messages()}) from error

    def _show(self, item: Any) -> Result:
        body = self.items.reader.written(item)
        shown = self.items.respond(body, self.verbs.version(item), 200)
        return {"etag": shown.headers["ETag"], "item": body}


def _place(problem: Problem, number: int) -> Problem:
    """Point to the operation, and to what in it."""
    at = ("operations", number)
    errors = [((*at, *path), message) for path, message in problem.errors] or [(at, problem.detail)]
    return replace(problem, errors=errors)
