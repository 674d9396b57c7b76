"""The check of forms: a request that may change something carries the token of a page of this site.

Endpoints of APIs and those of ``csrf.exempt`` are exempt; their protection is in :mod:`core.http.sessions`, and here a
request from another site's ``Origin`` without a token is refused unless the endpoint is public.
"""

import sys
from pathlib import Path

from flask import Flask
from flask import current_app
from flask import request
from flask import session
from flask.sansio.blueprints import Blueprint
from flask_wtf.csrf import CSRFError

import config as deployment
from services import csrf

from ..access import PUBLIC
from ..access import endpoints
from .apis import is_exempt
from .sessions import SAFE_METHODS


def init_app(app: Flask) -> None:
    """Check each request, in the place of Flask-WTF's own hook, which does not know what an API is."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.before_request(check)


def check() -> None:
    """Refuse a form without the token of a page.

    :raises CSRFError: 400
    """
    if request.endpoint is None or request.method in SAFE_METHODS or not current_app.config["WTF_CSRF_ENABLED"]:
        return
    if not is_exempt(current_app, request.endpoint):
        csrf.protect()
    elif _is_foreign() and endpoints.find(current_app, request.endpoint, request.method) is not PUBLIC:
        # Asked here, a view that never looks who is asking is protected too: it may be meant for this network only.
        bool(session)


def _is_foreign() -> bool:
    """Return whether a page of another site made the request, by the header that browsers set (Fetch, section 3.2)."""
    origin = request.environ.get("HTTP_ORIGIN")
    return origin is not None and origin.lower() != request.host_url.rstrip("/").lower()


def explain(error: CSRFError) -> str:
    """Return what is wrong; in development also what to write where no form was meant."""
    text = str(error.description)
    is_of_page = request.endpoint is not None and not is_exempt(current_app, request.endpoint)
    if current_app.config["APP_ENV"] != "development" or not is_of_page:
        return text
    return f"{text} {_cure(current_app.blueprints.get(request.blueprint or ''))}"


def _cure(blueprint: Blueprint | None) -> str:
    form = "A form has it by `{{ form.hidden_tag() }}` in its template."
    if blueprint is None:
        return f"{form} A view for programs: write `@csrf.exempt` above it, with `from services import csrf`."
    name, file = _place(blueprint)
    return (
        f"{form} If the views of the blueprint {blueprint.name!r} are for programs, as JSON is, write in {file}, below "
        f"`{name} = Blueprint(…)`: `from core.http.apis import mark_api` and `mark_api({name})`."
    )


def _place(blueprint: Blueprint) -> tuple[str, Path | str]:
    """Return the name of a blueprint's variable, and its file."""
    module = sys.modules.get(blueprint.import_name)
    names = [name for name, value in vars(module).items() if value is blueprint] if module else []
    file = Path(getattr(module, "__file__", None) or blueprint.import_name)
    shown = file.relative_to(deployment.ROOT) if file.is_relative_to(deployment.ROOT) else file
    return (names or [blueprint.name])[0], shown
