"""A decimal comes back with its digits, or is refused: on every engine, from every face."""

from collections.abc import Callable
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.exceptions import Invalid
from core.fields.decimals import lost_digits
from services import db
from tests.core import winery
from tests.core.winery import Base
from tests.core.winery import Bottle
from tests.forms import submit

BOTTLES = "/winery/data/bottles"
LONG = "12345678901234.5678"
KEPT = ["0.0000", "-0.0001", "99999999999.9999", "-12345678901.2345", "10000000000000.0000", "90071992547409.0000"]


@pytest.fixture
def app(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Flask:
    app = make_app(database_of(engine_name, Base.metadata), ["app.bulk", winery.__name__])
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_decimal_comes_back_or_is_refused(client: FlaskClient, engine_name: str) -> None:
    answer = client.post(BOTTLES, json={"volume": LONG})
    if engine_name == "sqlite":
        assert answer.status_code == 422
        assert answer.json["errors"][0]["field"] == "volume"
        assert "SQLite keeps 15 digits" in answer.json["errors"][0]["message"]
        assert client.get(BOTTLES).json["items"] == []
    else:
        assert client.get(answer.headers["Location"]).json["volume"] == LONG


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_every_face_refuses_long_decimal(app: Flask, client: FlaskClient) -> None:
    url = client.post(BOTTLES, json={"volume": "1.0000"}).headers["Location"]
    assert client.patch(url, json={"volume": LONG}, headers={"If-Match": "*"}).status_code == 422
    creation = {"method": "create", "data": {"volume": LONG}}
    answer = client.post(f"{BOTTLES}:bulk", json={"operations": [creation, {"method": "create", "data": {}}]})
    assert [result["status"] for result in answer.json["results"]] == [422, 201]
    answer = submit(client, "/winery/bottles/new", volume=LONG)
    assert (answer.status_code, "SQLite keeps 15 digits" in answer.text) == (422, True)
    assert client.get(f"{BOTTLES}?volume={LONG}").status_code == 400
    with app.app_context():
        db.session.add(Bottle(volume=Decimal(LONG)))
        with pytest.raises(Invalid):
            db.session.commit()


def test_kept_decimals_are_compared_as_numbers(client: FlaskClient) -> None:
    for text in KEPT:
        assert client.post(BOTTLES, json={"volume": text}).json["volume"] == text
    items = client.get(f"{BOTTLES}?sort=volume&limit=100").json["items"]
    assert [item["volume"] for item in items] == sorted(KEPT, key=Decimal)
    assert [item["volume"] for item in client.get(f"{BOTTLES}?volume=-0.0001").json["items"]] == ["-0.0001"]


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_row_of_older_digits_changes(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        db.session.execute(
            sa.text("INSERT INTO winery_bottle (version, label, volume) VALUES (1, '', 12345678901234.5678)")
        )
        db.session.commit()
    answer = client.patch(f"{BOTTLES}/1", json={"label": "old"}, headers={"If-Match": "*"})
    assert (answer.status_code, answer.json["label"]) == (200, "old")


@pytest.mark.parametrize(
    ("value", "type_", "engine", "is_lost"),
    [
        ("0.125", sa.Numeric(10, 2), "sqlite", False),
        ("1E+17", sa.Numeric(18), "sqlite", False),
        ("123456789012345678", sa.Numeric(18), "sqlite", True),
        ("0.00000000001", sa.Numeric(), "sqlite", True),
        ("0.1", sa.Numeric(), "sqlite", False),
        ("0.1", sa.Numeric(), "mysql", True),
        ("0.1", sa.Numeric(5, 1), "mysql", False),
        ("0.1", sa.Numeric(), "postgresql", False),
        ("0.1", sa.Numeric(asdecimal=False), "sqlite", False),
    ],
)
def test_lost_digits_by_engine(value: str, type_: sa.Numeric[Decimal], engine: str, is_lost: bool) -> None:
    assert (lost_digits(Decimal(value), type_, engine) is not None) == is_lost
