"""Rules that the database holds: which was broken, at which field, in the model's words; and rows without a number."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.crud.rules import rule_columns
from services import db
from tests.core import winery
from tests.core.winery import Base
from tests.core.winery import Bottle
from tests.forms import submit

BOTTLES = "/winery/data/bottles"


@pytest.fixture
def app(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Flask:
    app = make_app(database_of(engine_name, Base.metadata), ["app.bulk", winery.__name__])
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def add(app: Flask, **values: Any) -> None:
    with app.app_context():
        db.session.add(Bottle(**values))
        db.session.commit()


RULES = [
    ({"price": "-1.00"}, "price", "A price is above 0: leave it out."),
    ({"begins": 2, "ends": 1}, "", "It ends after it begins."),
    ({"slot": 13}, "", "It breaks the rule “unlucky slot”."),
    ({"shelf": 1, "slot": 1}, "slot", "There is a bottle already."),
    ({"code": "A"}, "code", "Take another code."),
]


@pytest.mark.parametrize(("sent", "field", "message"), RULES)
def test_api_names_the_broken_rule(
    app: Flask, client: FlaskClient, sent: dict[str, Any], field: str, message: str
) -> None:
    add(app, code="A", shelf=1, slot=1)
    answer = client.post(BOTTLES, json=sent)
    assert answer.status_code == 422
    errors = {error.get("field", ""): error["message"] for error in answer.json["errors"]}
    assert errors[field] == message

    answer = client.post(f"{BOTTLES}:bulk", json={"operations": [{"method": "create", "data": sent}]})
    (result,) = answer.json["results"]
    assert result["status"] == 422
    assert message in str(result["problem"]["errors"])


@pytest.mark.parametrize(("sent", "field", "message"), RULES)
def test_form_shows_the_broken_rule(
    app: Flask, client: FlaskClient, sent: dict[str, Any], field: str, message: str
) -> None:
    add(app, code="A", shelf=1, slot=1)
    answer = submit(client, "/winery/bottles/new", **sent)
    assert answer.status_code == 422
    assert message in answer.text


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["lower(label)"], ["label"]),
        (["'code' || lower(label)", "shelf"], ["label", "shelf"]),
        (["lower(label)", "code"], ["label", "code"]),
    ],
)
def test_columns_of_index_text(parts: list[str], expected: list[str]) -> None:
    table = sa.Table(
        "note", sa.MetaData(), *(sa.Column(name, sa.String(9)) for name in ("label", "code", "shelf", "note"))
    )
    elements = [table.c[part] if part in table.c else sa.text(part) for part in parts]
    assert [column.name for column in rule_columns(sa.Index("uq", *elements, unique=True, _table=table))] == expected
    assert [column.name for column in rule_columns(sa.Index("ix", sa.func.lower(table.c.code)))] == ["code"]


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"], indirect=True)
def test_unique_expression_names_column(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        index = sa.Index("uq_winery_bottle_lower", sa.func.lower(sa.text("code")), unique=True)
        index._set_parent(Bottle.__table__)
        index.create(db.engine)
    add(app, code="ab")
    try:
        answer = client.post(BOTTLES, json={"code": "AB"})
    finally:
        with app.app_context():
            index.drop(db.engine)
        Bottle.__table__.indexes.remove(index)
    assert [error["field"] for error in answer.json["errors"]] == ["code"]


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_exclusion_has_its_words(app: Flask, client: FlaskClient) -> None:
    add(app, shelf=7, begins=1, ends=5)
    answer = client.post(BOTTLES, json={"shelf": 7, "begins": 4, "ends": 6})
    assert answer.status_code == 422
    assert [error["message"] for error in answer.json["errors"]] == ["These years are taken."]


# --- rows without a number ----------------------------------------------------------------------


def fall_behind(app: Flask) -> None:
    """Add rows with numbers of their own, as a load of another program does."""
    with app.app_context():
        db.session.execute(sa.insert(Bottle), [{"id": number, "version": 1} for number in (1, 2, 3)])
        db.session.commit()


def test_taken_number_blames_no_field(app: Flask, client: FlaskClient, caplog: Any) -> None:
    fall_behind(app)
    with caplog.at_level(logging.ERROR):
        answer = client.post(BOTTLES, json={})
    if app.config["SQLALCHEMY_DATABASE_URI"].get_backend_name() != "postgresql":
        assert answer.status_code == 201
        return
    assert answer.status_code == 503
    assert "errors" not in answer.json
    assert "no free number" in answer.json["detail"]
    assert "winery_bottle_id_seq is behind" in caplog.text
    assert "SELECT setval('public.winery_bottle_id_seq', (SELECT max(id) FROM winery_bottle));" in caplog.text


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_taken_number_in_bulk_and_form(app: Flask, client: FlaskClient) -> None:
    fall_behind(app)
    answer = client.post(f"{BOTTLES}:bulk", json={"operations": [{"method": "create", "data": {}}]})
    assert [result["status"] for result in answer.json["results"]] == [503]
    assert submit(client, "/winery/bottles/new").status_code == 503


def test_taken_number_is_invalid(app: Flask, client: FlaskClient) -> None:
    fall_behind(app)
    answer = client.post(BOTTLES, json={"id": 2})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["id"]


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_used_up_numbers_blame_no_field(app: Flask, client: FlaskClient, caplog: Any) -> None:
    with app.app_context():
        db.session.execute(sa.text("SELECT setval('public.winery_bottle_id_seq', 2147483647)"))
        db.session.commit()
    answer = client.post(BOTTLES, json={})
    assert answer.status_code == 503
    assert "give its key a larger type" in caplog.text
