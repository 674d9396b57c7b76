"""The document, at ``/openapi.json``: an API of its own, so that pages of other sites may read it (CORS)."""

from hashlib import blake2b
from typing import Any

from flask import Blueprint
from flask import Response
from flask import current_app
from flask import request

from core.http.apis import mark_api
from core.http.bodies import check_acceptable
from core.http.json import dump_bytes

from . import documents

#: Paths at which the application is mounted for which the document is kept: some servers take them from a header.
MOST_ROOTS = 8

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
    response.headers["Cache-Control"] = "no-cache"
    response.make_conditional(request)
    return response


def built() -> documents.Document:
    """Return this application's document, built when it is asked for first."""
    extensions = current_app.extensions
    if "apidocs" not in extensions:
        extensions["apidocs"] = documents.build(current_app)
    found: documents.Document = extensions["apidocs"]
    return found


def served() -> tuple[bytes, str]:
    """Return the document as bytes, with the path at which the application is mounted, and its ETag."""
    cached: dict[str, Any] = current_app.extensions.setdefault("apidocs_served", {})
    root = request.script_root
    if root not in cached:
        # A path of an operation is below the server's; the type of a problem is a URL as it is answered.
        body = dump_bytes({**built(), "servers": [{"url": root or "/"}]})
        body = body.replace(b'"type":"/problems/', b'"type":"%s/problems/' % root.encode())
        if len(cached) >= MOST_ROOTS:
            cached.clear()
        cached[root] = (body, blake2b(body, digest_size=8).hexdigest())
    found: tuple[bytes, str] = cached[root]
    return found
