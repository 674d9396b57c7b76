"""Pages for developers where the platform's users see an error."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.engine import URL

from app.development import behind

MODELS = """
from sqlalchemy.orm import Mapped, mapped_column
from services import db

class Row(db.Model):
    __tablename__ = "forgotten_row"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
INIT = """
import sqlalchemy as sa
from flask import Blueprint
from services import db
from core.http.apis import mark_api
from .models import Row

bp = Blueprint("forgotten", __name__)
api = Blueprint("forgotten_api", __name__, url_prefix="/forgotten/api")
mark_api(api)

@bp.get("/forgotten")
def rows():
    return str(db.session.scalars(sa.select(Row)).all())

@api.get("/broken")
def broken():
    raise RuntimeError("lost")
"""


@pytest.fixture
def unmigrated_app(
    make_app: Callable[..., Flask], write_module: Callable[..., str], platform: Callable[[str], URL], engine_name: str
) -> Flask:
    name = write_module("forgotten", init=INIT, models=MODELS)
    return make_app(platform(engine_name), [name, "app.development"], APP_ENV="development")


def test_forgotten_revision_is_explained(unmigrated_app: Flask) -> None:
    answer = unmigrated_app.test_client().get("/forgotten")
    assert answer.status_code == 500
    assert "The database is behind" in answer.text
    assert "alembic revision --autogenerate" in answer.text
    assert "Run alembic upgrade head" not in answer.text


def test_program_gets_problem_in_debug(make_app: Callable[..., Flask], write_module: Callable[..., str]) -> None:
    app = make_app(None, [write_module("forgotten", init=INIT, models=MODELS)])
    app.debug = True
    answer: Any = app.test_client().get("/forgotten/api/broken")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.json["detail"] == "RuntimeError('lost')"


@pytest.mark.parametrize("back", ["//example.org/", "/\\example.org", "https://example.org/", "", "example"])
def test_way_back_stays_on_this_site(sqlite_app: Flask, back: str) -> None:
    with sqlite_app.test_request_context("/", method="POST", data={"back": back}):
        assert behind.upgrade().location == "/"
