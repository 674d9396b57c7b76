"""References to rows that one may not read are refused by each face as references to missing rows are."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask import request
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from core.access import ANONYMOUS
from core.access import set_identity_loader
from services import db
from tests import forms
from tests.core import garden

Ask = Callable[..., TestResponse]

#: A bed of another tenant, and one that does not exist.
UNREADABLE = (1, 99)
CHANGED = {"If-Match": "*"}


@pytest.fixture
def allotments(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Flask:
    """Return a garden where Ada has the beds 1 and 2, and Ben has bed 3 and a plant in it."""
    app = make_app(
        database_of(engine_name, garden.Base.metadata), ["app.bulk", garden.__name__], WTF_CSRF_ENABLED=False
    )
    set_identity_loader(app, lambda: garden.PEOPLE.get(request.headers.get("X-Who", ""), ANONYMOUS))
    with app.app_context():
        for name, tenant in (("First", "ada"), ("Second", "ada"), ("Third", "ben")):
            db.session.add(garden.Bed(name=name, owner_key=tenant))
            db.session.flush()
        db.session.add(garden.Plant(name="Rose", owner_key="ben", bed_id=3))
        db.session.commit()
    return app


@pytest.fixture
def request_as(allotments: Flask) -> Ask:
    """Ask as Ben, or as ``who``."""
    client = allotments.test_client()

    def send(method: str, url: str, who: str = "ben", **more: Any) -> TestResponse:
        return client.open(url, method=method, headers={"X-Who": who, **more.pop("headers", {})}, **more)

    return send


def stored(app: Flask) -> list[tuple[Any, ...]]:
    with app.app_context():
        plants = db.session.execute(sa.select(garden.Plant.name, garden.Plant.bed_id))
        return [*map(tuple, plants), *map(tuple, db.session.execute(sa.select(garden.plant_helper)))]


def refusals(answers: list[TestResponse]) -> list[Any]:
    """Return what the answers say, without what differs in any two answers."""
    assert [answer.status_code for answer in answers] == [422] * len(answers)
    texts = [str({**answer.json, "request_id": None}) for answer in answers]
    return [text.replace("99", "1") for text in texts]


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "plants", {"name": "x", "bed_id": None}),
        ("PUT", "plants/1", {"name": "x", "bed_id": None}),
        ("PATCH", "plants/1", {"bed_id": None}),
        ("POST", "linked", {"name": "x", "bed": None}),
        ("PUT", "linked/1", {"name": "x", "bed": None}),
        ("PATCH", "linked/1", {"bed": None}),
    ],
)
def test_unreadable_reference_is_refused_like_missing(
    request_as: Ask, allotments: Flask, method: str, url: str, body: dict[str, Any]
) -> None:
    before, answers = stored(allotments), []
    for key in UNREADABLE:
        sent = {name: value or key for name, value in body.items()}
        answers.append(request_as(method, f"/garden/v1/{url}", json=sent, headers=CHANGED if method != "POST" else {}))
    first, second = refusals(answers)
    assert first == second
    assert stored(allotments) == before


def test_unreadable_link_is_refused_like_missing(request_as: Ask, allotments: Flask) -> None:
    before = stored(allotments)
    bodies = [{"helpers": [3, key]} for key in UNREADABLE]
    first, second = refusals([request_as("PATCH", "/garden/v1/linked/1", json=one, headers=CHANGED) for one in bodies])
    assert first == second
    assert stored(allotments) == before


def test_bulk_refuses_unreadable_reference(request_as: Ask) -> None:
    creations = [{"method": "create", "data": {"name": "x", "bed_id": key}} for key in (*UNREADABLE, 3)]
    changes = [{"method": "update", "key": 1, "version": 1, "data": {"bed_id": key}} for key in UNREADABLE]
    answer = request_as("POST", "/garden/v1/plants:bulk", json={"operations": creations + changes})
    assert answer.status_code == 200, answer.text
    results = answer.json["results"]
    assert [one["status"] for one in results] == [422, 422, 201, 422, 422]
    first, second = ({error["message"] for error in one["problem"]["errors"]} for one in results[:2])
    assert first == second


def test_form_refuses_unreadable_reference(request_as: Ask, allotments: Flask) -> None:
    before = stored(allotments)
    fields = forms.read(request_as("GET", "/garden/plants/1/edit").text)
    for key in UNREADABLE:
        assert request_as("POST", "/garden/plants/1/edit", data={**fields, "bed": str(key)}).status_code == 422
    assert stored(allotments) == before


def test_own_row_is_referred_to(request_as: Ask, allotments: Flask) -> None:
    assert request_as("POST", "/garden/v1/plants", json={"name": "Fern", "bed_id": 3}).status_code == 201
    assert request_as("PATCH", "/garden/v1/linked/1", json={"helpers": [3]}, headers=CHANGED).status_code == 200
    assert ("Fern", 3) in stored(allotments)


def test_refused_reference_leaves_row_deletable(request_as: Ask) -> None:
    for key in (1, 2):
        request_as("PATCH", "/garden/v1/plants/1", json={"bed_id": key}, headers=CHANGED)
        request_as("PATCH", "/garden/v1/linked/1", json={"helpers": [key]}, headers=CHANGED)
    for key in (1, 2):
        assert request_as("DELETE", f"/garden/v1/beds/{key}", who="ada", headers=CHANGED).status_code == 204
