"""The page for a database that is behind the models, with a button that migrates it."""

import importlib
import logging
from typing import Any

from flask import flash
from flask import g
from flask import redirect
from flask import render_template
from flask import request
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import ProgrammingError
from werkzeug.wrappers import Response

from core.access import ANONYMOUS
from core.access import PUBLIC
from core.access import access
from core.data import drivers
from core.data import revisions
from core.http import errors
from core.http.links import own_url
from core.http.redirects import safe_next
from services import db

logger = logging.getLogger(__name__)


def install(state: BlueprintSetupState) -> None:
    """Explain a failed statement where a migration is missing or was not run."""
    app = state.app
    if app.config["APP_ENV"] != "development":
        return
    app.register_error_handler(OperationalError, answer)
    app.register_error_handler(ProgrammingError, answer)
    state.add_url_rule("/_development/upgrade", "upgrade", upgrade, methods=["POST"])


def answer(error: DBAPIError) -> Any:
    """Show the revisions that are not run, with a button that runs them, or that one is not written yet."""
    db.session.rollback()
    if not drivers.is_behind(error) or errors.wants_problem():
        return errors.answer_database(error)
    logger.error("a table or a column is missing", exc_info=error)
    back = own_url() if request.method == "GET" else f"{request.script_root}/"
    cause = getattr(error, "orig", error)
    # The current identity may be what cannot be looked up.
    g.setdefault("identity", ANONYMOUS)
    distance = revisions.measure()
    page = render_template("development/behind.html", distance=distance, error=cause, back=back)
    return page, 500 if distance.is_none else 503, {"Cache-Control": "no-store"}


# Only in development, where only this machine is answered.
@access(PUBLIC)
def upgrade() -> Response:
    """Bring the database to head and go back to the page that failed."""
    db.session.close()
    # Alembic is a fifth of the start, and needed here only.
    migrations = importlib.import_module("core.migrations")
    migrations.upgrade(db.engine.url)
    flash(gettext("The database is at head."), "success")
    return redirect(safe_next(request.form.get("back"), f"{request.script_root}/"), 303)
