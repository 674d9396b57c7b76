import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from core.crud import Crud
from core.fields.strict import DEEPEST
from core.rest import Api
from core.rest import ModelResource
from core.rest.rows import RowReader
from core.rest.rows import make_reader
from services import db
from tests.core.warehouse import Box
from tests.core.warehouse import Label
from tests.core.warehouse import Maker
from tests.core.warehouse import Spot
from tests.core.warehouse import Tag
from tests.core.warehouse import Thing
from tests.core.warehouse import Things
from tests.core.warehouse import ThingSchema

PEN = {"name": "pen", "maker_id": 1}
THINGS = "/warehouse/things"


def create(client: FlaskClient, **values: Any) -> TestResponse:
    answer = client.post(THINGS, json={**PEN, **values})
    assert answer.status_code == 201, answer.text
    return answer


def send(
    client: FlaskClient, body: bytes | str, method: str = "POST", url: str = THINGS, **options: Any
) -> TestResponse:
    return client.open(url, method=method, data=body, content_type="application/json", **options)


def problem(answer: TestResponse, status: int) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    return answer.json


def faults(answer: TestResponse) -> set[str]:
    document = problem(answer, 422)
    assert document["type"] == "/problems/invalid"
    return {error["field"] for error in document["errors"]}


# --- the methods --------------------------------------------------------------------------------


def test_created_item_at_location(client: FlaskClient) -> None:
    answer = create(client, price="2.00", color="RED", moment="2026-01-31T13:00:00+01:00", data={"a": [1, None]})
    found = client.get(answer.headers["Location"])
    assert found.json == answer.json
    assert found.headers["ETag"] == answer.headers["ETag"] == '"1"'
    assert found.json | {"price": "2.00", "color": "RED", "moment": "2026-01-31T12:00:00+00:00"} == found.json
    assert (found.json["live"], found.json["data"], found.json["day"]) == (False, {"a": [1, None]}, None)


def test_created_item_shown_as_stored(client: FlaskClient) -> None:
    values = {"price": "2", "weight": 3, "clock": "12:30", "uid": "12345678-1234-5678-1234-56781234567A", "code": "å"}
    values |= {"local": "2026-01-31T12:30", "day": "2026-01-31", "big": -(2**63), "size": "L"}
    answer = create(client, **values)
    assert client.get(answer.headers["Location"]).data == answer.data


def test_location_works_for_any_key(sqlite_client: FlaskClient) -> None:
    for code in ("a b", "ü", "a?b", "a#b", "100%", "%41", "a;b&c=d"):
        answer = sqlite_client.post("/warehouse/tags", json={"code": code})
        assert answer.status_code == 201
        found = sqlite_client.get(answer.headers["Location"])
        assert found.status_code == 200, answer.headers["Location"]
        assert found.json["code"] == code


def test_put_resets_omitted_fields(client: FlaskClient) -> None:
    made = create(client, rank=3, price="9.00", live=True, notes="x", color="RED")
    answer = client.put(made.headers["Location"], json={**PEN, "name": "pencil"}, headers={"If-Match": '"1"'})
    assert answer.status_code == 200
    kept = {name: made.json[name] for name in ("id", "created_at")}
    expected = {
        "name": "pencil",
        "rank": None,
        "price": "1.50",
        "live": False,
        "notes": None,
        "color": None,
        "version": 2,
    }
    assert answer.json | expected | kept == answer.json
    assert answer.headers["ETag"] == '"2"'


def test_put_wants_the_required_fields(sqlite_client: FlaskClient) -> None:
    made = create(sqlite_client)
    assert faults(sqlite_client.put(made.headers["Location"], json={"rank": 1}, headers={"If-Match": '"1"'})) == {
        "name",
        "maker_id",
    }


def test_natural_key_immutable(client: FlaskClient) -> None:
    place = client.post("/warehouse/tags", json={"code": "a", "title": "A"}).headers["Location"]
    answer = client.patch(place, json={"code": "b"})
    assert (answer.status_code, faults(answer)) == (422, {"code"})
    assert client.patch(place, json={"code": "a", "title": "B"}).json == {"code": "a", "title": "B"}


def test_patch_changes_what_it_names(client: FlaskClient) -> None:
    made = create(client, rank=3, price="9.00")
    answer = client.patch(made.headers["Location"], json={"rank": None}, headers={"If-Match": made.headers["ETag"]})
    changed = {name for name in made.json if made.json[name] != answer.json[name]}
    assert changed == {"rank", "version", "updated_at"}


def test_empty_patch_changes_nothing(sqlite_client: FlaskClient) -> None:
    made = create(sqlite_client)
    answer = sqlite_client.patch(made.headers["Location"], json={}, headers={"If-Match": '"1"'})
    assert answer.json == made.json


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        # RFC 7396, appendix A, as far as its target is what the column has before.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        (None, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/merge-patch+json"])
def test_patch_merges_json_column(sqlite_client: FlaskClient, kind: str, before: Any, patch: Any, after: Any) -> None:
    url = create(sqlite_client, data=before).headers["Location"]
    body = json.dumps({"data": patch})
    answer = sqlite_client.patch(url, data=body, content_type=kind, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json["data"]) == (200, after)
    assert sqlite_client.get(url).data == answer.data


def test_merged_json_stored_alike(client: FlaskClient) -> None:
    url = create(client, data={"a": 1, "b": {"c": 2}}).headers["Location"]
    answer = client.patch(url, json={"data": {"b": {"d": 3}, "a": None}}, headers={"If-Match": '"1"'})
    assert client.get(url).json["data"] == answer.json["data"] == {"b": {"c": 2, "d": 3}}


def test_put_replaces_json_with_nulls(sqlite_client: FlaskClient) -> None:
    url = create(sqlite_client, data={"a": 1}).headers["Location"]
    answer = sqlite_client.put(url, json={**PEN, "data": {"b": None}}, headers={"If-Match": '"1"'})
    assert answer.json["data"] == {"b": None}


def test_merge_patch_is_understood(sqlite_client: FlaskClient) -> None:
    url = create(sqlite_client).headers["Location"]
    answer = sqlite_client.patch(
        url, data='{"rank": 1}', content_type="application/merge-patch+json", headers={"If-Match": "*"}
    )
    assert answer.json["rank"] == 1


def test_deleted_item_is_gone(client: FlaskClient) -> None:
    url = create(client).headers["Location"]
    answer = client.delete(url, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.data) == (204, b"")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        problem(client.open(url, method=method, json=PEN, headers={"If-Match": '"1"'}), 404)


def test_referenced_item_is_in_use(client: FlaskClient) -> None:
    create(client)
    assert problem(client.delete("/warehouse/makers/1"), 409)["type"] == "/problems/in-use"


def test_head_is_get_without_the_body(sqlite_client: FlaskClient) -> None:
    url = create(sqlite_client).headers["Location"]
    places = (url, f"{url}?include=maker", THINGS, f"{THINGS}?limit=1&fields=id", f"{THINGS}?x=1", f"{THINGS}/999")
    for place in places:
        get, head = sqlite_client.get(place), sqlite_client.head(place)
        assert (head.status_code, head.data) == (get.status_code, b"")
        assert _stable(head) == _stable(get)
    tag = sqlite_client.head(url).headers["ETag"]
    assert sqlite_client.head(url, headers={"If-None-Match": tag}).status_code == 304


def _stable(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name != "X-Request-ID"}


def test_options_lists_methods_and_patches(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.options(THINGS)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.allow == {"GET", "HEAD", "OPTIONS", "POST"}
    assert "Accept-Patch" not in answer.headers
    answer = sqlite_client.options(f"{THINGS}/1")
    assert answer.allow == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}
    assert answer.headers["Accept-Patch"] == "application/json, application/merge-patch+json"
    answer = sqlite_client.options("/warehouse/shown/1")
    assert answer.allow == {"GET", "HEAD", "OPTIONS"}
    assert "Accept-Patch" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("query", ["fields=id", "include=maker", "x=1", "x", "x=1&x=2"])
def test_method_without_parameters_refuses_them(sqlite_client: FlaskClient, method: str, query: str) -> None:
    url = create(sqlite_client).headers["Location"]
    place = THINGS if method == "POST" else url
    answer = sqlite_client.open(f"{place}?{query}", method=method, json=PEN, headers={"If-Match": "*"})
    (error,) = problem(answer, 400)["errors"]
    assert error["parameter"] == query.partition("=")[0]
    assert sqlite_client.get(url).headers["ETag"] == '"1"'
    assert len(sqlite_client.get(THINGS).json["items"]) == 1


def test_api_versions_coexist(
    write_module: Callable[..., str], make_app: Callable[..., Flask], database_url: Callable[[str], URL]
) -> None:
    name = write_module(
        "press",
        init="""
            from flask import Blueprint
            bp = Blueprint("press", __name__, url_prefix="/press")
            from . import api
            bp.register_blueprint(api.v1)
            bp.register_blueprint(api.v2)
        """,
        api="""
            from flask import Blueprint
            from marshmallow import fields
            from core.rest import Api, ModelResource
            from tests.core.warehouse import MakerSchema, makers

            v1 = Blueprint("v1", __name__, url_prefix="/v1")
            v2 = Blueprint("v2", __name__, url_prefix="/v2")

            class FirmSchema(MakerSchema):
                firm = fields.String(attribute="name", required=True)
                class Meta(MakerSchema.Meta):
                    exclude = ("name",)

            class Makers(ModelResource):
                verbs = makers
                schema = MakerSchema
                allow = ("list", "get")

            class Firms(ModelResource):
                verbs = makers
                schema = FirmSchema

            Makers.register(Api(v1), "/makers")
            Firms.register(Api(v2), "/makers")
        """,
    )
    app = make_app(database_url("sqlite"), [name])
    client = app.test_client()
    place = client.post("/press/v2/makers", json={"firm": "Acme"}).headers["Location"]
    number = place.rpartition("/")[2]
    assert place == f"/press/v2/makers/{number}"
    assert client.get(place).json == {"id": int(number), "firm": "Acme"}
    assert client.get(f"/press/v1/makers/{number}").json == {"id": int(number), "name": "Acme"}
    assert client.get("/press/v1/makers?fields=name").json["items"] == [{"name": "Acme"}]
    problem(client.post("/press/v1/makers", json={"name": "Bolt"}), 405)
    assert client.get("/press/v3/makers").status_code == 404
    # Errors of the verbs name the fields as each version's body does.
    assert problem(client.post("/press/v2/makers", json={"firm": "Acme"}), 422)["errors"][0]["pointer"] == "#/firm"


@pytest.mark.parametrize(
    ("method", "url", "allowed"),
    [
        ("POST", "/warehouse/shown", {"GET", "HEAD", "OPTIONS"}),
        ("PATCH", "/warehouse/shown/1", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/warehouse/new", {"POST", "OPTIONS"}),
        ("PUT", "/warehouse/things", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("BREW", "/warehouse/things", {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
def test_method_that_is_not_allowed(sqlite_client: FlaskClient, method: str, url: str, allowed: set[str]) -> None:
    answer = sqlite_client.open(url, method=method, json=PEN)
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_item_without_verbs_has_no_address(sqlite_client: FlaskClient) -> None:
    problem(sqlite_client.get("/warehouse/new/1"), 404)


# --- conditions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', "*", '"7", "1"', '"7",W/"1"'])
def test_current_item_not_modified(sqlite_client: FlaskClient, tag: str) -> None:
    url = create(sqlite_client).headers["Location"]
    answer = sqlite_client.get(url, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize("tag", ['"2"', "1", '"', '"1', '""', '"11"'])
def test_outdated_item_sent(sqlite_client: FlaskClient, tag: str) -> None:
    url = create(sqlite_client).headers["Location"]
    expected = 304 if tag == "1" else 200
    assert sqlite_client.get(url, headers={"If-None-Match": tag}).status_code == expected


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 428),
        ({"If-Match": '"2"'}, 412),
        ({"If-Match": ""}, 400),
        ({"If-Match": 'W/"1"'}, 412),
        ({"If-Match": '"2", "3"'}, 412),
        ({"If-Match": '"01"'}, 412),
        ({"If-Match": '"1 "'}, 412),
        ({"If-Match": '"ü"'}, 412),
    ],
)
def test_change_without_the_right_condition(
    sqlite_client: FlaskClient, method: str, headers: dict[str, str], status: int
) -> None:
    made = create(sqlite_client)
    url = made.headers["Location"]
    problem(sqlite_client.open(url, method=method, json={**PEN, "name": "pencil"}, headers=headers), status)
    assert sqlite_client.get(url).json == made.json


@pytest.mark.parametrize("tag", ['"1"', "*", '"7", "1"', '"7","1","8"'])
def test_change_with_the_right_condition(sqlite_client: FlaskClient, tag: str) -> None:
    url = create(sqlite_client).headers["Location"]
    assert sqlite_client.patch(url, json={"rank": 1}, headers={"If-Match": tag}).status_code == 200


def test_unversioned_item_needs_no_condition(sqlite_client: FlaskClient) -> None:
    url = sqlite_client.post("/warehouse/tags", json={"code": "a"}).headers["Location"]
    answer = sqlite_client.patch(url, json={"title": "A"})
    assert (answer.status_code, answer.json) == (200, {"code": "a", "title": "A"})


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_of_changes_at_once_one_wins(app: Flask, client: FlaskClient, method: str) -> None:
    url = create(client, rank=0).headers["Location"]
    gate = threading.Barrier(6)
    statuses: list[int] = []

    def change(number: int) -> None:
        new_client = app.test_client()
        gate.wait()
        statuses.append(
            new_client.open(url, method=method, json={"rank": number}, headers={"If-Match": '"1"'}).status_code
        )

    threads = [threading.Thread(target=change, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lost = {412} if method == "PATCH" else {412, 404}
    assert sorted(statuses)[0] == (200 if method == "PATCH" else 204)
    assert set(sorted(statuses)[1:]) <= lost
    if method == "PATCH":
        assert client.get(url).json["version"] == 2


def test_concurrent_unique_values_one_stored(app: Flask, client: FlaskClient) -> None:
    gate = threading.Barrier(5)
    statuses: list[int] = []

    def add() -> None:
        new_client = app.test_client()
        gate.wait()
        statuses.append(new_client.post(THINGS, json={**PEN, "code": "once"}).status_code)

    threads = [threading.Thread(target=add) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 422, 422, 422, 422]
    assert len(client.get(THINGS).json["items"]) == 1


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_lost_race_fails_precondition(
    sqlite_app: Flask, sqlite_client: FlaskClient, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request commits between the check of If-Match and the statement."""
    url = create(sqlite_client).headers["Location"]

    def precondition(self: ModelResource, item: Thing) -> int:
        sa.orm.attributes.set_committed_value(item, "version", 0)
        return 0

    monkeypatch.setattr(ModelResource, "precondition", precondition)
    answer = sqlite_client.open(url, method=method, json={**PEN, "name": "x"}, headers={"If-Match": '"0"'})
    assert problem(answer, 412)["type"] == "/problems/precondition-failed"


# --- representations ----------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["text/html", "application/xml, text/*;q=0.5", "application/json;q=0"])
def test_caller_who_cannot_read_json(sqlite_client: FlaskClient, accept: str) -> None:
    for method, url in (("GET", THINGS), ("GET", f"{THINGS}/1"), ("POST", THINGS), ("PUT", f"{THINGS}/1")):
        problem(sqlite_client.open(url, method=method, json=PEN, headers={"Accept": accept}), 406)


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/*", "text/html, application/json;q=0.1", "application/json"]
)
def test_caller_who_can_read_json(sqlite_client: FlaskClient, accept: str) -> None:
    answer = sqlite_client.get(THINGS, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, "application/json")


# --- bodies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_body_of_another_kind(sqlite_client: FlaskClient, kind: str) -> None:
    answer = sqlite_client.post(THINGS, data=json.dumps(PEN), content_type=kind)
    assert problem(answer, 415)["type"] == "/problems/unsupported-media-type"
    assert answer.headers["Accept"] == "application/json"
    for method, name in (("PUT", "Accept"), ("PATCH", "Accept-Patch")):
        answer = sqlite_client.open(f"{THINGS}/1", method=method, data=json.dumps(PEN), content_type=kind)
        problem(answer, 415)
        assert answer.headers[name].startswith("application/json")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{'name': 'pen'}",
        b'{"name": "pen",}',
        b'{"rank": NaN}',
        b'{"rank": Infinity}',
        b'{"weight": 1e999}',
        b'{"rank": 1' + b"0" * 400 + b"}",
        b'{"name": "a", "name": "b"}',
        b'{"data": {"x": 1, "x": 1}}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'\xef\xbb\xbf{"name": "pen"}',
        '{"name": "pen"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"data":' * 100_000,
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"rank": 1' + b"0" * 5000 + b"}",
        b'{"name": "a\0b"}',
        b'{"name": "a\nb"}',
        b"nul",
        b'{"name": "pen"} {"name": "pen"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_body_that_is_no_json(sqlite_client: FlaskClient, body: bytes) -> None:
    assert problem(send(sqlite_client, body), 400)["type"] == "/problems/bad-request"


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "true", '[{"name": "pen"}]'])
def test_body_that_is_no_object(sqlite_client: FlaskClient, body: str) -> None:
    assert problem(send(sqlite_client, body), 422)["errors"] == [
        {"field": "", "message": "The body must be a JSON object.", "pointer": "#"}
    ]


def test_body_that_is_too_large(sqlite_client: FlaskClient) -> None:
    document = problem(send(sqlite_client, json.dumps({**PEN, "notes": "x" * 10_000_000})), 413)
    assert document["type"] == "/problems/too-large"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colour", "RED"),
        ("id", 5),
        ("version", 5),
        ("created_at", "2026-01-01T00:00:00Z"),
        ("updated_at", None),
        ("__class__", "x"),
        ("maker", {"id": 1}),
        ("name", None),
        ("name", 5),
        ("name", ["pen"]),
        ("name", ""),
        ("name", " \t"),
        ("name", "x" * 41),
        ("name", "a\0b"),
        ("notes", "a\0b"),
        ("notes", "x" * 1_000_001),
        ("rank", "12"),
        ("rank", 12.0),
        ("rank", 12.5),
        ("rank", True),
        ("rank", 2**31),
        ("rank", -(2**31) - 1),
        ("rank", [1]),
        ("rank", {}),
        ("slot", 2**15),
        ("big", 2**63),
        ("big", -(2**63) - 1),
        ("price", "1.005"),
        ("price", "100000000.00"),
        ("price", "NaN"),
        ("price", "Infinity"),
        ("price", "1e2"),
        ("price", "-0.01"),
        ("price", ""),
        ("price", True),
        ("price", 1.5),
        ("price", 3),
        ("price", None),
        ("price", [1]),
        ("price", "1_000"),
        ("price", "١"),
        ("weight", "0.5"),
        ("weight", True),
        ("color", "red"),
        ("color", "BLUE"),
        ("color", 1),
        ("color", ["RED"]),
        ("color", "__class__"),
        ("size", "XL"),
        ("size", 1),
        ("live", "true"),
        ("live", 1),
        ("live", None),
        ("day", "2026-02-30"),
        ("day", "0999-12-31"),
        ("day", "2026-01-31T00:00:00"),
        ("day", 20260131),
        ("clock", "24:30"),
        ("clock", 5),
        ("local", "2026-01-31T00:00:00Z"),
        ("local", "0001-01-01T00:00:00"),
        ("moment", "2026-01-31T00:00:00"),
        ("moment", "9999-12-31T23:59:59-01:00"),
        ("moment", "0001-01-01T00:00:00+01:00"),
        ("moment", 1767225600),
        ("uid", "x"),
        ("uid", 12),
        ("uid", "{01890a5d-ac96-774b-bcce-b302099a8057}"),
        ("uid", "01890a5dac96774bbcceb302099a8057"),
        ("uid", "00000000-0000-8000-0000-000000000000"),
        ("data", {"a": ["b\0"]}),
        ("data", {"a\0": 1}),
        ("data", [2**64]),
        ("data", {"a": -(2**63) - 1}),
        ("maker_id", 99),
        ("maker_id", "1"),
        ("maker_id", None),
        ("rank", -100),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_value_that_is_refused(sqlite_client: FlaskClient, field: str, value: Any) -> None:
    answer = send(sqlite_client, json.dumps({**PEN, field: value}))
    assert faults(answer) == {field}
    assert sqlite_client.get(THINGS).json["items"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rank", 2**31 - 1),
        ("big", -(2**63)),
        ("price", "99999999.99"),
        ("price", "0"),
        ("weight", 5e-324),
        ("weight", 1.7976931348623157e308),
        ("weight", 3),
        ("weight", -0.0),
        ("name", "x" * 40),
        ("name", "😀" * 40),
        ("notes", ""),
        ("day", "9999-12-31"),
        ("day", "1000-01-01"),
        ("moment", "9999-12-31T22:59:59.999999-01:00"),
        ("moment", "1970-01-01T00:00:00Z"),
        ("clock", "23:59:59"),
        ("data", {"a": [1, 2.5, "x", True, None, {"b": {}}], "": "ü\u2028"}),
        ("data", [2**64 - 1, -(2**63)]),
        ("uid", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ("uid", "00000000-0000-0000-0000-000000000000"),
        ("uid", "01890A5D-AC96-774B-BCCE-B302099A8057"),
        ("data", False),
        ("data", "text"),
        ("data", 0),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_edge_values_stored_alike(client: FlaskClient, field: str, value: Any) -> None:
    made = create(client, **{field: value})
    found = client.get(made.headers["Location"])
    assert found.data == made.data
    assert float(found.json[field]) == float(value) if field == "price" else found.json[field] is not None


def test_deepest_json_stored_alike(client: FlaskClient) -> None:
    value: Any = 1
    for level in range(DEEPEST):
        value = {"a": value} if level % 2 else [value]
    made = create(client, data=value)
    assert client.get(made.headers["Location"]).json["data"] == value


@pytest.mark.parametrize("depth", [DEEPEST + 2, 260, 800])
def test_too_deep_json_refused(sqlite_client: FlaskClient, depth: int) -> None:
    body = json.dumps({**PEN, "data": 0})[:-2] + "[" * depth + "]" * depth + "}"
    assert faults(send(sqlite_client, body)) == {"data"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.b", "#/a.b"),
        ("a/b~c", "#/a~1b~0c"),
        ("", "#/"),
        ('a b%"ü', "#/a%20b%25%22%C3%BC"),
        ("lines.0.name", "#/lines.0.name"),
        ("0", "#/0"),
    ],
)
def test_pointer_names_fault(sqlite_client: FlaskClient, name: str, expected: str) -> None:
    (error,) = problem(sqlite_client.post(THINGS, json={**PEN, name: 1}), 422)["errors"]
    assert error == {"field": name, "message": "Unknown field.", "pointer": expected}


def test_all_faults_reported_together(sqlite_client: FlaskClient) -> None:
    body = {"name": 5, "maker_id": "x", "rank": "1", "colour": 1, "id": 1}
    assert faults(send(sqlite_client, json.dumps(body))) == set(body)


def test_unique_value_that_exists_is_named(client: FlaskClient) -> None:
    create(client, code="a1")
    assert faults(client.post(THINGS, json={**PEN, "code": "a1"})) == {"code"}


# --- ids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "-1",
        "0",
        "1.0",
        "1e3",
        "9223372036854775808",
        str(2**70),
        "9" * 5000,
        "%20",
        "%D9%A1",
        "nan",
        "true",
        "1;x=1",
    ],
)
def test_id_of_no_item(client: FlaskClient, key: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        document = problem(client.open(f"{THINGS}/{key}", method=method, json={}, headers={"If-Match": '"1"'}), 404)
        assert document["type"] == "/problems/not-found"


@pytest.mark.parametrize("key", ["1\0", "\xff", "\0", "1\xc0\x80", "\xed\xa0\x80"])
def test_id_that_is_no_text(sqlite_client: FlaskClient, key: str) -> None:
    """The client of the tests would replace what is no UTF-8; a server does not."""
    problem(sqlite_client.get(THINGS, environ_overrides={"PATH_INFO": f"{THINGS}/{key}"}), 400)


@pytest.mark.parametrize("path", [f"{THINGS}/1/2", f"{THINGS}/", "/warehouse/nothing", f"{THINGS}/../../warehouse/x"])
def test_address_of_nothing(sqlite_client: FlaskClient, path: str) -> None:
    problem(sqlite_client.get(path), 404)


# --- rows or entities ---------------------------------------------------------------------------


class LoudThings(Things):
    """Writes its verbs out: what reads rows past them would show what they hide."""

    def get(self, key: object, options: Any = ()) -> Any:
        item = super().get(key, options)
        item.name = item.name.upper()
        return item


class HiddenThings(Things):
    def select(self) -> sa.Select[Any]:
        return super().select().where(Thing.live)


@pytest.mark.parametrize(("verbs", "serves"), [(Things, True), (LoudThings, False), (HiddenThings, False)])
def test_custom_verbs_bypass_fast_rows(verbs: type[Crud], serves: bool) -> None:
    assert isinstance(make_reader(verbs(), ThingSchema()), RowReader) is serves


def test_written_verbs_are_served(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    class Resource(ModelResource):
        verbs = LoudThings()
        schema = ThingSchema

    bp = Blueprint("loud", __name__, url_prefix="/loud")
    Resource.register(Api(bp), "/things")
    sqlite_app.register_blueprint(bp)
    number = create(sqlite_client).json["id"]
    assert sqlite_client.get(f"/loud/things/{number}").json["name"] == "PEN"
    assert [item["name"] for item in sqlite_client.get("/loud/things").json["items"]] == ["pen"]


def test_statements_are_shown_to_who_listens(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    create(sqlite_client)
    plain = sqlite_client.get(THINGS).data
    seen: list[str] = []
    with sqlite_app.app_context():
        listener = lambda c, cursor, statement, *rest: seen.append(statement)  # noqa: E731
        sa.event.listen(db.engine, "before_cursor_execute", listener)
        assert sqlite_client.get(THINGS).data == plain
        sa.event.remove(db.engine, "before_cursor_execute", listener)
    assert [statement.split()[0] for statement in seen] == ["BEGIN", "SELECT"]


# --- relationships ------------------------------------------------------------------------------


@pytest.fixture
def stocked_client(app: Flask, client: FlaskClient) -> FlaskClient:
    with app.app_context():
        db.session.add_all([Label(id=1, name="new"), Label(id=2, name="old"), Maker(id=2, name="Bolt")])
        db.session.add_all([Tag(code="a"), Tag(code="b"), Spot(aisle="N", level=1)])
        db.session.commit()
    return client


def test_related_rows_as_keys(stocked_client: FlaskClient) -> None:
    answer = stocked_client.post("/warehouse/boxes", json={"name": "x", "maker_id": 1, "labels": [2, 1], "tags": ["b"]})
    assert answer.status_code == 201, answer.text
    expected = {"maker_id": 1, "maker": 1, "labels": [1, 2], "tags": ["b"], "spot": None, "boxes": []}
    assert answer.json | expected == answer.json
    place = answer.headers["Location"]
    assert stocked_client.get(place).data == answer.data
    answer = stocked_client.patch(place, json={"labels": [2], "maker_id": 2}, headers={"If-Match": '"1"'})
    assert answer.json | {"labels": [2], "tags": ["b"], "maker": 2, "version": 2} == answer.json
    assert stocked_client.get(place).data == answer.data
    answer = stocked_client.put(place, json={"name": "x", "maker_id": 2}, headers={"If-Match": '"2"'})
    assert answer.json | {"labels": [], "tags": [], "version": 3} == answer.json
    assert stocked_client.delete(place, headers={"If-Match": '"3"'}).status_code == 204


def test_related_row_instead_of_foreign_key(stocked_client: FlaskClient) -> None:
    body = {"name": "x", "maker": 1, "spot": {"aisle": "N", "level": 1}}
    answer = stocked_client.post("/warehouse/crates", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json | body == answer.json
    place = answer.headers["Location"]
    inner = stocked_client.post("/warehouse/crates", json={"name": "y", "maker": 2, "inside": answer.json["id"]})
    assert stocked_client.get(place).json["boxes"] == [inner.json["id"]]
    answer = stocked_client.put(place, json={"name": "x", "maker": 2}, headers={"If-Match": '"1"'})
    assert answer.json | {"maker": 2, "spot": None} == answer.json
    assert faults(stocked_client.put(place, json={"name": "x"}, headers={"If-Match": '"2"'})) == {"maker"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("labels", [1, 999], "There is no label 999."),
        ("labels", ["a"], "Not a valid integer."),
        ("tags", ["A"], "There is no tag A."),
        ("maker", 99, "There is no maker 99."),
        ("spot", {"aisle": "N", "level": 2}, "There is no spot N, 2."),
    ],
)
def test_missing_related_row_named(stocked_client: FlaskClient, field: str, value: Any, message: str) -> None:
    answer = stocked_client.post("/warehouse/crates", json={"name": "x", "maker": 1, field: value})
    assert problem(answer, 422)["errors"] == [{"field": field, "message": message, "pointer": f"#/{field}"}]


def test_related_rows_one_query_each(app: Flask, stocked_client: FlaskClient) -> None:
    with app.app_context():
        labels, tag = list(db.session.scalars(sa.select(Label))), db.session.get(Tag, "a")
        outer = Box(name="outer", maker_id=2)
        inner = [Box(name=f"{i}", maker_id=1 + i % 2, inside=outer, labels=labels, tags={tag}) for i in range(9)]
        db.session.add_all([outer, *inner])
        db.session.commit()
        number = outer.id
    for url, queries in (("/warehouse/boxes", 7), (f"/warehouse/boxes/{number}", 6)):
        seen: list[str] = []
        with app.app_context():
            listener = lambda c, cursor, statement, *rest: seen.append(statement)  # noqa: B023, E731
            sa.event.listen(db.engine, "before_cursor_execute", listener)
            answer = stocked_client.get(url)
            sa.event.remove(db.engine, "before_cursor_execute", listener)
        selects = [statement for statement in seen if statement.startswith("SELECT")]
        assert (answer.status_code, len(selects) <= queries) == (200, True), "\n".join(selects)
