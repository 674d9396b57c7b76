"""The two questions of a load balancer: is the process alive, and should it get requests?"""

from typing import Any

from flask import Response
from flask import current_app
from flask import g
from flask import render_template
from flask import request

from core.access import ANONYMOUS
from core.access import allowed
from core.access import permission
from core.http.errors import RETRY_AFTER_SECONDS
from core.http.hosts import any_host
from core.http.problems import KINDS
from core.http.problems import Problem
from core.logs import request_id

from . import bp
from .examination import FAIL
from .examination import Report
from .examination import Result
from .examination import examiner

#: Needed to see details: hosts, paths, tables, messages of drivers.
DETAILS = permission("health.details.read")


@bp.get("/live")
@any_host()
def live() -> Response:
    """Say that the process answers; nothing else is asked."""
    return _answer({"live": True}, 200)


@bp.get("/ready")
@any_host()
def ready() -> Response:
    """Say whether requests should be sent here, check by check."""
    report = examiner().report()
    if not report.is_ready:
        # The current identity may be what cannot be looked up.
        g.setdefault("identity", ANONYMOUS)
    detailed = current_app.config["APP_ENV"] == "development" or (report.is_ready and allowed(DETAILS))
    # Of the kinds that are equally welcome, the first: to curl it is JSON.
    kinds = ["application/json", "application/problem+json", "text/html"]
    if request.accept_mimetypes.best_match(kinds) == "text/html":
        return _page(report, detailed)
    document: dict[str, Any] = {"ready": report.is_ready}
    if not report.is_ready:
        document |= _problem(report).document(request.script_root, request_id())
    document["checks"] = [describe(result, detailed) for result in report.results]
    return _answer(document, 200 if report.is_ready else 503)


def describe(result: Result, detailed: bool) -> dict[str, Any]:
    """Return a check's result as JSON.

    :param detailed: whether to include the details for operators
    """
    found: dict[str, Any] = {"name": result.check.name, "result": result.outcome}
    if result.hint:
        found["hint"] = result.hint
    if result.parts:
        found["modules"] = dict(result.parts) if detailed else dict.fromkeys(result.parts, FAIL)
    if detailed:
        found |= {"rule": result.check.rule, "milliseconds": round(result.milliseconds, 1)}
        if result.message:
            found["message"] = result.message
    return found


def _problem(report: Report) -> Problem:
    failed = [result for result in report.results if result.outcome == FAIL]
    hints = [result.hint for result in failed if result.hint]
    detail = " ".join([f"Failed: {', '.join(result.check.name for result in failed)}.", *hints])
    return Problem(KINDS["unavailable"], detail)


def _page(report: Report, detailed: bool) -> Response:
    can_upgrade = "development.upgrade" in current_app.view_functions
    page = render_template("health/ready.html", report=report, detailed=detailed, can_upgrade=can_upgrade)
    return _finish(Response(page, 200 if report.is_ready else 503))


def _answer(document: dict[str, Any], status: int) -> Response:
    kind = "application/problem+json" if status == 503 else "application/json"
    return _finish(Response(current_app.json.dumps(document) + "\n", status, mimetype=kind))


def _finish(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    if response.status_code == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
