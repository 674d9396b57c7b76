"""Bodies of requests to an API, checked before a view sees them, and of its answers."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from flask import Response
from flask import request
from flask_babel import gettext
from marshmallow import Schema
from werkzeug.exceptions import NotAcceptable
from werkzeug.exceptions import UnsupportedMediaType

from ..exceptions import Invalid
from ..http.json import dump_bytes

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class WrongMediaType(UnsupportedMediaType):
    """415, saying which content types are read (RFC 9110, section 15.5.16; RFC 5789, section 2.2)."""

    def __init__(self, media: Sequence[str]) -> None:
        super().__init__(gettext("Send the body as %(types)s.", types=gettext(" or ").join(media)))
        self.media = media

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the headers of the answer."""
        name = "Accept-Patch" if request.method == "PATCH" else "Accept"
        return [*super().get_headers(*args, **kwargs), (name, ", ".join(self.media))]


def check_acceptable() -> None:
    """Refuse a caller who cannot read JSON.

    :raises NotAcceptable: 406
    """
    accept = request.environ.get("HTTP_ACCEPT") or "*/*"
    if accept not in ("*/*", JSON) and not request.accept_mimetypes.quality(JSON):
        raise NotAcceptable(gettext("This resource is served as application/json only."))


def read_json(media: Sequence[str] = (JSON,)) -> Any:
    """Read the body as JSON, strictly.

    :param media: the content types that it may have
    :raises UnsupportedMediaType: 415 if it has another
    :raises BadRequest: 400 if it is no JSON
    """
    if request.mimetype not in media:
        raise WrongMediaType(media)
    return request.get_json(force=True)


def read_object(media: Sequence[str] = (JSON,)) -> dict[str, Any]:
    """Read the body as :func:`read_json` does, a JSON object.

    :raises Invalid: if it is another value
    """
    body = read_json(media)
    if not isinstance(body, dict):
        raise Invalid({"": [gettext("The body must be a JSON object.")]})
    return body


@contextmanager
def names_as_sent(schema: Schema) -> Iterator[None]:
    """Name the fields at fault as the body does, where the schema has other names than the model."""
    try:
        yield
    except Invalid as error:
        keys = {field.attribute or name: field.data_key or name for name, field in schema.load_fields.items()}
        raise Invalid({_as_sent(keys, name): texts for name, texts in error.errors.items()}) from error


def _as_sent(keys: Mapping[str, str], name: str) -> str:
    """Return the name of a field in the body; of ``lines.0.quantity`` the first part is a field of the schema."""
    first, dot, rest = name.partition(".")
    return f"{keys.get(first, first)}{dot}{rest}"


def json_response(body: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(dump_bytes(body), status, mimetype=JSON)


def empty_response(status: int = 204) -> Response:
    """Answer without a body, and without the content type that Flask would say of it."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response
