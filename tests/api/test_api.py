import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import settings

CITIES = "/api/v1/cities"


def fields(answer: TestResponse) -> set[str]:
    assert answer.mimetype == "application/problem+json"
    return {error["field"] for error in answer.json["errors"]}


def kind(answer: TestResponse) -> str:
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == answer.status_code
    return answer.json["type"].rpartition("/")[2]


# --- lists --------------------------------------------------------------------------------------


def test_index_names_the_collections(sqlite_client: FlaskClient):
    assert sqlite_client.get("/api/v1/").json == {"countries": "/api/v1/countries", "cities": CITIES}


def test_cities_begin_with_the_largest(make_city, list_names):
    for name, population in (("Small", 20_000), ("Large", 3_000_000), ("Middle", 500_000)):
        make_city(name=name, population=population)
    assert list_names("") == ["Large", "Middle", "Small"]


@pytest.mark.parametrize("sort", ["", "name", "-name", "population", "name,-population"])
def test_cursor_walks_forth_and_back(client: FlaskClient, make_city, sort):
    # Equal names and numbers: what decides then is the id, which ends every order.
    for number in range(11):
        make_city(name=f"City {number % 3}", population=20_000 + number % 2)
    whole = client.get(f"{CITIES}?sort={sort}").json["items"]
    forward, url = [], f"{CITIES}?sort={sort}&limit=3"
    while url:
        answer = client.get(url)
        forward += answer.json["items"]
        last, url = url, answer.json["links"].get("next")
    assert forward == whole
    backward, url = [], client.get(last).json["links"]["prev"]
    while url:
        answer = client.get(url)
        backward = answer.json["items"] + backward
        url = answer.json["links"].get("prev")
    assert backward == whole[:9]


def test_link_header_matches_body(client: FlaskClient, make_city):
    make_city()
    make_city()
    answer = client.get(f"{CITIES}?limit=1")
    assert answer.headers["Link"] == f'<{answer.json["links"]["next"]}>; rel="next"'


def test_cursor_stable_with_new_row(client: FlaskClient, make_city, list_names):
    for population in (50_000, 40_000, 30_000):
        make_city(name=f"City {population}", population=population)
    second = client.get(f"{CITIES}?limit=1").json["links"]["next"]
    make_city(population=60_000)
    assert [item["population"] for item in client.get(second).json["items"]] == [40_000]


def test_last_numbered_page_links_cursor(client: FlaskClient, make_city, monkeypatch):
    monkeypatch.setattr(settings, "MAX_OFFSET", 2)
    for population in (50_000, 40_000, 30_000, 20_000):
        make_city(population=population)
    answer = client.get(f"{CITIES}?limit=1&page=3")
    followed = client.get(answer.json["links"]["next"])
    assert [item["population"] for item in followed.json["items"]] == [20_000]


def test_city_is_shown_with_its_country(client: FlaskClient, make_city, make_country):
    make_country(code="FR", name="France")
    number = make_city(name="Lyon", population=522_250, country_code="FR")
    make_city(name="Jaca", population=13_396)
    answer = client.get(f"{CITIES}?fields=name&include=country")
    shown = [(item["name"], item["country"]["name"]) for item in answer.json["items"]]
    assert shown == [("Lyon", "France"), ("Jaca", "Land of ES")]
    city = client.get(f"{CITIES}/{number}?include=country").json
    assert city == {**client.get(f"{CITIES}/{number}").json, "country": client.get("/api/v1/countries/FR").json}


def test_total_is_counted_when_asked_for(client: FlaskClient, make_city):
    for name in ("Sevilla", "Segovia", "Toledo"):
        make_city(name=name)
    answer = client.get(f"{CITIES}?q=se&limit=1&count=true")
    assert (answer.json["total"], len(answer.json["items"])) == (2, 1)
    assert "total" not in client.get(CITIES).json


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=leon", ["León"]),
        ("q=LEÓN", ["León"]),
        ("q=ciudad%20real", ["Ciudad Real"]),
        ("q=d_r", []),
        ("q=%25", ["100 %"]),
        ("q=/", ["a/b"]),
        ("q=%5C", ["c\\d"]),
        ("name=León", ["León"]),
        ("name=Leon", []),
        ("name=León%20", []),
        ("name__startswith=Ciu", ["Ciudad Real"]),
        ("name__startswith=_", []),
        ("q=leon&country_code=FR", []),
    ],
)
def test_search(make_city, list_names, query, found):
    for name in ("León", "Ciudad Real", "100 %", "a/b", "c\\d"):
        make_city(name=name)
    assert list_names(query) == found


def test_filters(make_city, make_country, list_names):
    make_country(code="FR")
    make_city(name="Madrid", population=3_255_944)
    make_city(name="Jaca", population=13_396)
    make_city(name="Lyon", population=522_250, country_code="FR")
    assert list_names("country_code=FR") == ["Lyon"]
    assert list_names("country_code=fr") == []
    assert list_names("country_code__in=FR,ES&sort=name") == ["Jaca", "Lyon", "Madrid"]
    assert list_names("population__gte=522250&population__lte=3255943") == ["Lyon"]
    assert list_names("country_code=ES&population__lte=20000") == ["Jaca"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *((f"page={page}", "page") for page in ("0", "-1", "1000000000", "a", "1.0", "501&limit=100", "%D9%A1")),
        *((f"limit={limit}", "limit") for limit in ("0", "-1", "101", "1e1")),
        *((f"cursor={cursor}", "cursor") for cursor in ("x", "WyIiLDFd", "bnVsbA", "a" * 3000, "%C3%A9")),
        ("page=1&cursor=x", "cursor"),
        *((f"sort={sort}", "sort") for sort in ("latitude", "name,name", "--name", ",", "version")),
        *((f"population__gte={number}", "population__gte") for number in ("a", "1.5", "NaN", "Infinity", "9" * 30)),
        ("population__gte=1&population__gte=2", "population__gte"),
        ("country_code=ESP", "country_code"),
        ("country_code__in=" + ",".join(["ES"] * 101), "country_code__in"),
        ("q=" + "a" * 201, "q"),
        ("count=1", "count"),
        ("capital=x", "capital"),
        ("search_name=x", "search_name"),
        ("population=1", "population"),
    ],
)
def test_query_that_is_not_understood(sqlite_client: FlaskClient, query, field):
    answer = sqlite_client.get(f"{CITIES}?{query}")
    assert (answer.status_code, kind(answer), fields(answer)) == (400, "bad-query", {field})


def test_cursor_of_another_order(client: FlaskClient, make_city):
    make_city()
    make_city()
    url = client.get(f"{CITIES}?limit=1").json["links"]["next"]
    assert fields(client.get(f"{url}&sort=name")) == {"cursor"}


@pytest.mark.parametrize("text", ["%00", "%FF", "%ED%A0%80"])
def test_query_that_is_no_text(sqlite_client: FlaskClient, text):
    assert kind(sqlite_client.get(f"{CITIES}?q={text}")) == "bad-request"


def test_page_past_the_end(client: FlaskClient, make_city):
    make_city()
    assert kind(client.get(f"{CITIES}?page=2")) == "not-found"


# --- items --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["abc", "0", "-1", "1.0", "1e3", "2147483648", str(2**63), "9" * 5000, "١٢", "null", "1;2", "%0A", "a%2Fb"]
)
def test_id_that_is_none(client: FlaskClient, key):
    assert kind(client.get(f"{CITIES}/{key}")) == "not-found"
    assert kind(client.delete(f"{CITIES}/{key}", headers={"If-Match": "*"})) == "not-found"


@pytest.mark.parametrize("path", ["/api/v1/cities/\xff", "/api/v1/\xed\xa0\x80", "/api/v1/cities/\0"])
def test_path_that_is_no_text(sqlite_client: FlaskClient, path):
    # As a server passes it on: bytes as Latin-1. The client would encode it.
    answer = sqlite_client.get(CITIES, environ_overrides={"PATH_INFO": path})
    assert kind(answer) == "bad-request"


def test_created_city_is_what_was_sent(client: FlaskClient, make_city, city_data):
    answer = client.post(CITIES, json=city_data)
    assert answer.status_code == 201
    assert answer.json == {**city_data, "id": answer.json["id"], "version": 1, "population": 0, "admin1_code": None}
    assert answer.headers["Location"] == f"{CITIES}/{answer.json['id']}"
    read = client.get(answer.headers["Location"])
    assert (read.data, read.headers["ETag"]) == (answer.data, answer.headers["ETag"])


@pytest.mark.parametrize("latitude", [-90, 90, 0.1 + 0.2, 1e-320, 12.123456789012346])
def test_float_round_trips_exactly(client: FlaskClient, make_city, city_data, latitude):
    created = client.post(CITIES, json={**city_data, "latitude": latitude})
    assert client.get(created.headers["Location"]).json["latitude"] == latitude


@pytest.mark.parametrize(
    "name", [" a ", "é" * 200, "\U0001f600", "\u0301", "Ĳssel", "e\u0301", "\ufdfa" * 200, "'; --"]
)
def test_name_comes_back_as_it_was(client: FlaskClient, make_city, city_data, name):
    created = client.post(CITIES, json={**city_data, "name": name})
    assert created.status_code == 201
    assert client.get(created.headers["Location"]).json["name"] == name
    assert client.get(CITIES, query_string={"q": name}).json["items"] == [created.json]


def test_unchanged_city_is_not_sent_again(client: FlaskClient, make_city):
    url = f"{CITIES}/{make_city()}"
    answer = client.get(url, headers={"If-None-Match": client.get(url).headers["ETag"]})
    assert (answer.status_code, answer.data) == (304, b"")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", "  ", None, 5, True, ["a"], "x" * 201, "a\0b")),
        *(("country_code", value) for value in ("", None, "ESP", "ES ", "\0")),
        *(("latitude", value) for value in (90.0001, -91, "1", True, None, [], {})),
        *(("longitude", value) for value in (180.5, -181)),
        *(("population", value) for value in (-1, 2**31, 2**63, 10**30, 1.0, 1.5, "1", True, None)),
        *(("timezone", value) for value in ("", None, "x" * 41)),
        ("admin1_code", "x" * 21),
        *((name, 1) for name in ("id", "version", "search_name", "colour", "a\0b", "__proto__")),
    ],
)
def test_invalid_field_is_named(sqlite_client: FlaskClient, city_data, field, value):
    # Written here: the client's JSON has no integers beyond 64 bits.
    body = json.dumps({**city_data, field: value})
    answer = sqlite_client.post(CITIES, data=body, content_type="application/json")
    assert (answer.status_code, kind(answer), fields(answer)) == (422, "invalid", {field})
    assert sqlite_client.get(CITIES).json["items"] == []


def test_missing_fields_are_named(sqlite_client: FlaskClient):
    required = {"name", "country_code", "latitude", "longitude", "timezone"}
    assert fields(sqlite_client.post(CITIES, json={})) == required


@pytest.mark.parametrize("code", ["XX", "es"])
def test_unknown_country(client: FlaskClient, make_city, city_data, code):
    answer = client.post(CITIES, json={**city_data, "country_code": code})
    assert (answer.status_code, fields(answer)) == (422, {"country_code"})
    assert client.get(CITIES).json["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"name":',
        b'{"latitude": NaN}',
        b'{"latitude": Infinity}',
        b'{"latitude": 1e400}',
        b'{"latitude": 1' + b"0" * 5000 + b"}",
        b'{"name": "a", "name": "b"}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"\\ud800": 1}',
        b"\xef\xbb\xbf{}",
        '{"name": "a"}'.encode("utf-16"),
        b"[" * 2000 + b"]" * 2000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_body_that_is_no_json(sqlite_client: FlaskClient, body):
    answer = sqlite_client.post(CITIES, data=body, content_type="application/json")
    assert (answer.status_code, kind(answer)) == (400, "bad-request")


@pytest.mark.parametrize("body", ["[]", "null", '"a"', "1"])
def test_body_that_is_no_object(sqlite_client: FlaskClient, body):
    assert kind(sqlite_client.post(CITIES, data=body, content_type="application/json")) == "invalid"


def test_body_that_is_too_large(sqlite_client: FlaskClient, city_data):
    answer = sqlite_client.post(CITIES, json={**city_data, "name": "x" * 10_000_000})
    assert (answer.status_code, kind(answer)) == (413, "too-large")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_content_type_that_is_not_json(sqlite_client: FlaskClient, city_data, content_type):
    answer = sqlite_client.post(CITIES, data=json.dumps(city_data), content_type=content_type)
    assert (answer.status_code, kind(answer)) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("accept", "status"),
    [("*/*", 200), ("", 200), ("application/*", 200), ("text/html, */*;q=0.8", 200), ("text/csv", 406),
     ("application/json;q=0", 406), ("nonsense", 406)],
)  # fmt: skip
def test_accept(sqlite_client: FlaskClient, accept, status):
    assert sqlite_client.get(CITIES, headers={"Accept": accept}).status_code == status


# --- changes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(("headers", "status"), [({}, 428), ({"If-Match": '"2"'}, 412), ({"If-Match": 'W/"1"'}, 412)])
def test_change_without_the_right_etag(client: FlaskClient, make_city, city_data, method, headers, status):
    url = f"{CITIES}/{make_city()}"
    before = client.get(url).data
    answer = client.open(url, method=method, json=None if method == "DELETE" else city_data, headers=headers)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert client.get(url).data == before


def test_patch_changes_what_it_names(client: FlaskClient, make_city):
    url = f"{CITIES}/{make_city(name='Xixón', population=270_000)}"
    before = client.get(url).json
    answer = client.patch(url, json={"population": 271_000}, headers={"If-Match": '"1"'})
    assert answer.json == {**before, "population": 271_000, "version": 2}
    assert answer.headers["ETag"] == '"2"'
    assert client.get(url).data == answer.data


def test_patch_takes_null_for_none(client: FlaskClient, make_city):
    url = f"{CITIES}/{make_city(admin1_code='29')}"
    options: dict[str, Any] = {"data": '{"admin1_code": null}', "content_type": "application/merge-patch+json"}
    assert client.patch(url, **options, headers={"If-Match": "*"}).json["admin1_code"] is None


def test_second_editor_gets_conflict(client: FlaskClient, make_city):
    url = f"{CITIES}/{make_city()}"
    seen = {"If-Match": client.get(url).headers["ETag"]}
    assert client.patch(url, json={"population": 1}, headers=seen).status_code == 200
    assert client.patch(url, json={"population": 2}, headers=seen).status_code == 412
    assert client.get(url).json["population"] == 1


def test_put_resets_omitted_to_default(client: FlaskClient, make_city, city_data):
    url = f"{CITIES}/{make_city(population=5, admin1_code='29')}"
    answer = client.put(url, json=city_data, headers={"If-Match": "*"})
    assert answer.json == {**client.get(url).json, **city_data, "population": 0, "admin1_code": None, "version": 2}


def test_renamed_city_found_by_name(client: FlaskClient, make_city, list_names):
    url = f"{CITIES}/{make_city(name='Gijón')}"
    client.patch(url, json={"name": "Xixón"}, headers={"If-Match": "*"})
    assert (list_names("q=xixon"), list_names("q=gijon")) == (["Xixón"], [])


def test_deleted_city_not_found(client: FlaskClient, make_city, city_data):
    url = f"{CITIES}/{make_city()}"
    answer = client.delete(url, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(url).status_code == 404
    # A new city under the old id would have the old one's ETag.
    assert client.post(CITIES, json=city_data).headers["Location"] != url


# --- countries ----------------------------------------------------------------------------------


def test_country(client: FlaskClient, make_country):
    make_country(code="ES", name="Spain", capital="Madrid")
    expected = {
        "code": "ES", "iso3": "ESX", "name": "Spain", "capital": "Madrid", "continent": "EU",
        "population": 47_000_000, "area_km2": 500_000, "currency_code": None,
    }  # fmt: skip
    assert client.get("/api/v1/countries/ES").json == expected
    assert client.get("/api/v1/countries?q=spa&continent=EU").json == {"items": [expected], "links": {}}
    assert kind(client.get("/api/v1/countries/es")) == "not-found"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "countries"), ("PUT", "countries/ES"), ("DELETE", "countries/ES")]
)
def test_countries_are_read_only(sqlite_client: FlaskClient, method, path):
    answer = sqlite_client.open(f"/api/v1/{path}", method=method, json={})
    assert kind(answer) == "method-not-allowed"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_unknown_path_below_the_api(sqlite_app: Flask, sqlite_client: FlaskClient):
    assert kind(sqlite_client.get("/api/v1/rivers", headers={"Accept": "text/html"})) == "not-found"
