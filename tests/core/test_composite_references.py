"""References by two columns lead to rows that exist for the caller, in every face and on every engine."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.crud.references import NO_SUCH_ROW
from services import db
from tests.core import offices

#: Room 2.7 exists for no caller, and desk 1 stands in it.
SHOWN, CLOSED, MISSING = (1, 5), (2, 7), (3, 9)


@pytest.fixture
def app(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Flask:
    url = database_of(engine_name, offices.Base.metadata)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        rooms = [(*SHOWN, False, "Library"), (*CLOSED, True, "Vault")]
        names = ("floor", "number", "is_closed", "label")
        connection.execute(sa.insert(offices.Room.__table__), [dict(zip(names, room, strict=True)) for room in rooms])
        desks = [(1, "D1", *CLOSED, 1), (2, "D2", *SHOWN, 1)]
        names = ("id", "name", "floor", "room", "version")
        connection.execute(sa.insert(offices.Desk.__table__), [dict(zip(names, desk, strict=True)) for desk in desks])
        if engine_name == "postgresql":
            connection.execute(sa.text("SELECT setval(pg_get_serial_sequence('offices_desk', 'id'), 100)"))
    engine.dispose()
    return make_app(url, ["app.bulk", offices.__name__], WTF_CSRF_ENABLED=False)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def place_of(app: Flask, key: int) -> tuple[Any, Any]:
    with app.app_context():
        desk = db.session.get_one(offices.Desk, key)
        return desk.floor, desk.room


@pytest.mark.parametrize(
    "url", ["/v1/desks/1", "/v1/desks/1?include=place", "/v1/plain/1?include=place", "/v1/plain?include=place"]
)
def test_closed_room_is_not_shown(client: FlaskClient, url: str) -> None:
    answer = client.get(f"/offices{url}")

    assert answer.status_code == 200
    assert "Vault" not in answer.text


@pytest.mark.parametrize("url", ["/desks", "/desks/1", "/desks/new", "/desks/1/edit", "/desks/2/edit"])
def test_closed_room_is_on_no_page(client: FlaskClient, url: str) -> None:
    answer = client.get(f"/offices{url}")

    assert answer.status_code == 200
    assert "Vault" not in answer.text


@pytest.mark.parametrize("query", ["q=Vault", "place.label=Vault"])
def test_closed_room_is_not_found(client: FlaskClient, query: str) -> None:
    assert client.get(f"/offices/v1/plain?{query}").get_json()["items"] == []


@pytest.mark.parametrize("path", ["/v1/desks", "/v1/plain"])
@pytest.mark.parametrize("key", [CLOSED, MISSING], ids=["closed", "missing"])
def test_reference_to_room_is_refused(client: FlaskClient, path: str, key: tuple[int, int]) -> None:
    floor, room = key

    answer = client.post(f"/offices{path}", json={"name": "New", "floor": floor, "room": room})

    assert answer.status_code == 422
    assert {error["message"] for error in answer.get_json()["errors"]} == {NO_SUCH_ROW}


def test_half_reference_checked_with_other(client: FlaskClient, app: Flask) -> None:
    answer = client.patch("/offices/v1/plain/2", json={"floor": CLOSED[0]}, headers={"If-Match": "*"})

    assert answer.status_code == 422
    assert place_of(app, 2) == SHOWN


def test_bulk_refuses_closed_room(client: FlaskClient, app: Flask) -> None:
    floor, room = CLOSED
    operation = {"method": "update", "key": 2, "version": 1, "data": {"floor": floor, "room": room}}

    answer = client.post("/offices/v1/plain:bulk", json={"operations": [operation]})

    assert [one["status"] for one in answer.get_json()["results"]] == [422]
    assert place_of(app, 2) == SHOWN


def test_link_to_closed_room_is_kept(client: FlaskClient, app: Flask) -> None:
    answer = client.patch("/offices/v1/desks/1", json={"name": "Mine"}, headers={"If-Match": "*"})

    assert answer.status_code == 200, answer.text
    assert place_of(app, 1) == CLOSED


def test_form_keeps_link_to_closed_room(client: FlaskClient, app: Flask) -> None:
    answer = client.post("/offices/desks/1/edit", data={"name": "Mine", "version": "1"})

    assert answer.status_code == 303, answer.text
    assert place_of(app, 1) == CLOSED


def test_reference_to_shown_room_is_written(client: FlaskClient) -> None:
    floor, room = SHOWN

    assert client.post("/offices/v1/plain", json={"name": "New", "floor": floor, "room": room}).status_code == 201
