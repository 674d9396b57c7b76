"""Nothing is NULL from every face, in columns of JSON too; and every face reads JSON alike."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

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


def nulls(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(sa.text("SELECT count(*) FROM winery_bottle WHERE data IS NULL")) or 0


def test_new_row_without_json_is_null(app: Flask, client: FlaskClient) -> None:
    creation = {"method": "create", "data": {"data": None}}
    assert client.post(BOTTLES, json={"data": None}).json["data"] is None
    assert client.post(BOTTLES, json={}).status_code == 201
    assert client.post(f"{BOTTLES}:bulk", json={"operations": [creation]}).json["results"][0]["status"] == 201
    assert submit(client, "/winery/bottles/new", data="").status_code == 303
    assert submit(client, "/winery/bottles/new", data="null").status_code == 303
    assert nulls(app) == 5


@pytest.mark.parametrize("change", ["put", "put null", "patch", "bulk", "form"])
def test_json_taken_away_is_null(app: Flask, client: FlaskClient, change: str) -> None:
    url = client.post(BOTTLES, json={"data": {"a": None}}).headers["Location"]
    seen: dict[str, Any] = {"headers": {"If-Match": "*"}}
    if change == "put":
        answer = client.put(url, json={}, **seen)
    elif change == "put null":
        answer = client.put(url, json={"data": None}, **seen)
    elif change == "patch":
        answer = client.patch(url, json={"data": None}, **seen)
    elif change == "bulk":
        update = {"method": "update", "key": 1, "version": 1, "data": {"data": None}}
        answer = client.post(f"{BOTTLES}:bulk", json={"operations": [update]})
    else:
        answer = submit(client, "/winery/bottles/1/edit", data="")
    assert answer.status_code in (200, 303), answer.text
    assert client.get(url).json["data"] is None
    assert nulls(app) == 1


def test_null_within_json_is_kept(app: Flask, client: FlaskClient) -> None:
    url = client.post(BOTTLES, json={"data": {"a": None}}).headers["Location"]
    assert client.get(url).json["data"] == {"a": None}
    assert submit(client, "/winery/bottles/1/edit", data="[null]").status_code == 303
    assert client.get(url).json["data"] == [None]
    with app.app_context():
        db.session.add(Bottle(data=sa.JSON.NULL))
        db.session.commit()
    assert nulls(app) == 0


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '[{"a": {"b": 1, "b": 1}}]',
        "NaN",
        "[-Infinity]",
        "1e999",
        '"\\ud800"',
        '"\\u0000"',
        "18446744073709551616",
        "[" * 40 + "]" * 40,
        "[" * 2000 + "]" * 2000,
        "{",
        "01",
    ],
    ids=lambda text: text[:20],
)
def test_json_is_refused_by_both_faces(client: FlaskClient, text: str) -> None:
    body = f'{{"data": {text}}}'
    assert client.post(BOTTLES, data=body, content_type="application/json").status_code in (400, 422)
    answer = submit(client, "/winery/bottles/new", data=text)
    assert answer.status_code == 422
