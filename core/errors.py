"""One contract of errors: a problem document (RFC 9457) for programs, a page for people.

Which of the two is decided by the path: below an API's prefix it is always a problem document,
also for what the router refuses. Elsewhere it is a page, unless the caller asks for JSON.
Nothing internal is ever shown: what the answer leaves out is in the log, under the same id.
"""

import logging
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import sqlalchemy.exc
from flask import Flask
from flask import Response
from flask import abort
from flask import current_app
from flask import render_template
from flask import request
from flask_wtf.csrf import CSRFError
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import InternalServerError
from werkzeug.exceptions import SecurityError
from werkzeug.http import HTTP_STATUS_CODES

from services import db
from services import request_id

from . import drivers
from . import exceptions
from .apis import is_api_path
from .json import dump_bytes
from .problems import BY_STATUS
from .problems import KINDS
from .problems import Kind

logger = logging.getLogger(__name__)

#: After so many seconds a caller may come back when the database was away.
RETRY_AFTER_SECONDS = 2

#: Errors that one answer lists.
MOST_ERRORS = 20


def init_app(app: Flask) -> None:
    """Answer every error of this application, raised by a view or by the router."""
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(CSRFError, answer_csrf)
    app.register_error_handler(exceptions.VerbError, answer_verb)
    app.register_error_handler(ValidationError, answer_validation)
    app.register_error_handler(sqlalchemy.exc.SQLAlchemyError, answer_database)
    app.register_error_handler(InternalServerError, answer_internal)
    app.add_url_rule("/problems/<name>", "problem", show_kind)


def wants_problem() -> bool:
    """Return whether this request's errors are problem documents rather than pages."""
    if is_api_path(current_app, request.path):
        return True
    accepted = request.accept_mimetypes
    best = accepted.best_match(["text/html", "application/problem+json", "application/json"])
    return best is not None and best != "text/html" and accepted[best] > accepted["text/html"]


# --- from an exception to an answer -------------------------------------------------------------


def answer_http(error: HTTPException) -> Any:
    """Answer what ``abort`` and the router raise; redirects and ready responses pass through."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    kind = BY_STATUS.get(error.code)
    headers = {name: value for name, value in error.get_headers() if not name.startswith("Content-")}
    # Flask-RESTful's abort(422, message=...) keeps its words in `data`.
    data = getattr(error, "data", None)
    detail = data.get("message") if isinstance(data, Mapping) else error.description
    if isinstance(error, SecurityError):
        logger.warning("%s Add it to TRUSTED_HOSTS if it is ours.", detail)
        if current_app.config["APP_ENV"] == "development":
            detail = f"{detail} If it is yours, add it to TRUSTED_HOSTS in .env."
    if detail == type(error).description:
        # Werkzeug's own words say less than ours.
        detail = kind.cure if kind else None
    if kind is None:
        title = HTTP_STATUS_CODES.get(error.code, "Error")
        kind = Kind(None, error.code, title, "")
    return answer(kind, str(detail or kind.title), headers=headers)


def answer_csrf(error: CSRFError) -> Any:
    """Answer a form without a valid token."""
    return answer(KINDS["csrf"], str(error.description))


def answer_verb(error: exceptions.VerbError) -> Any:
    """Answer what a verb raised."""
    match error:
        case exceptions.NotFound():
            return answer(KINDS["not-found"], str(error) or "There is nothing at this address.")
        case exceptions.BadQuery():
            return answer(KINDS["bad-query"], "See the errors.", errors=error.errors)
        case exceptions.Invalid():
            return answer(KINDS["invalid"], "See the errors.", errors=error.errors)
        case exceptions.InUse():
            return answer(KINDS["in-use"], str(error))
        case exceptions.Stale():
            kind = KINDS["precondition-failed" if "If-Match" in request.headers else "stale"]
            return answer(kind, "Somebody else has changed it since it was read.")
    raise error


def answer_validation(error: ValidationError) -> Any:
    """Answer marshmallow's refusal, raised by any view."""
    return answer(KINDS["invalid"], "See the errors.", errors=flatten(error.normalized_messages()))


def answer_database(error: sqlalchemy.exc.SQLAlchemyError) -> Any:
    """Answer 503 while the database is unreachable or busy; other database errors are bugs: 500."""
    db.session.rollback()
    if not drivers.is_transient(error):
        raise error
    logger.warning("the database did not answer: %s", str(getattr(error, "orig", error)).splitlines()[0])
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return answer(KINDS["unavailable"], "The database does not answer right now.", headers=headers)


def answer_internal(error: InternalServerError) -> Any:
    """Answer what nobody foresaw; Flask has logged it."""
    return answer(KINDS["internal"], KINDS["internal"].cure)


# --- the answer itself --------------------------------------------------------------------------


def answer(
    kind: Kind,
    detail: str,
    *,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make the response for one problem, in the form that this request is to get."""
    make = _problem if wants_problem() else _page
    response = make(kind, detail, _listed(errors or {}))
    response.status_code = kind.status
    response.headers.extend(dict(headers or {}))
    response.headers["Cache-Control"] = "no-store"
    return response


def _listed(errors: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Bring the errors into ``[(field, message)]``; a body of thousands of wrong names gets a short answer."""
    pairs = [(name, message) for name, messages in errors.items() for message in messages]
    more = len(pairs) - MOST_ERRORS
    return [*pairs[:MOST_ERRORS], ("", f"And {more} more.")] if more > 0 else pairs


def _problem(kind: Kind, detail: str, errors: Sequence[tuple[str, str]]) -> Response:
    document: dict[str, Any] = {
        "type": kind.type_url(request.script_root),
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "request_id": request_id(),
    }
    if errors:
        document["errors"] = [{"field": name, "message": message} for name, message in errors]
    return Response(dump_bytes(document), mimetype="application/problem+json")


def _page(kind: Kind, detail: str, errors: Sequence[tuple[str, str]]) -> Response:
    by_field: dict[str, list[str]] = {}
    for name, message in errors:
        by_field.setdefault(name, []).append(message)
    try:
        return Response(render_template("error.html", kind=kind, detail=detail, errors=by_field))
    except Exception:
        # The layout itself may be what is broken: the answer must not depend on it.
        logger.exception("the error page could not be rendered")
        return Response(f"{kind.status} {kind.title}\n", mimetype="text/plain")


def flatten(messages: Mapping[Any, Any], prefix: str = "") -> dict[str, list[str]]:
    """Bring marshmallow's nested messages into ``{"lines.0.name": [message]}``."""
    found: dict[str, list[str]] = {}
    for key, value in messages.items():
        name = prefix if key == "_schema" else f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping):
            found |= flatten(value, name)
        else:
            found[name] = [str(text) for text in (value if isinstance(value, list) else [value])]
    return found


def show_kind(name: str) -> str:
    """Show what a problem's ``type`` means."""
    return render_template("problem.html", kind=KINDS.get(name) or abort(404))
