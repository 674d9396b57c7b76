"""The document, at ``/openapi.json``: an API of its own, so that pages of other sites may read it (CORS)."""

from dataclasses import dataclass
from dataclasses import field
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from flask import Response
from flask import current_app
from flask import request

from core.access import has_looked
from core.access import hidden_attributes
from core.api.bodies import check_acceptable
from core.crud.readers import served as crud_served
from core.http.apis import mark_api
from core.http.headers import data_is_kept
from core.http.json import dump_bytes

from . import documents

#: Attributes of models.
Hidden = frozenset[tuple[type[Any], str]]

#: Documents that are kept: they differ by what the caller may read, and by the path at which the application is
#: mounted, which some servers take from a header.
MOST_KEPT = 8

openapi = Blueprint("openapi", __name__, url_prefix="/openapi.json")
mark_api(openapi)


@openapi.get("")
def document() -> Response:
    """Describe the API: this document.

    It is OpenAPI 3.1.
    """
    check_acceptable()
    body, etag = served()
    response = Response(body, mimetype="application/json")
    response.set_etag(etag)
    response.headers["Cache-Control"] = data_is_kept() if has_looked() else "no-cache"
    response.make_conditional(request)
    return response


def built() -> documents.Document:
    """Return the document as the current identity may read it, built when it is asked for first."""
    kept: dict[Hidden, documents.Document] = _kept().built
    hidden = _hidden()
    if hidden not in kept:
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[hidden] = documents.build(current_app)
    return kept[hidden]


@dataclass
class Documents:
    """The documents of one application, ``app.extensions["apidocs"]``: as they are built, and as they are served."""

    built: dict[Hidden, documents.Document] = field(default_factory=dict)
    served: dict[tuple[str, Hidden], tuple[bytes, str]] = field(default_factory=dict)


def _kept() -> Documents:
    found: Documents = current_app.extensions.setdefault("apidocs", Documents())
    return found


def served() -> tuple[bytes, str]:
    """Return the document as bytes, with the path at which the application is mounted, and its ETag."""
    kept: dict[tuple[str, Hidden], tuple[bytes, str]] = _kept().served
    root = request.script_root
    key = (root, _hidden())
    if key not in kept:
        # A path of an operation is below the server's; the type of a problem is a URL as it is answered.
        body = dump_bytes({**built(), "servers": [{"url": root or "/"}]})
        body = body.replace(b'"type":"/problems/', b'"type":"%s/problems/' % root.encode())
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[key] = (body, blake2b(body, digest_size=8).hexdigest())
    return kept[key]


def _hidden() -> Hidden:
    """Return the attributes that the current identity may not read, on which the document depends."""
    models = {*crud_served()}
    models |= {relation.mapper.class_ for model in models for relation in sa.inspect(model).relationships}
    return frozenset((model, name) for model in models for name in hidden_attributes(model))
