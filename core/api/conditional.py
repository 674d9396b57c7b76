"""Conditional requests (RFC 9110, section 13): what identifies a representation, and changes held to it.

An ETag is the row's version where the columns of the row are all that is shown, ``"3"``. Where
related rows are shown too, the version says nothing of them, and a digest of what is sent follows:
``"3.9f86d081884c7d65"``. Lists, and rows without a version, have the digest alone.
"""

import re
from collections.abc import Callable
from collections.abc import Iterable
from hashlib import sha256

from flask import Response
from flask import request
from flask_babel import gettext
from werkzeug.datastructures import ETags
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import PreconditionFailed
from werkzeug.exceptions import PreconditionRequired
from werkzeug.http import parse_etags

from ..http.headers import data_is_kept

#: Syntax of the header; werkzeug accepts malformed ones as well.
_TAGS = re.compile(r'\*|[ \t,]*(?:(?:W/)?"[^"]*"[ \t,]*)+')


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
    known identity. A blueprint whose answers do not may say more, by its own ``after_request``.
    """
    response.headers["Cache-Control"] = data_is_kept()
    if "HTTP_IF_MATCH" in request.environ and request.method in ("GET", "HEAD"):
        wanted = _read_tags("If-Match")
        if wanted is not None and not wanted.contains(response.get_etag()[0] or ""):
            raise changed()
    if "HTTP_IF_NONE_MATCH" in request.environ:
        response.make_conditional(request)
        # The server writes its own, and there would be two.
        response.headers.pop("Date", None)
    return response


def check_version(version: int) -> None:
    """Hold a change to the version that the caller has seen, by ``If-Match`` and ``If-None-Match``.

    What follows the version in an ETag is not compared: the change is to the row alone. The headers with dates are
    ignored, as no answer has a date of its own (RFC 9110, section 13.1.4).

    :raises PreconditionFailed: 412 if the item has changed since, or if it must not be there
    :raises PreconditionRequired: 428 if ``If-Match`` is missing
    """
    _check(lambda tag: tag.partition(".")[0] == str(version))
    if "If-Match" not in request.headers:
        raise PreconditionRequired(gettext("Send the ETag of the item as If-Match, so that no change is lost."))


def check_etag(current: Callable[[], str | None], *, exists: bool = True) -> None:
    """Hold a change of what has no version to what the caller has seen, if they say it.

    :param current: gives the ETag of what the request is sent to, ``None`` if the caller may not see it; called if it
        is needed
    :param exists: whether there is something that a GET would show
    :raises PreconditionFailed: 412 if it has changed since, or if it must not be there
    """
    _check(lambda tag: exists and tag == current(), exists=exists)


def _check(is_current: Callable[[str], bool], *, exists: bool = True) -> None:
    """Evaluate the conditions of a change, in the order of RFC 9110, section 13.2.2."""

    def is_any_current(tags: Iterable[str | None]) -> bool:
        # Werkzeug 3.1 reads an ETag without characters as None.
        return any(is_current(tag or "") for tag in tags)

    wanted = _read_tags("If-Match")
    if wanted is not None and not (exists if wanted.star_tag else is_any_current(wanted)):
        raise changed()
    refused = _read_tags("If-None-Match")
    if refused is not None and (exists if refused.star_tag else is_any_current(refused.as_set(True))):
        raise PreconditionFailed(gettext("It is there in a state that If-None-Match excludes: nothing was changed."))


def _read_tags(name: str) -> ETags | None:
    """Return the ETags of a header; ``None`` if it is not there. A weak one never fulfils ``If-Match``.

    :raises BadRequest: if it is no list of them
    """
    text = request.headers.get(name)
    if text is None:
        return None
    text = text.strip()
    if not _TAGS.fullmatch(text):
        raise BadRequest(gettext('%(name)s is no list of ETags: write * or, in quotes, "1".', name=name))
    return parse_etags(text)


def changed() -> PreconditionFailed:
    """Return what to raise where an item is no longer as the caller has seen it."""
    return PreconditionFailed(gettext("It has changed since you read it: get it again."))
