"""Conditional requests (RFC 9110, section 13): what identifies a representation, and changes held to it.

An ETag is the row's version where the columns of the row are all that is shown, ``"3"``. Where
related rows are shown too, the version says nothing of them, and a digest of what is sent follows:
``"3.9f86d081884c7d65"``. Lists, and rows without a version, have the digest alone.
"""

from collections.abc import Callable
from hashlib import sha256

from flask import Response
from flask import request
from werkzeug.exceptions import PreconditionFailed
from werkzeug.exceptions import PreconditionRequired

from .headers import data_is_kept


def make_etag(body: bytes, version: int | None = None, *, only_columns: bool = False) -> str:
    """Return what identifies a representation, without its quotes.

    :param body: the representation as it is sent
    :param only_columns: whether it shows nothing but columns of its row
    """
    if version is not None and only_columns:
        return str(version)
    digest = sha256(body).hexdigest()[:16]
    return digest if version is None else f"{version}.{digest}"


def revalidate(response: Response) -> Response:
    """Let the caller keep an answer that has an ETag, and ask each time: 304 if it is still the same.

    Caches that several people share keep none, as answers may depend on who asks, and no cache what was answered to
    somebody known. A blueprint whose answers do not may say more, by its own ``after_request``.
    """
    response.headers["Cache-Control"] = data_is_kept()
    if "HTTP_IF_NONE_MATCH" in request.environ:
        response.make_conditional(request)
        # The server writes its own, and there would be two.
        response.headers.pop("Date", None)
    return response


def check_version(version: int) -> None:
    """Hold a change to the version that the caller has seen, by ``If-Match``.

    What follows the version in an ETag is not compared: the change is to the row alone.

    :raises PreconditionRequired: 428 if the header is missing
    :raises PreconditionFailed: 412 if the item has changed since
    """
    if "If-Match" not in request.headers:
        raise PreconditionRequired("Send the ETag of the item as If-Match, so that nobody's change is lost.")
    seen = request.if_match
    # werkzeug reads an empty tag as None.
    if not seen.star_tag and all((tag or "").partition(".")[0] != str(version) for tag in seen):
        raise changed()


def check_etag(current: Callable[[], str]) -> None:
    """Hold a change of an item without a version to what the caller has seen, if they say it.

    :param current: gives the item's ETag; called if it is needed
    :raises PreconditionFailed: 412 if the item has changed since
    """
    if "If-Match" in request.headers and not request.if_match.contains(current()):
        raise changed()


def changed() -> PreconditionFailed:
    """Return what to raise where an item is no longer as the caller has seen it."""
    return PreconditionFailed("It has changed since you read it: get it again.")
