"""The kinds of problem that this platform answers with, each with a page of its own.

A kind's ``type`` is ``/problems/<name>`` and never changes: clients decide by it (RFC 9457,
section 3.1.1).
"""

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from urllib.parse import quote

from flask_babel import gettext
from flask_babel import lazy_gettext

#: Characters allowed unescaped in a fragment, besides letters and digits (RFC 3986, section 3.5).
_IN_FRAGMENT = "-._~!$&'()*+,;=:@?"

#: Errors that one answer lists.
MOST_ERRORS = 20

#: A place in a body: the names, and the numbers in arrays, that lead there. The whole body is ``()``.
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of problem.

    :param name: the last part of its type; ``None`` where the status says it all (``about:blank``)
    :param title: what happened, in a few words, the same every time
    :param hint: what the caller can do
    """

    name: str | None
    status: int
    title: str
    hint: str

    def type_url(self, root: str) -> str:
        """Return what identifies the kind in an answer.

        :param root: the path at which the application is mounted
        """
        return "about:blank" if self.name is None else f"{root}/problems/{self.name}"


_KINDS = (
    Kind(
        "bad-request",
        400,
        lazy_gettext("The request cannot be understood"),
        lazy_gettext("Correct the request as the detail says; the same one again gets the same answer."),
    ),
    Kind(
        "bad-query",
        400,
        lazy_gettext("The query string cannot be understood"),
        lazy_gettext("Correct the parameters named in `errors`."),
    ),
    Kind(
        "csrf",
        400,
        lazy_gettext("The form cannot be trusted"),
        lazy_gettext("Load the page again and send its form once more: it carries a fresh token."),
    ),
    Kind(
        "unauthorized",
        401,
        lazy_gettext("Sign in first"),
        lazy_gettext("Sign in, or as a program send a token as `Authorization: Bearer`."),
    ),
    Kind("forbidden", 403, lazy_gettext("Not allowed"), lazy_gettext("Ask an administrator for the permission.")),
    Kind(
        "not-found",
        404,
        lazy_gettext("Not found"),
        lazy_gettext("Check the address; what it named may have been deleted or moved."),
    ),
    Kind(
        "method-not-allowed",
        405,
        lazy_gettext("The method is not served here"),
        lazy_gettext("Use one of the methods in the `Allow` header."),
    ),
    Kind(
        "not-acceptable", 406, lazy_gettext("No acceptable representation"), lazy_gettext("Accept `application/json`.")
    ),
    Kind(
        "request-timeout",
        408,
        lazy_gettext("The request did not arrive in time"),
        lazy_gettext("Send it again, on a line that is fast enough, or send less at once."),
    ),
    Kind("in-use", 409, lazy_gettext("Others depend on it"), lazy_gettext("Delete or change what points to it first.")),
    Kind(
        "stale",
        409,
        lazy_gettext("It has changed since it was read"),
        lazy_gettext("Read it again and decide what to keep."),
    ),
    Kind(
        "conflict",
        409,
        lazy_gettext("It collides with what is stored"),
        lazy_gettext("Load it again and look: another request, perhaps the same one sent twice, was faster."),
    ),
    Kind(
        "idempotency-in-flight",
        409,
        lazy_gettext("The same request is being answered"),
        lazy_gettext("Send it again, with the same `Idempotency-Key`, after the seconds in `Retry-After`."),
    ),
    Kind(
        "precondition-failed",
        412,
        lazy_gettext("It has changed since it was read"),
        lazy_gettext("Get it again, apply the change to what it is now, and send the new `ETag` as `If-Match`."),
    ),
    Kind("too-large", 413, lazy_gettext("The body is too large"), lazy_gettext("Send less at once.")),
    Kind(
        "unsupported-media-type",
        415,
        lazy_gettext("The content type is not understood"),
        lazy_gettext("Send the body as `application/json`."),
    ),
    Kind("invalid", 422, lazy_gettext("The data is not valid"), lazy_gettext("Correct the fields named in `errors`.")),
    Kind(
        "idempotency-key-reused",
        422,
        lazy_gettext("The key belongs to another request"),
        lazy_gettext(
            "Make a new `Idempotency-Key` for each thing to be done; keep it only to send the very same again."
        ),
    ),
    Kind(
        "precondition-required",
        428,
        lazy_gettext("A condition is missing"),
        lazy_gettext("Get the resource first and send its `ETag` as `If-Match`, so that no change is lost."),
    ),
    Kind(
        "too-many-requests",
        429,
        lazy_gettext("Too many requests"),
        lazy_gettext("Wait for the seconds in `Retry-After`."),
    ),
    Kind(
        "internal",
        500,
        lazy_gettext("Something went wrong here"),
        lazy_gettext("It has been logged. Try again later; if it stays, report it with the request id."),
    ),
    Kind(
        "unavailable",
        503,
        lazy_gettext("Not available right now"),
        lazy_gettext("Try again after the seconds in `Retry-After`."),
    ),
)

KINDS = {kind.name: kind for kind in _KINDS}

#: The kind that a bare HTTP status means, where nothing more exact is known.
BY_STATUS = {kind.status: kind for kind in reversed(_KINDS)}


@dataclass(frozen=True)
class Problem:
    """An error of one request, or of one part of it.

    :param errors: each at its place; those after the first :data:`MOST_ERRORS` are only counted
    :param in_query: whether the places are parameters of the query string, not of the body
    :param headers: of the answer
    """

    kind: Kind
    detail: str
    errors: Sequence[tuple[Path, str]] = ()
    in_query: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, root: str, request_id: str | None = None, at: Path = ()) -> dict[str, Any]:
        """Return the problem document (RFC 9457).

        :param root: the path at which the application is mounted
        :param at: where in the body of the request the part stands that has the problem
        """
        document: dict[str, Any] = {
            "type": self.kind.type_url(root),
            "title": str(self.kind.title),
            "status": self.kind.status,
            "detail": str(self.detail),
        }
        if request_id is not None:
            document["request_id"] = request_id
        if self.errors:
            document["errors"] = [self._error((*at, *path), message) for path, message in self.listed()]
        return document

    def listed(self) -> list[tuple[Path, str]]:
        """Return the errors that are listed: a body of thousands of wrong names gets a short answer."""
        more = len(self.errors) - MOST_ERRORS
        return (
            [*self.errors[:MOST_ERRORS], ((), gettext("And %(number)s more.", number=more))]
            if more > 0
            else list(self.errors)
        )

    def _error(self, path: Path, message: str) -> dict[str, str]:
        place = {"field": field_name(path), "message": message}
        if not self.in_query:
            return {**place, "pointer": pointer(path)}
        return {**place, "parameter": str(path[0])} if path else place


class Refusal(Exception):
    """Refuse a request with a complete problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def field_name(path: Path) -> str:
    """Write a place for people: ``lines.0.name``."""
    return ".".join(map(str, path))


def pointer(path: Path) -> str:
    """Write a place for programs, a JSON Pointer as a URI's fragment (RFC 6901, section 6): ``#/lines/0/name``."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join(f"/{quote(part, _IN_FRAGMENT)}" for part in parts)
