"""Errors of a call: the codes of JSON-RPC 2.0 (section 5.1), and those of this platform."""

from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

MESSAGES = {
    PARSE_ERROR: "Parse error",
    INVALID_REQUEST: "Invalid Request",
    METHOD_NOT_FOUND: "Method not found",
    INVALID_PARAMS: "Invalid params",
    INTERNAL_ERROR: "Internal error",
}

#: The code of each kind of problem (:mod:`core.http.problems`) that a method may meet. They never change.
PROBLEM_CODES = {
    "not-found": -32001,
    "invalid": -32002,
    "in-use": -32003,
    "stale": -32004,
    "precondition-failed": -32004,
    "unavailable": -32005,
    "unauthorized": -32006,
    "forbidden": -32007,
    "too-many-requests": -32008,
    "conflict": -32009,
}

#: The code of any other problem; its ``data`` says which.
OTHER_PROBLEM = -32000


class CallError(Exception):
    """A call fails, in words for its caller.

    :param data: what else the caller should know, as JSON shows it; ``None`` for nothing
    """

    def __init__(self, code: int, message: str | None = None, data: Any = None) -> None:
        self.code = code
        self.message = message or MESSAGES[code]
        self.data = data
        super().__init__(self.message)

    def document(self) -> dict[str, Any]:
        """Return the error object (section 5.1)."""
        found = {"code": self.code, "message": self.message}
        return found if self.data is None else {**found, "data": self.data}
