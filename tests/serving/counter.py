"""A module whose answers say which process gave them, and which code: to see a server change its workers."""

import os
import time
from pathlib import Path
from typing import Any

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import request
from sqlalchemy import text

from core.factory import create_app
from services import csrf
from services import db

bp = Blueprint("counter", __name__, url_prefix="/counter")

#: Application that gunicorn serves.
TARGET = (f"{__name__}:make()",)

#: As it was when this was imported.
CODE = Path(os.environ["COUNTER_CODE"]).read_text() if "COUNTER_CODE" in os.environ else ""


@bp.get("/who")
def who() -> dict[str, Any]:
    return {"worker": os.getpid(), "code": CODE}


@bp.get("/row")
def row() -> dict[str, Any]:
    """Give what was asked for, by way of the database: two workers on one connection would mix answers up."""
    asked = request.args["number"]
    found = db.session.scalar(text("SELECT CAST(:number AS INTEGER)"), {"number": int(asked)})
    return {"worker": os.getpid(), "code": CODE, "number": found}


@bp.get("/slow")
def slow() -> dict[str, Any]:
    time.sleep(float(request.args["seconds"]))
    return {"worker": os.getpid(), "code": CODE}


@bp.get("/wait")
def wait() -> dict[str, Any]:
    """Wait 20 ms for a PostgreSQL that is busy."""
    db.session.execute(text("SELECT pg_sleep(0.02)"))
    return {"worker": os.getpid(), "code": CODE}


@csrf.exempt
@bp.post("/body")
def body() -> dict[str, int]:
    return {"length": len(request.get_data())}


@bp.post("/page")
def page() -> dict[str, Any]:
    """Take a form, which the check of forms reads before."""
    return {"names": [*request.form]}


@bp.get("/large")
def large() -> Response:
    """Give more than the system holds for a reader who does not read."""
    return Response(b"x" * 30_000_000, mimetype="application/octet-stream")


@bp.get("/link/<token>")
def link(token: str) -> dict[str, str]:
    return {}


def make() -> Flask:
    """Return an application of this module alone, for servers that want a factory."""
    return create_app(installed_apps=[__name__])
