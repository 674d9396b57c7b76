"""The address at which methods are called."""

from flask import Blueprint
from flask import Response
from flask import current_app
from flask import request

from core.access import PUBLIC
from core.access import access
from core.api.bodies import JSON
from core.api.bodies import WrongMediaType
from core.api.bodies import check_acceptable
from core.api.bodies import empty_response
from core.api.contract import read_query
from core.api.limits import limit
from core.http.apis import mark_api

from .calls import Dispatcher
from .operations import describe

bp = Blueprint("api", __name__, url_prefix="/rpc")
mark_api(bp)

#: Calls of one account, or of one address without a token; each of a batch counts.
RATE_LIMIT = "600 per minute"
limit(bp, RATE_LIMIT)


@bp.post("")
@access(PUBLIC)
def answer() -> Response:
    """Call methods by JSON-RPC 2.0.

    Every request is answered by 200, also where the method fails; 204 if there are notifications only.
    What is no request is answered by 400. Whether a method may be called is asked call by call. Each call
    of a batch is a transaction of its own, and counts in the limit. The method `rpc.discover` describes all
    methods, and so does the page at `/docs/rpc`.
    """
    check_acceptable()
    read_query(None)
    if request.mimetype != JSON:
        raise WrongMediaType((JSON,))
    dispatcher: Dispatcher = current_app.extensions["jsonrpc"]
    reply = dispatcher.answer(request.get_data())
    if reply.body is None:
        return empty_response()
    return Response(reply.body, 400 if reply.refused else 200, mimetype=JSON)


answer.operation = describe  # type: ignore[attr-defined]  # read by what documents the views
