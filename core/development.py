"""What only a developer sees: that the database is behind the models, or why nothing starts."""

import logging
import re
import traceback
from typing import Any

from flask import Flask
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.serving import WSGIRequestHandler
from werkzeug.wrappers import Response

import config as deployment
from services import db

from . import drivers
from .access import PUBLIC
from .http import errors
from .http.policies import access
from .http.redirects import safe_next
from .lazy import migrations

logger = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Look, when a statement fails, whether a table or column is missing for want of a migration."""
    app.register_error_handler(OperationalError, answer)
    app.register_error_handler(ProgrammingError, answer)
    app.add_url_rule("/_development/upgrade", "development_upgrade", upgrade, methods=["POST"])


def answer(error: SQLAlchemyError) -> Any:
    """Show the revisions that are not run, with a button that runs them, or that one is not written yet."""
    db.session.rollback()
    if not _is_missing(error) or errors.wants_problem():
        return errors.answer_database(error)
    logger.error("a table or a column is missing", exc_info=error)
    with db.engine.connect() as connection:
        waiting = migrations.pending(connection)
    back = request.full_path.rstrip("?") if request.method == "GET" else "/"
    cause = getattr(error, "orig", error)
    return render_template("development/behind.html", revisions=waiting, error=cause, back=back), 500


def _is_missing(error: SQLAlchemyError) -> bool:
    """Return whether a statement names a table or a column that the database does not have."""
    cause = getattr(error, "orig", None)
    state, number = drivers.codes(cause)
    in_words = re.match(r"no such (table|column)|table \S+ has no column", str(cause))
    return state in ("42P01", "42703") or number in (1146, 1054) or in_words is not None


# Only in development, where only this machine is answered.
@access(PUBLIC)
def upgrade() -> Response:
    """Bring the database to head and go back to the page that failed."""
    db.session.close()
    migrations.upgrade(db.engine.url)
    flash("The database is at head.", "success")
    return redirect(f"{request.script_root}{safe_next(request.form.get('back'), '/')}", 303)


class RequestHandler(WSGIRequestHandler):
    """The development server's, which does not tell its and Python's versions."""

    def version_string(self) -> str:
        """Return what the header ``Server`` says."""
        return "development"


def explain(error: Exception) -> Flask:
    """Make an application that answers everything with what keeps the real one from starting."""
    app = Flask("app", static_folder=None)
    app.config.from_mapping(APP_ENV="development", HOST=None, PORT=None, TRUSTED_HOSTS=deployment.LOOPBACK)
    text = f"The application cannot start.\n\n{error}\n\n{''.join(traceback.format_exception(error))}"
    app.before_request(lambda: Response(text, 500, mimetype="text/plain"))
    return app
