"""The JSON face of the verbs, on Flask-RESTful.

``class CityResource(ModelResource)`` with ``verbs`` and ``schema``, and
``CityResource.register(api, "/cities")``: a collection with GET and POST, and its items with GET,
PUT, PATCH and DELETE. What it answers when something is wrong is in :mod:`core.errors`.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from urllib.parse import quote

from flask import Blueprint
from flask import Response
from flask import current_app
from flask import request
from flask_restful import Api as RestfulApi
from flask_restful import Resource
from marshmallow import Schema
from werkzeug.exceptions import NotAcceptable
from werkzeug.exceptions import PreconditionFailed
from werkzeug.exceptions import PreconditionRequired
from werkzeug.exceptions import UnsupportedMediaType

import settings
from services import db

from .apis import mark_api
from .crud import VERBS
from .crud import Crud
from .crud import Page
from .crud import check_allow
from .exceptions import Invalid
from .json import dump_bytes
from .links import cursor_urls
from .links import query_url
from .links import single_args
from .rows import make_reader

ON_COLLECTION = {"GET": "list", "POST": "create"}
ON_ITEM = {"GET": "get", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


class Api(RestfulApi):  # type: ignore[misc]
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
        resource.mediatypes = self.mediatypes_method()
        resource.endpoint = endpoint
        view = self.output(resource.as_view(endpoint, *arguments, **named))
        for decorator in self.decorators:
            view = decorator(view)
        for url in urls:
            app.add_url_rule(self.prefix + url, endpoint=endpoint, view_func=view, **options)


class ModelResource(Resource):  # type: ignore[misc]
    """A collection and its items."""

    init_every_request = False

    verbs: ClassVar[Crud]
    schema: ClassVar[type[Schema]]
    #: What may be done: any of list, get, create, update, delete.
    allow: ClassVar[Sequence[str]] = VERBS

    @classmethod
    def register(cls, api: Api, url: str) -> None:
        """Serve the collection at ``url`` and each item at ``url/<key>``.

        The endpoints are the last word of ``url``, and that with ``_item``.

        :raises TypeError: if :attr:`allow` names what is no verb
        """
        check_allow(cls)
        name = url.rpartition("/")[2]
        for endpoint, rule, verbs in ((name, url, ON_COLLECTION), (f"{name}_item", f"{url}/<key>", ON_ITEM)):
            methods = [method for method, verb in verbs.items() if verb in cls.allow]
            if methods:
                api.add_resource(cls, rule, endpoint=endpoint, methods=methods)

    def __init__(self) -> None:
        self._schema = self.schema()
        self.reader = make_reader(self.verbs, self._schema)

    # --- methods ---

    def get(self, key: str | None = None) -> Response:
        """Answer with one page of the collection, or with one item."""
        check_acceptable()
        return self.list() if key is None else self.show(key)

    def post(self) -> Response:
        """Create an item; 201 with its place in ``Location``."""
        check_acceptable()
        item = self.verbs.create(self.load(self._schema))
        response = self.respond(self._schema.dump(item), self.verbs.version(item), 201)
        key = getattr(item, self.verbs.listing.key)
        db.session.commit()
        response.headers["Location"] = f"{request.script_root}{request.path}/{quote(str(key), safe='')}"
        return response

    def put(self, key: str) -> Response:
        """Replace an item: what the body leaves out gets its default."""
        return self.change(key, replace=True)

    def patch(self, key: str) -> Response:
        """Change the fields that the body names (RFC 7396)."""
        return self.change(key, replace=False)

    def delete(self, key: str) -> Response:
        """Delete an item; 204."""
        item = self.verbs.get(key)
        version = self.precondition(item)
        self.verbs.delete(item, version)
        db.session.commit()
        response = Response(status=204)
        del response.headers["Content-Type"]
        return response

    # --- parts ---

    def list(self) -> Response:
        """Answer with one page."""
        query = self.verbs.listing.parse(single_args())
        page = self.reader.page(query)
        links = page_links(page)
        body: dict[str, Any] = {"items": page.items, "links": links}
        if page.total is not None:
            body["total"] = page.total
        response = Response(dump_bytes(body), mimetype="application/json")
        if links:
            response.headers["Link"] = ", ".join(f'<{url}>; rel="{name}"' for name, url in links.items())
        return response

    def show(self, key: str) -> Response:
        """Answer with one item, or 304 if the caller has it already."""
        body, version = self.reader.one(key)
        response = self.respond(body, version, 200)
        if "If-None-Match" in request.headers:
            response.make_conditional(request)
        return response

    def change(self, key: str, *, replace: bool) -> Response:
        """Update an item from the body."""
        check_acceptable()
        data = self.load(self._schema, partial=not replace)
        item = self.verbs.get(key)
        version = self.precondition(item)
        if replace:
            data = {**defaults(self._schema, self.verbs.model), **data}
        item = self.verbs.update(item, data, version)
        response = self.respond(self._schema.dump(item), self.verbs.version(item), 200)
        db.session.commit()
        return response

    def load(self, schema: Schema, *, partial: bool = False) -> Mapping[str, Any]:
        """Read and check the body.

        :raises UnsupportedMediaType: if it is no JSON by its content type
        :raises Invalid: if it is no object, or a field is unknown, read-only or wrong
        """
        if not request.is_json and request.mimetype != "application/merge-patch+json":
            raise UnsupportedMediaType("Send the body as application/json.")
        body = request.get_json(force=True)
        if not isinstance(body, dict):
            raise Invalid({"": ["The body must be a JSON object."]})
        loaded: Mapping[str, Any] = schema.load(body, partial=partial)
        return loaded

    def respond(self, body: Any, version: int | None, status: int) -> Response:
        """Answer with an item and its ETag."""
        response = Response(dump_bytes(body), status, mimetype="application/json")
        if version is not None:
            response.headers["ETag"] = f'"{version}"'
        return response

    def precondition(self, item: Any) -> int | None:
        """Hold a change to what the caller has seen, by ``If-Match``.

        :return: the version that the change applies to; ``None`` if the model has none
        :raises PreconditionRequired: 428 if the header is missing
        :raises PreconditionFailed: 412 if the item has changed since
        """
        version = self.verbs.version(item)
        if version is None:
            return None
        if "If-Match" not in request.headers:
            raise PreconditionRequired("Send the ETag of the item as If-Match, so that nobody's change is lost.")
        if not request.if_match.contains(str(version)):
            raise PreconditionFailed("It has changed since you read it: get it again.")
        return version


def check_acceptable() -> None:
    """Refuse a caller who cannot read JSON.

    :raises NotAcceptable: 406
    """
    accept = request.environ.get("HTTP_ACCEPT") or "*/*"
    if accept not in ("*/*", "application/json") and not request.accept_mimetypes.quality("application/json"):
        raise NotAcceptable("This resource is served as application/json only.")


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


def defaults(schema: Schema, model: type[Any]) -> dict[str, Any]:
    """Return the values that a replaced item gets for what the body leaves out."""
    columns = model.__mapper__.columns
    found = {}
    for name, field in schema.load_fields.items():
        column = columns.get(field.attribute or name)
        if column is None or field.required:
            continue
        default = column.default
        if default is not None and default.is_scalar:
            found[column.key] = default.arg
        elif default is not None and default.is_callable:
            found[column.key] = default.arg(None)
        elif column.nullable:
            found[column.key] = None
    return found


def _json_representation(data: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    response = current_app.make_response(current_app.json.response(data))
    response.status_code = status
    response.headers.extend(headers or {})
    return response
