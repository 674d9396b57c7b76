"""The JSON face of the verbs, on Flask-RESTful.

``class CityResource(ModelResource)`` with ``verbs`` and ``schema``, and
``CityResource.register(api, "/cities")``: a collection with GET and POST, and its items with GET,
PUT, PATCH and DELETE. What it answers when something is wrong is in :mod:`core.http.errors`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any
from typing import ClassVar

from flask import Blueprint
from flask import Response
from flask import current_app
from flask import request
from flask.blueprints import BlueprintSetupState
from flask_restful import Api as RestfulApi
from flask_restful import Resource
from marshmallow import Schema

import settings
from services import db

from .. import signals
from ..access import access
from ..access.endpoints import ByMethod
from ..api.bodies import JSON
from ..api.bodies import MERGE_PATCH
from ..api.bodies import check_acceptable
from ..api.bodies import empty_response
from ..api.bodies import names_as_sent
from ..api.bodies import read_object
from ..api.conditional import check_etag
from ..api.conditional import check_version
from ..api.conditional import make_etag
from ..api.conditional import revalidate
from ..api.deprecation import Deprecation
from ..api.idempotency import idempotent
from ..crud import readers
from ..crud.readers import serve
from ..crud.transactions import transaction
from ..crud.verbs import VERBS
from ..crud.verbs import Crud
from ..crud.verbs import Page
from ..crud.verbs import check_allow
from ..fields import Related
from ..http.apis import mark_api
from ..http.json import dump_bytes
from ..http.links import cursor_urls
from ..http.links import item_url
from ..http.links import link_header
from ..http.links import list_args
from ..http.links import query_url
from ..http.links import refuse_args
from ..http.links import single_args
from .changes import add_defaults
from .changes import merge_json
from .projections import Projections
from .projections import Visible
from .projections import check_includes
from .rows import make_reader

#: Media types of a PATCH; both are read as a merge patch.
PATCHES = (JSON, MERGE_PATCH)

ON_COLLECTION = {"GET": "list", "POST": "create"}
ON_ITEM = {"GET": "get", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


class Api(RestfulApi):  # type: ignore[misc]  # it has no types
    """Flask-RESTful's Api on a blueprint, without its grip on the application.

    The original wraps the application's error handling once for each Api, so that handlers are
    ignored in production and a 404 costs 11 ms with 500 of them; and it drops the hooks of nested
    blueprints (flask-restful issue 796 and others; its last release is of 2023). Here a resource
    is a plain URL rule of its blueprint, and JSON is the application's.
    """

    def __init__(self, blueprint: Blueprint, **options: Any) -> None:
        super().__init__(**options)
        self.representations["application/json"] = _json_representation
        mark_api(blueprint)
        self.init_app(blueprint)

    def init_app(self, app: Blueprint) -> None:
        """Tie this Api to a blueprint, once."""
        self.app = app
        self.blueprint = None

    def _register_view(self, app: Blueprint, resource: type[Resource], *urls: str, **options: Any) -> None:
        endpoint = options.pop("endpoint", None) or resource.__name__.lower()
        arguments = options.pop("resource_class_args", ())
        named = options.pop("resource_class_kwargs", {})
        view = self.make_view(resource, endpoint, options.pop("policy", None), *arguments, **named)
        for url in urls:
            app.add_url_rule(self.prefix + url, endpoint=endpoint, view_func=view, **options)

    def make_view(
        self, resource: type[Resource], endpoint: str, policy: ByMethod | None, *args: Any, **kwargs: Any
    ) -> Any:
        """Return the view of a resource, with its policy and the decorators of this Api."""
        resource.mediatypes = self.mediatypes_method()
        resource.endpoint = endpoint
        view = self.output(resource.as_view(endpoint, *args, **kwargs))
        for decorator in self.decorators:
            view = decorator(view)
        return view if policy is None else access(policy)(view)


class ModelResource(Resource):  # type: ignore[misc]  # it has no types
    """A collection and its items."""

    init_every_request = False

    verbs: ClassVar[Crud]
    schema: ClassVar[type[Schema]]
    #: Verbs that are served: any of list, get, create, update, delete.
    allow: ClassVar[Sequence[str]] = VERBS
    #: Relations that ``?include=`` shows with the items, each with the schema of its rows. They are shown to
    #: identities that may read them by the verbs of their own model, whatever a resource of their own allows.
    includes: ClassVar[Mapping[str, type[Schema]]] = {}
    #: Most operations of one request to ``url:bulk``, 0 for no such address; ``None`` is ``settings.MAX_OPERATIONS``,
    #: and 0 where the class has methods of its own for writing. A module serves it.
    bulk: ClassVar[int | None] = None
    #: How often one caller may ask, collection and items together: ``100 per minute``. See :mod:`core.api.limits`.
    rate_limit: ClassVar[str | None] = None
    #: Since when it should not be used any more. See :mod:`core.api.deprecation`.
    deprecation: ClassVar[Deprecation | None] = None

    @classmethod
    def register(cls, api: Api, url: str) -> None:
        """Serve the collection at ``url``, and each item at ``url/<key>``.

        The endpoints are the last word of ``url``, and that with ``_item``.

        :raises TypeError: if :attr:`allow` names what is no verb, or :attr:`includes` what is no relationship
        """
        check_allow(cls)
        check_includes(cls)
        name = url.rpartition("/")[2]
        for endpoint, rule, verbs in ((name, url, ON_COLLECTION), (f"{name}_item", f"{url}/<key>", ON_ITEM)):
            methods = [method for method, verb in verbs.items() if verb in cls.allow]
            if methods:
                policy = cls._policy({method: verbs[method] for method in methods})
                api.add_resource(cls, rule, endpoint=endpoint, methods=[*methods, "OPTIONS"], policy=policy)
        writes = [field.attribute or name for name, field in cls.schema().load_fields.items()]

        def announce(state: BlueprintSetupState) -> None:
            serve(state.app, cls.verbs, cls.allow, writes)
            signals.resource_served.send(cls, api=api, url=url, state=state)

        api.app.record(announce)

    @classmethod
    def _policy(cls, verbs: Mapping[str, str]) -> ByMethod | None:
        """Return the policies of the methods: those of their verbs; ``None`` if the verbs have none."""
        if not cls.verbs.access:
            return None
        return {method: cls.verbs.access.get(verb) for method, verb in verbs.items()}

    def __init__(self) -> None:
        self.visible = Visible(self.schema(), self.verbs.model)
        self.reader = make_reader(self.verbs, self.visible.whole, self.includes)
        self.projections = Projections(self.visible, self.verbs.model, self.includes)

    @property
    def _schema(self) -> Schema:
        """The schema of what the current identity may read and write."""
        return self.visible.schema()

    # --- methods ---

    def get(self, key: str | None = None) -> Response:
        """Answer with one page of the collection, or with one item."""
        check_acceptable()
        return self.list() if key is None else self.show(key)

    @idempotent
    def post(self) -> Response:
        """Create an item; 201 with its place in ``Location``."""
        check_acceptable()
        refuse_args()
        data = self.load(self._schema)
        check_etag(self._collection_etag)
        with names_as_sent(self._schema):
            item = self.verbs.create(data)
        response = self.respond(self.reader.written(item), self.verbs.version(item), 201)
        response.headers["Location"] = item_url(request.path, self.verbs.address(item))
        return response

    def put(self, key: str) -> Response:
        """Replace an item: what the body leaves out gets its default."""
        return self.change(key, replace=True)

    def patch(self, key: str) -> Response:
        """Change the fields that the body names (RFC 7396)."""
        return self.change(key, replace=False)

    def delete(self, key: str) -> Response:
        """Delete an item; 204."""
        refuse_args()
        with transaction():
            item = self.verbs.get(key)
            self.verbs.delete(item, self.precondition(item))
        return empty_response()

    def options(self, key: str | None = None) -> Response:
        """Say which methods there are, and what PATCH takes (RFC 5789, section 3.1)."""
        response = current_app.make_default_options_response()
        if "PATCH" in response.allow:
            response.headers["Accept-Patch"] = ", ".join(PATCHES)
        return response

    # --- parts ---

    def list(self) -> Response:
        """Answer with one page."""
        args = list_args()
        shown, read = self.projections.read(args)
        query = self.verbs.listing.parse(args, read=read)
        page = self.reader.page(query, shown)
        links = page_links(page)
        body: dict[str, Any] = {"items": page.items, "links": links}
        if page.total is not None:
            body["total"] = page.total
        sent = dump_bytes(body)
        response = Response(sent, mimetype=JSON)
        response.headers["ETag"] = f'"{make_etag(sent)}"'
        if links:
            response.headers["Link"] = link_header(links)
        return revalidate(response)

    def show(self, key: str) -> Response:
        """Answer with one item, or 304 if the caller has it already."""
        shown = self.projections.parse(single_args())
        body, version = self.reader.one(key, shown)
        only_columns = self.reader.only_columns and not shown.include
        return revalidate(self.respond(body, version, 200, only_columns=only_columns))

    def change(self, key: str, *, replace: bool) -> Response:
        """Update an item from the body."""
        check_acceptable()
        refuse_args()
        schema = self._schema
        with transaction():
            kept = self.hidden_links(key)
            data = self.load(schema, partial=not replace, **({"kept": kept} if kept else {}))
            item = self.verbs.get(key)
            version = self.precondition(item)
            data = add_defaults(schema, self.verbs.model, data) if replace else merge_json(schema, item, data)
            with names_as_sent(schema):
                item = self.verbs.update(item, data, version)
            return self.respond(self.reader.written(item), self.verbs.version(item), 200)

    def hidden_links(self, key: str) -> dict[str, str]:
        """Return the relationships of an item that show ``null`` as the current identity may not read the other row.

        :return: field to its name in JSON
        """
        links = {name: field for name, field in self._schema.load_fields.items() if isinstance(field, Related)}
        if not any(not field.many for field in links.values()):
            return {}
        item = self.verbs.get(key)
        values = {name: getattr(item, field.attribute or name) for name, field in links.items() if not field.many}
        return {
            name: links[name].data_key or name
            for name, row in values.items()
            if row is not None and not readers.may_read(row)
        }

    def load(
        self, schema: Schema, *, partial: bool = False, kept: Mapping[str, str] = MappingProxyType({})
    ) -> Mapping[str, Any]:
        """Read and check the body.

        :param kept: fields that need not be there, and stay as they are where they are ``null``, by name in JSON

        :raises UnsupportedMediaType: if it is no JSON by its content type
        :raises Invalid: if it is no object, or a field is unknown, read-only or wrong
        """
        body = read_object(PATCHES if partial else (JSON,))
        shown = kept.values()
        body = {name: value for name, value in body.items() if value is not None or name not in shown}
        loaded: Mapping[str, Any] = schema.load(body, partial=partial or tuple(kept))
        return loaded

    def respond(self, body: Any, version: int | None, status: int, *, only_columns: bool | None = None) -> Response:
        """Answer with an item and its ETag."""
        if only_columns is None:
            only_columns = self.reader.only_columns
        # The same version without some columns is another representation.
        only_columns = only_columns and not self.visible.hidden()
        sent = dump_bytes(body)
        response = Response(sent, status, mimetype=JSON)
        response.headers["ETag"] = f'"{make_etag(sent, version, only_columns=only_columns)}"'
        return response

    def precondition(self, item: Any) -> int | None:
        """Hold a change to what the caller has seen, by ``If-Match`` and ``If-None-Match``.

        :return: the version that the change applies to; ``None`` if the model has none
        :raises PreconditionRequired: 428 if the header is missing and the model has a version
        :raises PreconditionFailed: 412 if the item has changed since
        """
        version = self.verbs.version(item)
        if version is not None:
            check_version(version)
        else:
            check_etag(lambda: self._locked_etag(item))
        return version

    def _collection_etag(self) -> str | None:
        if "list" not in self.allow or not self.verbs.may("list"):
            return None
        return self.list().get_etag()[0]

    def _locked_etag(self, item: Any) -> str:
        # Without a version nothing else keeps the row as it was compared.
        db.session.refresh(item, with_for_update=True)
        return make_etag(dump_bytes(self.reader.written(item)))


def page_links(page: Page) -> dict[str, str]:
    """Return the URLs of the neighbouring pages (relation to URL), for the body and ``Link``."""
    cursors = {"next": page.next, "prev": page.previous}
    links = cursor_urls({name: text for name, text in cursors.items() if text})
    number = page.query.page
    if number is not None:
        if page.next and number * page.query.limit <= settings.MAX_OFFSET:
            # Deeper than that it stays the cursor: the page would be refused.
            links["next"] = query_url(page=number + 1)
        if number > 1:
            links["prev"] = query_url(page=number - 1)
    return links


def _json_representation(data: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    response = current_app.make_response(current_app.json.response(data))
    response.status_code = status
    response.headers.extend(headers or {})
    return response
