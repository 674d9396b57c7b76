"""The hint for a form without its token: what to write in the template, or above a view that is for programs."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import current_app
from flask import request
from flask.blueprints import BlueprintSetupState
from flask.sansio.blueprints import Blueprint
from flask_wtf.csrf import CSRFError

from core.configuration.collected import ROOT
from core.http import errors
from core.http.apis import is_exempt


def install(state: BlueprintSetupState) -> None:
    """Say what to write where a form has no token."""
    if state.app.config["APP_ENV"] == "development":
        state.app.register_error_handler(CSRFError, answer)


def answer(error: CSRFError) -> Any:
    """Answer as elsewhere, with what to write where no form was meant."""
    problem = errors.describe(error)
    if request.endpoint is None or is_exempt(current_app, request.endpoint):
        return errors.answer(problem)
    cure = _cure(current_app.blueprints.get(request.blueprint or ""))
    return errors.answer(replace(problem, detail=f"{problem.detail} {cure}"))


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
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    return (names or [blueprint.name])[0], shown
