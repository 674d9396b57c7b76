"""Answer JSON-RPC 2.0: bytes in, bytes or nothing out. No HTTP, no database.

The specification is at https://www.jsonrpc.org/specification. Where it leaves a choice: an ``id`` is a
text, a whole number of 64 bits or null; a request has no other members; ids need not differ within a
batch; the calls of a batch run one after the other, in their order.
"""

import logging
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from flask_babel import format_decimal
from flask_babel import gettext

from core.http.json import dump_bytes
from core.http.json import load_strictly

from .annotations import LARGEST
from .annotations import SMALLEST
from .errors import INTERNAL_ERROR
from .errors import INVALID_REQUEST
from .errors import METHOD_NOT_FOUND
from .errors import PARSE_ERROR
from .errors import PROBLEM_CODES
from .errors import CallError
from .methods import Method

logger = logging.getLogger(__name__)

#: Calls that one batch may have, unless said otherwise.
MOST_CALLS = 50

#: After so many seconds no further call of a batch is begun: a server ends a request that holds it for long, and the
#: caller would not know which calls were done.
BATCH_SECONDS = 5.0

MEMBERS = {"jsonrpc", "method", "params", "id"}

#: Runs a method with its arguments and returns its result as JSON; may raise CallError.
Runner = Callable[[Method, list[Any], dict[str, Any]], bytes]

#: Asks whether a method may be called at all; may raise CallError.
Guard = Callable[[Method], None]

#: Counts the calls of a batch before the first; what it raises is the answer to the whole batch.
Meter = Callable[[int], None]

Response = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """Response to a call.

    :param body: ``None`` where nothing is to be said: notifications only
    :param refused: whether the whole of what came was no request, and no batch of 1 to the most calls
    """

    body: bytes | None
    refused: bool = False


class Dispatcher:
    """Answers what callers send.

    :param run: what is around each call: a transaction, the words for its errors
    :param admit: is asked before each call, and before its parameters are read
    :param most_calls: in one batch
    :param count: is given the number of a batch's calls
    :param seconds: gives how long a batch may take before its next call
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        run: Runner = Method.call,
        admit: Guard = lambda method: None,
        most_calls: int = MOST_CALLS,
        count: Meter = lambda calls: None,
        seconds: Callable[[], float] = lambda: BATCH_SECONDS,
    ) -> None:
        self.methods = methods
        self.run = run
        self.admit = admit
        self.most_calls = most_calls
        self.count = count
        self.seconds = seconds

    def answer(self, body: bytes) -> Reply:
        """Answer one request, or one batch of them. Nothing that is sent makes this raise, but what ``count`` does."""
        try:
            sent = load_strictly(body)
        except ValueError:
            return _refuse(CallError(PARSE_ERROR))
        if isinstance(sent, list):
            return self._answer_batch(sent)
        try:
            _check_request(sent)
        except CallError as error:
            return _refuse(error)
        response = self._respond(sent)
        return Reply(None if response is None else dump_bytes(response))

    def _answer_batch(self, sent: list[Any]) -> Reply:
        if not sent:
            return _refuse(CallError(INVALID_REQUEST))
        if len(sent) > self.most_calls:
            return _refuse(
                _invalid(gettext("A batch has at most %(most_calls)s calls: send several.", most_calls=self.most_calls))
            )
        self.count(len(sent))
        seconds = self.seconds()
        end = time.monotonic() + seconds
        late = _late(seconds)
        responses = [response for one in sent if (response := self._respond_in_batch(one, end, late)) is not None]
        return Reply(dump_bytes(responses) if responses else None)

    def _respond_in_batch(self, request: Any, end: float, late: CallError) -> Response | None:
        try:
            _check_request(request)
        except CallError as error:
            return _response(None, error=error.document())
        if time.monotonic() > end:
            return _response(request["id"], error=late.document()) if "id" in request else None
        return self._respond(request)

    def _respond(self, request: Mapping[str, Any]) -> Response | None:
        """Answer one request; a notification never is, whatever comes of it (section 4.1)."""
        try:
            outcome = {"result": self._call(request)}
        except CallError as error:
            outcome = {"error": error.document()}
        return _response(request["id"], **outcome) if "id" in request else None

    def _call(self, request: Mapping[str, Any]) -> Any:
        method = self.methods.get(request["method"])
        if method is None:
            raise CallError(METHOD_NOT_FOUND)
        try:
            self.admit(method)
            args, kwargs = method.signature.bind(request.get("params", []))
            return orjson.Fragment(self.run(method, args, kwargs))
        except CallError:
            raise
        except Exception as error:
            # Its words may contain internals.
            logger.exception("the method %s failed", method.name)
            raise CallError(INTERNAL_ERROR) from error


def _refuse(error: CallError) -> Reply:
    return Reply(dump_bytes(_response(None, error=error.document())), refused=True)


def _response(id: str | int | None, **outcome: Any) -> Response:
    return {"jsonrpc": "2.0", **outcome, "id": id}


def _check_request(request: Any) -> None:
    """Refuse what is no request (section 4).

    :raises CallError: with the reason, where the specification's own examples have none
    """
    if not isinstance(request, dict) or "jsonrpc" not in request or not isinstance(request.get("method"), str):
        raise CallError(INVALID_REQUEST)
    if request["jsonrpc"] != "2.0":
        raise _invalid(gettext('The member "jsonrpc" must be exactly "2.0".'))
    if not isinstance(request.get("params", []), list | dict):
        raise _invalid(gettext('The member "params" must be an array or an object; leave it out where there are none.'))
    if "id" in request and not _is_id(request["id"]):
        raise _invalid(gettext('The member "id" must be a text, a whole number of 64 bits, or null.'))
    if not request.keys() <= MEMBERS:
        raise _invalid(gettext("A request has no members but %(names)s.", names=", ".join(sorted(MEMBERS))))


def _late(seconds: float) -> CallError:
    detail = gettext(
        "The batch has taken its %(seconds)s seconds: this call was not begun. Send it again, with fewer.",
        seconds=format_decimal(seconds),
    )
    return CallError(PROBLEM_CODES["unavailable"], "Not available right now", {"detail": detail})


def _invalid(detail: str) -> CallError:
    return CallError(INVALID_REQUEST, data={"detail": detail})


def _is_id(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return SMALLEST <= value <= LARGEST
    return value is None or isinstance(value, str)
