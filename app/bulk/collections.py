"""Many creates, updates and deletes of one collection by one request: ``POST <collection>:bulk``.

.. code-block:: json

    {"atomic": false, "operations": [
        {"method": "create", "data": {"name": "pen"}},
        {"method": "update", "key": 7, "version": 3, "data": {"name": "pencil"}},
        {"method": "delete", "key": 9, "version": 1}
    ]}

The answer has one result for each operation, in their order: the status that it would have had as a
request of its own, and the item or the problem; see :mod:`app.bulk.batches`. Each counts in the limit of the
resource as a request of its own would. The colon is that of
Google's AIP-136: no key of an item can be mistaken for it.
"""

from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from flask import Response
from flask import current_app
from flask import request
from flask_restful import Resource
from marshmallow import Schema
from marshmallow import fields
from marshmallow import validate

import settings
from core.api.bodies import check_acceptable
from core.api.bodies import json_response
from core.api.bodies import read_object
from core.api.conditional import check_etag
from core.api.idempotency import idempotent
from core.api.limits import charge
from core.fields.strict import Flag
from core.fields.strict import Whole
from core.http.links import refuse_args
from core.rest import ModelResource

from .batches import Batch

#: Suffix of a collection's URL.
SUFFIX = ":bulk"

METHODS = ("create", "update", "delete")

#: The methods of a resource that its bulk does without.
WRITING = ("dispatch_request", "post", "patch", "delete", "change", "load", "precondition")


class BulkResource(Resource):  # type: ignore[misc]  # it has no types
    """Creates, updates and deletes many items of one collection.

    For the documentation of the API: :attr:`resource`, :attr:`schemas` and :attr:`limit` say what it takes.
    """

    init_every_request = False

    #: The resource whose items they are.
    resource: ClassVar[type[ModelResource]]
    #: Method to the schema of its operations; of those that the resource allows.
    schemas: ClassVar[Mapping[str, Schema]]
    #: Most operations of one request.
    limit: ClassVar[int]

    def __init__(self) -> None:
        self.items = self.resource()
        self.body = _body_schema(self.limit)
        self._narrowed: dict[frozenset[str], Mapping[str, Schema]] = {}

    def operations(self, hidden: frozenset[str]) -> Mapping[str, Schema]:
        """Return the schemas of the operations, their data without fields that are hidden from the caller."""
        if not hidden:
            return self.schemas
        if hidden not in self._narrowed:
            self._narrowed[hidden] = _operation_schemas(self.resource, hidden)
        return self._narrowed[hidden]

    @idempotent
    def post(self) -> Response:
        """Create, update and delete many items; one result for each operation, in their order."""
        check_acceptable()
        refuse_args()
        body = self.body.load(read_object())
        charge(len(body["operations"]))
        # There is nothing here that a GET would show: each operation says which version it means.
        check_etag(lambda: None, exists=False)
        batch = Batch(self, request.path.removesuffix(SUFFIX))
        return json_response({"results": batch.run(body["operations"], atomic=body["atomic"])})

    def options(self) -> Response:
        """Say which methods there are."""
        return current_app.make_default_options_response()


def bulk_resource(resource: type[ModelResource]) -> type[BulkResource] | None:
    """Make the bulk of a resource; ``None`` if nothing could be done with it.

    The resource's decorators stay in force; those that Flask-RESTful has for single methods, for
    every operation.
    """
    limit = _limit(resource)
    methods = [method for method in METHODS if method in resource.allow]
    if not methods or limit < 1:
        return None
    attributes = {
        "resource": resource,
        "schemas": _operation_schemas(resource, frozenset()),
        "limit": limit,
        "decorators": resource.decorators,
        "__module__": resource.__module__,
        "method_decorators": _decorators(resource),
    }
    return type(f"{resource.__name__}Bulk", (BulkResource,), attributes)


def _limit(resource: type[ModelResource]) -> int:
    if resource.bulk is not None:
        return resource.bulk
    # Checks in its own methods would be bypassed.
    writes_itself = any(getattr(resource, name) is not getattr(ModelResource, name) for name in WRITING)
    return 0 if writes_itself else settings.MAX_OPERATIONS


def _decorators(resource: Any) -> list[Any]:
    declared = resource.method_decorators
    if not isinstance(declared, Mapping):
        return list(declared)
    found: list[Any] = []
    for method in ("post", "patch", "delete"):
        found += [decorator for decorator in declared.get(method, ()) if decorator not in found]
    return found


def _body_schema(limit: int) -> Schema:
    number = validate.Length(1, limit, error=f"Give 1 to {limit} operations.")
    return Schema.from_dict(
        {
            "operations": fields.List(fields.Raw(allow_none=True), required=True, validate=number),
            "atomic": Flag(load_default=False),
        }
    )()


def _operation_schemas(resource: type[ModelResource], hidden: frozenset[str]) -> Mapping[str, Schema]:
    return {method: _operation_schema(resource, method, hidden) for method in METHODS if method in resource.allow}


def _operation_schema(resource: type[ModelResource], method: str, hidden: frozenset[str]) -> Schema:
    found: dict[str, fields.Field[Any]] = {"method": fields.String(required=True, validate=validate.Equal(method))}
    if method != "create":
        found["key"] = resource.verbs.key.field()
        found["key"].required = True
        if resource.verbs.version_key is not None:
            # Required as well; that it is missing is another problem than a malformed body.
            found["version"] = Whole()
    if method != "delete":
        partial = method == "update" or None
        found["data"] = fields.Nested(resource.schema(partial=partial, exclude=hidden), required=True)
    return Schema.from_dict(found, name=f"{resource.__name__}{method.title()}")()
