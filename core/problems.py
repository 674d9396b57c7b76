"""The kinds of problem that this platform answers with, each with a page of its own.

A kind's ``type`` is ``/problems/<name>`` and never changes: clients decide by it (RFC 9457,
section 3.1.1).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of problem.

    :param name: the last part of its type; ``None`` where the status says it all (``about:blank``)
    :param title: what happened, in a few words, the same every time
    :param cure: what whoever gets it can do
    """

    name: str | None
    status: int
    title: str
    cure: str

    def type_url(self, root: str) -> str:
        """Return what identifies the kind in an answer.

        :param root: the path at which the application is mounted
        """
        return "about:blank" if self.name is None else f"{root}/problems/{self.name}"


_KINDS = (
    Kind(
        "bad-request",
        400,
        "The request cannot be understood",
        "Correct the request as the detail says; the same one again gets the same answer.",
    ),
    Kind(
        "bad-query",
        400,
        "The query string cannot be understood",
        "Correct the parameters named in `errors`.",
    ),
    Kind(
        "csrf",
        400,
        "The form cannot be trusted",
        "Load the page again and send its form once more: it carries a fresh token.",
    ),
    Kind("unauthorized", 401, "Sign in first", "Send valid credentials."),
    Kind("forbidden", 403, "Not allowed", "Ask somebody who may, or for the permission."),
    Kind("not-found", 404, "Not found", "Check the address; what it named may have been deleted or moved."),
    Kind(
        "method-not-allowed",
        405,
        "The method is not served here",
        "Use one of the methods in the `Allow` header.",
    ),
    Kind("not-acceptable", 406, "No acceptable representation", "Accept `application/json`."),
    Kind("in-use", 409, "Others depend on it", "Delete or change what points to it first."),
    Kind("stale", 409, "It has changed since it was read", "Read it again and decide what to keep."),
    Kind(
        "precondition-failed",
        412,
        "It has changed since it was read",
        "Get it again, apply the change to what it is now, and send the new `ETag` as `If-Match`.",
    ),
    Kind("too-large", 413, "The body is too large", "Send less at once."),
    Kind(
        "unsupported-media-type",
        415,
        "The content type is not understood",
        "Send the body as `application/json`.",
    ),
    Kind("invalid", 422, "The data is not valid", "Correct the fields named in `errors`."),
    Kind(
        "precondition-required",
        428,
        "A condition is missing",
        "Get the resource first and send its `ETag` as `If-Match`, so that nobody's change is lost.",
    ),
    Kind("too-many-requests", 429, "Too many requests", "Wait for the seconds in `Retry-After`."),
    Kind(
        "internal",
        500,
        "Something went wrong here",
        "It has been logged. Try again later; if it stays, report it with the request id.",
    ),
    Kind("unavailable", 503, "Not available right now", "Try again after the seconds in `Retry-After`."),
)

KINDS = {kind.name: kind for kind in _KINDS}

#: The kind that a bare HTTP status means, where nothing more exact is known.
BY_STATUS = {kind.status: kind for kind in reversed(_KINDS)}
