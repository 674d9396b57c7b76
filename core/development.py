"""What only a developer sees: a page that says that the database is behind, and brings it to head."""

from typing import Any

from flask import Flask
from flask import flash
from flask import redirect
from flask import render_template
from flask import request
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from services import db

from . import errors
from .lazy import migrations


def init_app(app: Flask) -> None:
    """Look, when a statement fails, whether a table or column is missing for want of a migration."""
    app.register_error_handler(OperationalError, answer)
    app.register_error_handler(ProgrammingError, answer)
    app.add_url_rule("/_development/upgrade", "development_upgrade", upgrade, methods=["POST"])


def answer(error: SQLAlchemyError) -> Any:
    """Show the revisions that wait, with a button that runs them; else the usual answer."""
    db.session.rollback()
    if errors.is_transient(error) or errors.wants_problem():
        return errors.answer_database(error)
    with db.engine.connect() as connection:
        waiting = migrations.pending(connection)
    if not waiting:
        return errors.answer_database(error)
    return render_template("development/behind.html", revisions=waiting, error=getattr(error, "orig", error)), 500


def upgrade() -> Response:
    """Bring the database to head and go back to the start page."""
    db.session.close()
    migrations.upgrade(db.engine.url)
    flash("The database is at head.", "success")
    return redirect(f"{request.script_root}/", 303)
