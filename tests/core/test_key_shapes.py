"""Keys of several columns, text keys, computed columns and views work in each face, on each engine."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from app.history.models import Change
from core.access import Identity
from core.access import set_identity_loader
from core.fields.words import words
from services import Base as PlatformBase
from services import db
from tests import forms
from tests.core import school

NOUNS = [words(mapper.class_.__name__).replace(" ", "_") for mapper in school.Base.registry.mappers]
CLERK = Identity(
    "clerk",
    "Clerk",
    frozenset({f"school.{noun}.{verb}" for noun in NOUNS for verb in ("read", "add", "edit", "delete")}),
    via="session",
)
API = "/school/api/v1"


@pytest.fixture(scope="module")
def urls(databases: Any) -> Iterator[dict[str, URL]]:
    """Keep the database of the school, one an engine."""
    made: dict[str, URL] = {}
    yield made
    for url in made.values():
        databases.drop(url)


@pytest.fixture
def client(
    make_app: Callable[..., Flask], urls: dict[str, URL], databases: Any, engine_name: str
) -> Iterator[FlaskClient]:
    """Return a client of a clerk at a school with two courses and a student, on each engine."""
    is_new = engine_name not in urls
    if is_new:
        urls[engine_name] = databases.make(engine_name)
    app = make_app(urls[engine_name], ["app.bulk", school.__name__, "app.history", "app.jsonrpc", "app.apidocs"])
    set_identity_loader(app, lambda: CLERK)
    tables = [table for table in school.Base.metadata.sorted_tables if not table.info.get("is_view")]
    with app.app_context():
        if is_new:
            PlatformBase.metadata.create_all(db.engine)
            school.Base.metadata.create_all(db.engine, tables)
            db.session.execute(school.CREATE_VIEW)
        for code, title in (("LA-1", "Latin"), ("LA,2", "Latin II")):
            db.session.add(school.Course(code=code, title=title))
        db.session.add(school.Student(id=1, name="Ana"))
        db.session.commit()
    yield app.test_client()
    with app.app_context():
        db.session.execute(sa.update(school.Course).values(needs_code=None))
        for table in reversed(tables):
            db.session.execute(table.delete())
        db.session.commit()


def enrol(client: FlaskClient, code: str = "LA,2", grade: int | None = None) -> Any:
    """Enrol the student by REST, and return the response."""
    return client.post(f"{API}/enrolments", json={"student_id": 1, "course_code": code, "grade": grade})


def call(client: FlaskClient, method: str, **params: Any) -> Any:
    """Call a method, and return its result or its error."""
    body = {"jsonrpc": "2.0", "id": 1, "method": f"school.{method}", "params": params}
    answer = client.post("/rpc", json=body).json
    return answer.get("result", answer.get("error"))


def test_rest_item_of_composite_key(client: FlaskClient) -> None:
    made = enrol(client)
    assert made.status_code == 201
    assert made.headers["Location"] == f"{API}/enrolments/1%2CLA%252C2"

    shown = client.get(made.headers["Location"])
    assert shown.json == {"student_id": 1, "course_code": "LA,2", "grade": None, "version": 1}
    changed = client.patch(made.headers["Location"], json={"grade": 7}, headers={"If-Match": shown.headers["ETag"]})
    assert (changed.status_code, changed.json["grade"]) == (200, 7)
    gone = client.delete(made.headers["Location"], headers={"If-Match": changed.headers["ETag"]})
    assert gone.status_code == 204
    assert client.get(made.headers["Location"]).status_code == 404


@pytest.mark.parametrize("key", ["1", "1,LA-1,2", "01,LA-1", "x,LA-1", "1,", ",", "1,LA-9", "1,LA%252D1"])
def test_wrong_key_is_not_found(client: FlaskClient, key: str) -> None:
    enrol(client, "LA-1")

    assert client.get(f"{API}/enrolments/{key}").status_code == 404
    assert client.get(f"/school/enrolments/{key}").status_code == 404


def test_missing_row_is_named_by_address(client: FlaskClient) -> None:
    error = call(client, "enrolment.get", key="1,LA%2C2")

    assert error["data"]["detail"] == "There is no enrolment 1,LA%2C2."


def test_key_cannot_be_changed(client: FlaskClient) -> None:
    enrol(client, "LA-1")
    response = client.patch(f"{API}/enrolments/1,LA-1", json={"course_code": "LA,2"}, headers={"If-Match": '"1"'})

    assert response.status_code == 422
    assert response.json["errors"][0]["field"] == "course_code"


def test_same_key_twice_conflicts(client: FlaskClient) -> None:
    enrol(client)

    assert enrol(client).status_code in (409, 422)


def test_list_walks_by_cursor(client: FlaskClient) -> None:
    for year in (2025, 2026):
        for name in ("Books", "Lunch", "Trip"):
            made = client.post(f"{API}/fees", json={"year": year, "name": name, "net": "10.00", "tax": "2.10"})
            assert made.status_code == 201
    walked, url = [], f"{API}/fees?limit=2"
    while url:
        page = client.get(url).json
        walked += [(item["year"], item["name"]) for item in page["items"]]
        url = page["links"].get("next")

    assert walked == sorted((year, name) for year in (2025, 2026) for name in ("Books", "Lunch", "Trip"))


def test_bulk_names_rows_by_address(client: FlaskClient) -> None:
    enrol(client, "LA-1")
    operations = [
        {"method": "update", "key": "1,LA-1", "version": 1, "data": {"grade": 9}},
        {"method": "delete", "key": "1,LA-1", "version": 2},
        {"method": "delete", "key": 7, "version": 1},
    ]
    results = client.post(f"{API}/enrolments:bulk", json={"operations": operations}).json["results"]

    assert [one["status"] for one in results] == [200, 204, 422]


def test_methods_name_rows_by_address(client: FlaskClient) -> None:
    call(client, "enrolment.create", values={"student_id": 1, "course_code": "LA,2"})

    assert call(client, "enrolment.update", key="1,LA%2C2", values={"grade": 5}, version=1)["grade"] == 5
    assert call(client, "enrolment.get", key="1,LA%2C2")["version"] == 2
    assert call(client, "enrolment.delete", key="1,LA%2C2", version=1)["code"] == -32004
    assert call(client, "enrolment.delete", key="1,LA%2C2", version=2) is None


def test_pages_of_a_composite_key(client: FlaskClient) -> None:
    response = forms.submit(client, "/school/enrolments/new", student="1", course="LA,2", grade="8")
    assert response.status_code == 303
    page = response.headers["Location"]
    assert "Ana in Latin II" in client.get(page).text
    assert page in client.get("/school/enrolments").text

    assert forms.submit(client, f"{page}/edit", grade="9").status_code == 303
    assert client.get(f"{API}/enrolments").json["items"][0]["grade"] == 9
    assert forms.submit(client, f"{page}/delete").status_code == 303
    assert client.get(f"{API}/enrolments").json["items"] == []


def test_form_keeps_the_key(client: FlaskClient) -> None:
    enrol(client, "LA-1")
    response = forms.submit(client, "/school/enrolments/1,LA-1/edit", course="LA,2")

    assert response.status_code == 422
    assert "The key of a row cannot be changed." in response.text


def test_members_keep_their_order(client: FlaskClient) -> None:
    assert list(client.get(f"{API}/courses/LA-1?include=needs").json) == ["code", "title", "needs_code", "needs"]


def test_history_of_a_composite_key(client: FlaskClient) -> None:
    enrol(client, grade=3)
    page = client.get("/school/enrolments/1%2CLA%252C2").text

    start = page.index('href="/history/') + len('href="')
    history = page[start : page.index('"', start)].replace("&amp;", "&")
    shown = client.get(history)
    assert shown.status_code == 200
    assert "Ana in Latin II" in shown.text


def test_text_key_and_self_reference(client: FlaskClient) -> None:
    response = client.patch(f"{API}/courses/LA%2C2", json={"needs_code": "LA-1"}, headers={"If-Match": "*"})
    assert response.status_code == 200
    assert client.get(f"{API}/courses/LA,2?include=needs").json["needs"]["title"] == "Latin"
    assert "Latin" in client.get("/school/courses/LA%2C2").text
    assert client.get(f"{API}/courses?needs_code=LA-1").json["items"][0]["code"] == "LA,2"


def test_computed_column_is_only_shown(client: FlaskClient) -> None:
    fee = {"year": 2026, "name": "Lunch", "net": "10.00", "tax": "2.10"}

    assert client.post(f"{API}/fees", json={**fee, "total": "1.00"}).status_code == 422
    assert client.post(f"{API}/fees", json=fee).json["total"] == "12.10"
    assert "total" not in forms.open_form(client, "/school/fees/new")
    assert "12.10" in client.get("/school/fees/2026,Lunch").text


def test_view_is_only_read(client: FlaskClient) -> None:
    enrol(client)

    assert client.get(f"{API}/course-sizes").json["items"] == [{"course_code": "LA,2", "students": 1}]
    assert client.get(f"{API}/course-sizes/LA,2").json["students"] == 1
    assert client.post(f"{API}/course-sizes", json={}).status_code == 405
    assert "LA,2" in client.get("/school/course-sizes").text
    assert client.get("/school/course-sizes/new").status_code == 404
    assert call(client, "course_size.list")["items"][0]["students"] == 1
    assert call(client, "course_size.create", values={})["code"] == -32601


def test_documents_describe_keys(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    path = document["paths"][f"{API}/enrolments/{{key}}"]

    assert path["get"]["parameters"][0]["schema"]["type"] == "string"


def test_undo_of_a_composite_key(client: FlaskClient) -> None:
    address = enrol(client, grade=3).headers["Location"]
    assert client.patch(address, json={"grade": 7}, headers={"If-Match": '"1"'}).status_code == 200
    with client.application.app_context():
        changes = db.session.scalars(sa.select(Change.id).order_by(Change.id)).all()

    assert forms.submit(client, f"/history/changes/{changes[-1]}/undo").status_code == 303
    assert client.get(address).json["grade"] == 3
