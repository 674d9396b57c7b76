"""One contract of errors: a problem document (RFC 9457) for programs, a page for people.

Which of the two is decided by the endpoint: an API's answer is always a problem document, also for what
the router refuses (:mod:`core.http.apis`). Elsewhere it is a page, unless the caller asks for JSON or sends it.
Nothing internal is ever shown: what the answer leaves out is in the log, under the same id.
"""

import logging
from collections.abc import Mapping
from typing import Any

import sqlalchemy.exc
from flask import Flask
from flask import Response
from flask import abort
from flask import current_app
from flask import g
from flask import render_template
from flask import request
from flask_babel import gettext
from flask_babel import lazy_gettext
from flask_wtf.csrf import CSRFError
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import InternalServerError
from werkzeug.exceptions import SecurityError
from werkzeug.http import HTTP_STATUS_CODES

from services import db

from .. import exceptions
from ..access import ANONYMOUS
from ..access import PUBLIC
from ..access import access
from ..access import identity
from ..access import security_log
from ..data import drivers
from ..data import inventory
from ..data import revisions
from ..data import writability
from ..declarations import stays_open
from ..fields.messages import translated
from ..logs import request_id
from ..platform import platform_of
from .apis import is_for_programs
from .challenges import challenge
from .json import dump_bytes
from .languages import language
from .problems import BY_STATUS
from .problems import KINDS
from .problems import Kind
from .problems import Path
from .problems import Problem
from .problems import Refusal
from .problems import field_name
from .sessions import refuse_once
from .sessions import show_to_page
from .sessions import undo_changes
from .sign_in import leads_back
from .sign_in import sign_in_url

logger = logging.getLogger(__name__)

#: After so many seconds a caller may come back when the database was away.
RETRY_AFTER_SECONDS = 2

#: The same while the site is being upgraded.
UPGRADE_SECONDS = 10

_CHANGED = lazy_gettext("It has been changed since it was read.")


def init_app(app: Flask) -> None:
    """Answer every error of this application, raised by a view or by the router."""
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(exceptions.VerbError, answer_problem)
    app.register_error_handler(ValidationError, answer_problem)
    app.register_error_handler(Refusal, answer_problem)
    app.register_error_handler(sqlalchemy.exc.SQLAlchemyError, answer_database)
    app.register_error_handler(InternalServerError, answer_internal)
    app.add_url_rule("/problems/<name>", "problem", show_kind)


def wants_problem() -> bool:
    """Return whether this request's errors are problem documents rather than pages."""
    if is_for_programs(current_app, request):
        return True
    accepted = request.accept_mimetypes
    if request.is_json:
        return accepted["application/json"] >= accepted["text/html"]
    best = accepted.best_match(["text/html", "application/problem+json", "application/json"])
    return best is not None and best != "text/html" and accepted[best] > accepted["text/html"]


# --- from an exception to an answer -------------------------------------------------------------


def answer_http(error: HTTPException) -> Any:
    """Answer what ``abort`` and the router raise; redirects and ready responses pass through."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    return answer(describe(error))


def answer_problem(error: exceptions.VerbError | ValidationError | Refusal) -> Any:
    """Answer what a verb raised, or another refusal, raised by any view."""
    return answer(describe(error))


def answer_database(error: sqlalchemy.exc.SQLAlchemyError) -> Any:
    """Answer 503 while the database is unreachable, busy or out of step, 409 for a lost race, else 500.

    Of what the request has done nothing stays, neither in the database nor in the browser's session.
    """
    db.session.rollback()
    undo_changes()
    return answer(describe(error))


def answer_internal(error: InternalServerError) -> Any:
    """Answer an unhandled exception; Flask has logged it."""
    undo_changes()
    return answer(Problem(KINDS["internal"], str(KINDS["internal"].hint)))


def describe(error: Exception) -> Problem:
    """Say what an exception means to a caller; one that means nothing to them is raised again."""
    match error:
        case Refusal():
            return error.problem
        case CSRFError():
            security_log.record("csrf.refused", security_log.DENIED, target=request.endpoint)
            return Problem(KINDS["csrf"], gettext(str(error.description)))
        case HTTPException():
            return _describe_http(error)
        case ValidationError():
            return Problem(KINDS["invalid"], gettext("See the errors."), flatten(error.normalized_messages()))
        case exceptions.BadQuery():
            return Problem(KINDS["bad-query"], gettext("See the errors."), _placed(error), in_query=True)
        case exceptions.Invalid():
            return Problem(KINDS["invalid"], gettext("See the errors."), _placed(error))
        case exceptions.NotFound():
            return Problem(KINDS["not-found"], str(error) or gettext("There is nothing at this address."))
        case exceptions.Unauthenticated():
            security_log.record("access.unauthenticated", security_log.DENIED, target=request.endpoint)
            return Problem(KINDS["unauthorized"], str(KINDS["unauthorized"].hint), headers=challenge())
        case exceptions.Forbidden():
            return _describe_forbidden(error)
        case exceptions.InUse():
            return Problem(KINDS["in-use"], str(error))
        case exceptions.Unnumbered():
            return _describe_unnumbered(error)
        case exceptions.Stale():
            kind = KINDS["precondition-failed" if "If-Match" in request.headers else "stale"]
            return Problem(kind, str(_CHANGED))
        case sqlalchemy.exc.SQLAlchemyError() if drivers.is_stale(error):
            return Problem(KINDS["stale"], str(_CHANGED))
        case sqlalchemy.exc.IntegrityError() if drivers.is_conflict(error):
            logger.warning("a row collides with what is stored: %s", type(error.orig).__name__)
            return Problem(
                KINDS["conflict"], gettext("Another request has just stored, or deleted, what this one needs.")
            )
        case sqlalchemy.exc.SQLAlchemyError() if drivers.is_transient(error):
            return _describe_database(error)
        case sqlalchemy.exc.DBAPIError() if drivers.is_behind(error):
            return _describe_missing(error)
    raise error


def _describe_database(error: sqlalchemy.exc.SQLAlchemyError) -> Problem:
    # The current identity cannot be looked up either: neither the page nor the choice of its language may try.
    g.setdefault("identity", ANONYMOUS)
    cause = str(getattr(error, "orig", error)).splitlines()[0]
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        # It may not pass by itself: an operator has to make room, or to give the file to this process.
        if drivers.is_read_only(error.orig):
            logger.error("the database may not be written: %s. %s", cause, writability.explain(db.engine))
            return Problem(KINDS["unavailable"], gettext("The database can store nothing right now."), headers=headers)
        if drivers.cannot_write(error):
            logger.error("the database cannot write; look at its disk: %s", cause)
            return Problem(KINDS["unavailable"], gettext("The database can store nothing right now."), headers=headers)
    logger.warning("the database did not answer: %s", cause)
    return Problem(KINDS["unavailable"], gettext("The database does not answer right now."), headers=headers)


def _describe_unnumbered(error: exceptions.Unnumbered) -> Problem:
    logger.error("%s", error)
    detail = gettext("The database has no free number for a new row. Nothing is wrong with what was sent.")
    if current_app.config["APP_ENV"] == "development":
        detail = str(error)
    return Problem(KINDS["unavailable"], detail, headers={"Retry-After": str(UPGRADE_SECONDS)})


def _describe_missing(error: sqlalchemy.exc.DBAPIError) -> Problem:
    """Say that the site is being upgraded, if that is why a table or a column is missing; else it is a bug."""
    try:
        distance = revisions.measure()
        is_cause = not distance.is_none and bool(inventory.lacking(current_app, also_unmigrated=True))
    except sqlalchemy.exc.SQLAlchemyError as lost:
        return describe(lost)
    if not is_cause:
        raise error
    cause = str(error.orig).splitlines()[0]
    logger.error("code and database are out of step: %s %s (%s)", distance, distance.hint, cause)
    detail = gettext("The site is being upgraded.")
    if current_app.config["APP_ENV"] == "development":
        detail = f"{distance} {distance.hint}"
    return Problem(KINDS["unavailable"], detail, headers={"Retry-After": str(UPGRADE_SECONDS)})


def _describe_http(error: HTTPException) -> Problem:
    status = error.code or 500
    kind = BY_STATUS.get(status)
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
        detail = kind.hint if kind else None
    if kind is None:
        kind = Kind(None, status, HTTP_STATUS_CODES.get(status, gettext("Error")), "")
    return Problem(kind, str(detail or kind.title), headers=headers)


def _describe_forbidden(error: exceptions.Forbidden) -> Problem:
    """Answer 403; to the sender of a token with the scope that it takes (RFC 6750, section 3.1)."""
    names = " ".join(sorted(error.permissions)) or None
    security_log.record("access.denied", security_log.DENIED, target=request.endpoint, permission=names)
    headers = {}
    if identity().scopes is not None:
        headers = challenge("insufficient_scope", scopes=error.permissions)
    # The name of a permission is for programs and the log; a page has the hint.
    detail = str(error) if wants_problem() else ""
    return Problem(KINDS["forbidden"], detail or str(KINDS["forbidden"].hint), headers=headers)


def _placed(error: exceptions.Invalid) -> list[tuple[Path, str]]:
    # The parameters of a query string have dots in their names, attributes have not: lines.0.quantity.
    is_query = isinstance(error, exceptions.BadQuery)
    paths = {name: (name,) if is_query else tuple(name.split(".")) for name in error.errors if name}
    return [(paths.get(name, ()), text) for name, texts in error.errors.items() for text in texts]


# --- the answer itself --------------------------------------------------------------------------


def answer(problem: Problem) -> Response:
    """Make the response for one problem, in the form that this request is to get."""
    is_document = wants_problem()
    if not is_document and problem.kind is KINDS["unauthorized"] and leads_back() and (url := sign_in_url()):
        return Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})
    refuse_once()
    response = _document(problem) if is_document else _page(problem)
    response.status_code = problem.kind.status
    response.headers.extend(dict(problem.headers))
    response.headers["Cache-Control"] = "no-store"
    return response


def _document(problem: Problem) -> Response:
    document = problem.document(request.script_root, request_id())
    headers = {"Content-Language": language(), "Vary": "Accept-Language"}
    return Response(dump_bytes(document), mimetype="application/problem+json", headers=headers)


def _page(problem: Problem) -> Response:
    kind = problem.kind
    by_field: dict[str, list[str]] = {}
    for path, message in problem.listed():
        by_field.setdefault(field_name(path), []).append(message)
    if kind.status == 503:
        g.setdefault("identity", ANONYMOUS)
    show_to_page()
    try:
        url = sign_in_url() if kind is KINDS["unauthorized"] else None
        page = render_template("error.html", kind=kind, detail=problem.detail, errors=by_field, sign_in_url=url)
        return Response(page)
    except Exception:
        # The layout itself may be what is broken: the answer must not depend on it.
        logger.exception("the error page could not be rendered")
        return Response(f"{kind.status} {kind.title}\n", mimetype="text/plain")


def flatten(messages: Mapping[Any, Any], path: Path = ()) -> list[tuple[Path, str]]:
    """Bring marshmallow's nested messages into ``[(("lines", 0, "name"), message)]``."""
    found: list[tuple[Path, str]] = []
    for key, value in messages.items():
        place = path if key == "_schema" else (*path, key)
        if isinstance(value, Mapping):
            found += flatten(value, place)
        else:
            found += [(place, translated(text)) for text in (value if isinstance(value, list) else [value])]
    return found


@access(PUBLIC)
@stays_open()
def show_kind(name: str) -> str:
    """Show what a problem's ``type`` means."""
    return render_template(
        "problem.html", kind=KINDS.get(name) or platform_of(current_app).problem_kinds.get(name) or abort(404)
    )
