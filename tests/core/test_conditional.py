"""ETags and conditions, asked as callers ask."""

import threading

import pytest
from flask import Flask
from flask.testing import FlaskClient

from services import db
from tests.core.warehouse import Box
from tests.core.warehouse import Label
from tests.core.warehouse import Maker
from tests.core.warehouse import Tag
from tests.core.warehouse import Thing

PEN = {"name": "pen", "maker_id": 1}
THINGS = "/warehouse/things"


def etag(client: FlaskClient, url: str) -> str:
    return client.get(url).headers["ETag"]


def status(client: FlaskClient, url: str, tag: str) -> int:
    return client.get(url, headers={"If-None-Match": tag}).status_code


@pytest.fixture
def thing_url(sqlite_client: FlaskClient) -> str:
    place: str = sqlite_client.post(THINGS, json=PEN).headers["Location"]
    return place


def test_version_is_tag_of_columns(sqlite_client: FlaskClient, thing_url: str) -> None:
    assert [etag(sqlite_client, thing_url + query) for query in ("", "?fields=id")] == ['"1"', '"1"']


def test_changed_include_sent_again(sqlite_client: FlaskClient, thing_url: str) -> None:
    url = f"{thing_url}?include=maker"
    tag = etag(sqlite_client, url)
    assert status(sqlite_client, url, tag) == 304
    sqlite_client.patch("/warehouse/makers/1", json={"name": "Bolt"})
    answer = sqlite_client.get(url, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json["maker"]["name"]) == (200, "Bolt")


def test_changed_relation_sent_again(sqlite_client: FlaskClient) -> None:
    """The version of the outer box is still the same."""
    outer = sqlite_client.post("/warehouse/boxes", json={"name": "outer", "maker_id": 1})
    url = outer.headers["Location"]
    tag = outer.headers["ETag"]
    assert (tag, status(sqlite_client, url, tag)) == (etag(sqlite_client, url), 304)
    inner = sqlite_client.post("/warehouse/boxes", json={"name": "inner", "maker_id": 1, "inside_id": outer.json["id"]})
    answer = sqlite_client.get(url, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json["boxes"]) == (200, [inner.json["id"]])


@pytest.mark.parametrize("query", ["", "?include=maker", "?fields=id,name", "?include=maker,labels&fields=id"])
def test_any_tag_conditions_change(sqlite_client: FlaskClient, query: str) -> None:
    url = sqlite_client.post("/warehouse/boxes", json={"name": "x", "maker_id": 1}).headers["Location"]
    seen = {"If-Match": etag(sqlite_client, url + query)}
    assert sqlite_client.patch(url, json={"name": "y"}, headers=seen).status_code == 200
    assert sqlite_client.patch(url, json={"name": "z"}, headers=seen).status_code == 412


def test_unversioned_row_tagged_by_content(sqlite_client: FlaskClient) -> None:
    made = sqlite_client.post("/warehouse/tags", json={"code": "a"})
    url, tag = made.headers["Location"], made.headers["ETag"]
    assert (etag(sqlite_client, url), status(sqlite_client, url, tag)) == (tag, 304)
    changed = sqlite_client.patch(url, json={"title": "A"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    for method in ("PUT", "PATCH", "DELETE"):
        answer = sqlite_client.open(url, method=method, json={"code": "a"}, headers={"If-Match": tag})
        assert (answer.status_code, answer.json["type"]) == (412, "/problems/precondition-failed")
    assert sqlite_client.get(url).headers["ETag"] == changed.headers["ETag"]
    assert sqlite_client.delete(url, headers={"If-Match": changed.headers["ETag"]}).status_code == 204


def test_unversioned_concurrent_change_one_wins(app: Flask, client: FlaskClient) -> None:
    made = client.post("/warehouse/tags", json={"code": "a"})
    gate = threading.Barrier(5)
    statuses: list[int] = []

    def change(number: int) -> None:
        new_client = app.test_client()
        gate.wait()
        seen = {"If-Match": made.headers["ETag"]}
        statuses.append(new_client.patch("/warehouse/tags/a", json={"title": f"{number}"}, headers=seen).status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 412, 412, 412, 412]


def test_unchanged_list_not_sent(sqlite_client: FlaskClient, thing_url: str) -> None:
    for query in ("", "?limit=1", "?fields=id", "?include=maker", "?count=true"):
        tag = etag(sqlite_client, THINGS + query)
        answer = sqlite_client.get(THINGS + query, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    tag = etag(sqlite_client, THINGS)
    sqlite_client.patch(thing_url, json={"rank": 1}, headers={"If-Match": "*"})
    assert status(sqlite_client, THINGS, tag) == 200


@pytest.mark.parametrize("place", ["", "/1", "?include=maker"])
def test_answers_private_and_revalidated(sqlite_app: Flask, sqlite_client: FlaskClient, place: str) -> None:
    with sqlite_app.app_context():
        db.session.add(Thing(id=1, **PEN))
        db.session.commit()
    first = sqlite_client.get(THINGS + place)
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = sqlite_client.get(THINGS + place, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "private, no-cache")
    assert sqlite_client.get(THINGS + place + "x").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("url", ["/warehouse/things/1", "/warehouse/tags/a", "/warehouse/boxes/1"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("with_match", [False, True])
def test_change_with_if_none_match_fails(
    sqlite_app: Flask, sqlite_client: FlaskClient, url: str, method: str, with_match: bool
) -> None:
    tag = put_there(sqlite_app, sqlite_client, url)
    for excluded in ("*", tag, f"W/{tag}", f'"other", {tag}'):
        headers = {"If-None-Match": excluded, **({"If-Match": tag} if with_match else {})}
        answer = sqlite_client.open(url, method=method, json=BODIES[url], headers=headers)
        assert (answer.status_code, answer.json["type"]) == (412, "/problems/precondition-failed")
    assert etag(sqlite_client, url) == tag


@pytest.mark.parametrize("url", ["/warehouse/things/1", "/warehouse/tags/a"])
def test_change_passes_what_is_not_excluded(sqlite_app: Flask, sqlite_client: FlaskClient, url: str) -> None:
    tag = put_there(sqlite_app, sqlite_client, url)
    headers = {
        "If-Match": f'"0", {tag}',
        "If-None-Match": '"0"',
        "If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT",
    }
    assert sqlite_client.patch(url, json={}, headers=headers).status_code == 200
    assert sqlite_client.patch(url, json={}, headers={"If-Match": f"W/{tag}"}).status_code == 412


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("text", ["", "1", "1, 2", '"', "W/1", '*, "1"', '"1" x'])
def test_malformed_condition_is_refused(sqlite_app: Flask, sqlite_client: FlaskClient, name: str, text: str) -> None:
    put_there(sqlite_app, sqlite_client, "/warehouse/tags/a")
    answer = sqlite_client.patch("/warehouse/tags/a", json={"title": "x"}, headers={name: text})
    assert answer.status_code == 400
    assert f"{name} is no list of ETags" in answer.json["detail"]


@pytest.mark.parametrize("url", ["/warehouse/things/1", "/warehouse/tags/a"])
def test_empty_etag_is_no_current_one(sqlite_app: Flask, sqlite_client: FlaskClient, url: str) -> None:
    tag = put_there(sqlite_app, sqlite_client, url)
    assert sqlite_client.patch(url, json={}, headers={"If-Match": '""'}).status_code == 412
    assert sqlite_client.patch(url, json={}, headers={"If-Match": tag, "If-None-Match": '""'}).status_code == 200


def test_creation_is_held_to_collection(sqlite_client: FlaskClient) -> None:
    tag = etag(sqlite_client, THINGS)
    assert sqlite_client.post(THINGS, json=PEN, headers={"If-None-Match": "*"}).status_code == 412
    assert sqlite_client.post(THINGS, json=PEN, headers={"If-None-Match": tag}).status_code == 412
    assert sqlite_client.post(THINGS, json=PEN, headers={"If-Match": '"0"'}).status_code == 412
    assert sqlite_client.post(THINGS, json=PEN, headers={"If-Match": tag}).status_code == 201
    assert sqlite_client.post(THINGS, json=PEN, headers={"If-Match": tag}).status_code == 412
    assert sqlite_client.post(THINGS, json=PEN, headers={"If-Match": "*", "If-None-Match": tag}).status_code == 201


def test_bulk_has_no_state_to_compare(sqlite_client: FlaskClient) -> None:
    body = {"operations": [{"method": "create", "data": PEN}]}
    for tag in ("*", '"1"'):
        assert sqlite_client.post(f"{THINGS}:bulk", json=body, headers={"If-Match": tag}).status_code == 412
    assert sqlite_client.post(f"{THINGS}:bulk", json=body, headers={"If-None-Match": "*"}).status_code == 200


@pytest.mark.parametrize("url", ["/warehouse/things/1", "/warehouse/tags/a", "/warehouse/boxes/1", THINGS])
def test_reading_is_held_to_if_match(sqlite_app: Flask, sqlite_client: FlaskClient, url: str) -> None:
    tag = put_there(sqlite_app, sqlite_client, url) if url != THINGS else etag(sqlite_client, url)
    statuses = [
        sqlite_client.get(url, headers={"If-Match": wanted}).status_code for wanted in ("*", tag, '"0"', f"W/{tag}")
    ]
    assert statuses == [200, 200, 412, 412]


#: Bodies of PUT requests.
BODIES = {
    "/warehouse/things/1": PEN,
    "/warehouse/tags/a": {"code": "a"},
    "/warehouse/boxes/1": {"name": "x", "maker_id": 1},
}


def put_there(app: Flask, client: FlaskClient, url: str) -> str:
    """Add the row of an address, and return its ETag."""
    with app.app_context():
        db.session.add_all([Thing(id=1, **PEN), Box(id=1, name="x", maker_id=1), Tag(code="a")])
        db.session.commit()
    return etag(client, url)


@pytest.mark.parametrize("tag", ['"', 'W/"1"', '"1.x"', "1, 2", '"\xff"', "*" * 5000, '"1"' * 1000, ",", "", "é"])
@pytest.mark.parametrize("url", ["/warehouse/tags/a", "/warehouse/things/1", "/warehouse/boxes/1"])
def test_odd_conditions_tolerated(sqlite_app: Flask, sqlite_client: FlaskClient, url: str, tag: str) -> None:
    with sqlite_app.app_context():
        db.session.add_all([Thing(id=1, **PEN), Label(id=1, name="x"), Maker(id=2, name="B")])
        db.session.commit()
    sqlite_client.post("/warehouse/tags", json={"code": "a"})
    for name in ("If-Match", "If-None-Match"):
        for method in ("GET", "PATCH", "DELETE"):
            answer = sqlite_client.open(url, method=method, json={}, headers={name: tag.encode().decode("latin-1")})
            assert answer.status_code < 500
