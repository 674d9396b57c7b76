"""A call is a transaction: what succeeds is committed, what fails leaves nothing behind.

And what it may cost: who may call it, and how long a batch goes on.
"""

from typing import Any

from flask import request

from core.access import identity
from core.access import require
from core.crud import transaction
from core.http.errors import RETRY_AFTER_SECONDS
from core.http.errors import describe
from core.http.problems import KINDS
from core.http.problems import Kind
from core.http.problems import Problem
from core.logs import request_id

from .calls import BATCH_SECONDS
from .errors import OTHER_PROBLEM
from .errors import PROBLEM_CODES
from .errors import CallError
from .methods import Method

#: After so many seconds no further call of an anonymous visitor's batch is begun.
ANONYMOUS_SECONDS = 1.0


def batch_seconds() -> float:
    """Return how long a batch of the current identity may take before its next call."""
    return BATCH_SECONDS if identity().is_known else ANONYMOUS_SECONDS


def admit(method: Method) -> None:
    """Raise unless the current identity satisfies the method's policy.

    :raises CallError: if they may not
    """
    if method.policy is None:
        return
    try:
        require(method.policy)
    except Exception as error:
        problem = describe(error)
        if not _is_for_callers(problem.kind):
            raise
        raise _call_error(problem) from error


def run(method: Method, args: list[Any], kwargs: dict[str, Any]) -> bytes:
    """Call a method in a transaction of its own.

    :raises CallError: for what its caller can do something about; the data is a problem document
    """
    try:
        # Written before it is committed: a result that is no JSON undoes the call.
        with transaction():
            return method.call(args, kwargs)
    except Exception as error:
        # Errors without a meaning for the caller are raised again here.
        problem = describe(error)
        if not _is_for_callers(problem.kind):
            raise
        raise _call_error(problem) from error


def _is_for_callers(kind: Kind) -> bool:
    return 400 <= kind.status < 500 or kind is KINDS["unavailable"]


def _call_error(problem: Problem) -> CallError:
    kind = problem.kind
    data = problem.document(request.script_root, request_id())
    if kind is KINDS["unavailable"]:
        data["retry_after"] = RETRY_AFTER_SECONDS
    for error in data.get("errors", ()):
        # It would point into a body that the method has never seen.
        error.pop("pointer", None)
    return CallError(PROBLEM_CODES.get(kind.name or "", OTHER_PROBLEM), str(kind.title), data)
