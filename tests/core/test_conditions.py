"""Filters that are repeated, negated, ranges or parts of texts answer alike on each engine and in each face."""

from collections.abc import Callable
from datetime import UTC
from datetime import date
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import urlencode
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.access import Identity
from core.access import set_identity_loader
from core.crud.listing import Listing
from services import db
from tests.core import chinook
from tests.core import school
from tests.core.warehouse import Color
from tests.core.warehouse import Maker
from tests.core.warehouse import Thing
from tests.core.warehouse import things

PARTS = ("50% off", "500 off", "a_b", "axb", "a/b", "back\\slash", "it's", "Rock, Pop", "rock", "ÉTÉ")


@pytest.fixture
def stock(app: Flask, client: FlaskClient) -> Flask:
    """Return an application with four things of two makers."""
    with app.app_context():
        db.session.add(Maker(id=2, name="Best & 100%"))
        first = {"rank": 1, "color": Color.RED, "day": date(2026, 1, 31), "price": Decimal("2.25"), "maker_id": 1}
        second = {"rank": 2, "color": Color.GREEN, "day": date(2026, 2, 1), "price": Decimal("3.00"), "maker_id": 2}
        third = {"rank": 3, "price": Decimal("99.99"), "maker_id": 2, "moment": datetime(2026, 1, 31, 12, tzinfo=UTC)}
        for name, row in zip("abcn", (first, second, third, {"maker_id": 1}), strict=True):
            db.session.add(Thing(name=name, **row))
            db.session.flush()
        db.session.commit()
    return app


def found(client: FlaskClient, query: str) -> str:
    answer = client.get(f"/warehouse/things?sort=id&limit=100&{query}")
    assert answer.status_code == 200, answer.text
    return "".join(item["name"] for item in answer.json["items"])


def refused(client: FlaskClient, query: str) -> dict[str, str]:
    answer = client.get(f"/warehouse/things?{query}")
    assert answer.status_code == 400, answer.text
    return {error["field"]: error["message"] for error in answer.json["errors"]}


# --- what they find -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("rank=1&rank=3", "ac"),
        ("rank=&rank=3", "c"),
        ("rank=1&rank=3&color=RED&color=GREEN", "a"),
        ("color=RED&color=GREEN", "ab"),
        ("live=true&live=false", "abcn"),
        ("rank__in=1&rank__in=2,3", "abc"),
        ("name__startswith=a&name__startswith=n", "an"),
        # NULL is no other value.
        ("rank__ne=1", "bc"),
        ("rank__ne=1&rank__ne=2", "c"),
        ("rank__nin=1", "bc"),
        ("rank__nin=1,2", "c"),
        ("rank__nin=1&rank__nin=2", "c"),
        ("rank__nin=1&rank__ne=2", "c"),
        ("color__nin=RED", "b"),
        ("color__ne=RED&color__ne=GREEN", ""),
        ("name__nin=a,B", "bcn"),
        ("rank__between=1,2", "ab"),
        ("rank__between=2,1", ""),
        ("rank__between=1,1&rank__between=3,9", "ac"),
        ("price__between=2.25,3", "ab"),
        ("price__between=2.26,3&rank=1", ""),
        ("day__between=2026-01-31,2026-01-31", "a"),
        ("day__between=2026-01-31,2026-02-01", "ab"),
        ("maker.name__contains=ACM", "an"),
        ("maker.name__contains=0%25", "bc"),
        ("maker.name__nin=Acme", "bc"),
        ("maker.name=Acme&maker.name=Best %26 100%25", "abcn"),
    ],
)
def test_filter_finds_its_rows(stock: Flask, client: FlaskClient, query: str, expected: str) -> None:
    assert found(client, query.replace(" ", "%20")) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"name__contains": "50%"}, ["50% off"]),
        ({"name__contains": "A_B"}, ["a_b"]),
        ({"name__contains": "A/B"}, ["a/b"]),
        ({"name__contains": "\\S"}, ["back\\slash"]),
        ({"name__contains": "'"}, ["it's"]),
        ({"name__contains": "k, p"}, ["Rock, Pop"]),
        ({"name__contains": "été"}, ["ÉTÉ"]),
        ({"name__contains": "e"}, []),
        ({"name__contains": ["ock", "500"]}, ["500 off", "Rock, Pop", "rock"]),
        ({"name": ["Rock, Pop", "axb"]}, ["axb", "Rock, Pop"]),
        ({"name": "rock"}, ["rock"]),
        ({"name__ne": [*PARTS[1:7], "Rock, Pop"]}, ["50% off", "rock", "ÉTÉ"]),
    ],
)
def test_text_is_taken_as_it_is(app: Flask, client: FlaskClient, asked: dict[str, Any], expected: list[str]) -> None:
    with app.app_context():
        for name in PARTS:
            db.session.add(Thing(name=name, maker_id=1))
            db.session.flush()
        db.session.commit()
    query = urlencode({"sort": "id", "limit": 100, **asked}, doseq=True)
    assert [item["name"] for item in client.get(f"/warehouse/things?{query}").json["items"]] == expected


def test_links_keep_repeated_names(stock: Flask, client: FlaskClient) -> None:
    url, seen = "/warehouse/things?rank=1&rank=2&rank=3&rank__ne=9&rank__ne=2&limit=1&sort=id&count=true", ""
    answer = client.get(url).json
    assert answer["total"] == 2
    while url:
        answer = client.get(url).json
        seen += "".join(item["name"] for item in answer["items"])
        url = answer["links"].get("next")
    assert seen == "ac"
    previous = parse_qsl(urlsplit(answer["links"]["prev"]).query)
    assert [text for name, text in previous if name == "rank"] == ["1", "2", "3"]
    numbered = client.get("/warehouse/things?rank=1&rank=3&limit=1&page=1").json["links"]["next"]
    assert numbered == "/warehouse/things?rank=1&rank=3&limit=1&page=2"


def test_etag_is_of_the_question(stock: Flask, client: FlaskClient) -> None:
    url = "/warehouse/things?rank=1&rank=2"
    tag = client.get(url).headers["ETag"]
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert client.get("/warehouse/things?rank=1", headers={"If-None-Match": tag}).status_code == 200


# --- refusals -----------------------------------------------------------------------------------

COLUMNS = {"name": "x", "big": "1", "price": "1", "weight": "1", "rank": "1", "color": "RED"}
MANY = "&".join(
    f"{name if operator == 'eq' else f'{name}__{operator}'}={COLUMNS.get(name, '1')}"
    for name in ("rank", "name", "price", "weight", "big", "color", "maker.name")
    for operator in things.listing.filters[name]
    if operator not in ("isnull", "between")
)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("rank=1&rank=x", {"rank"}),
        ("rank__gte=1&rank__gte=2", {"rank__gte"}),
        ("rank__isnull=true&rank__isnull=false", {"rank__isnull"}),
        ("rank__between=1", {"rank__between"}),
        ("rank__between=1,2,3", {"rank__between"}),
        ("rank__between=1,2&rank__between=1", {"rank__between"}),
        ("rank__between=1,", {"rank__between"}),
        ("rank__nin=1,,2", {"rank__nin"}),
        ("rank__contains=1", {"rank__contains"}),
        ("color__contains=R", {"color__contains"}),
        ("color__between=A,B", {"color__between"}),
        ("size__nin=M", {"size__nin"}),
        ("name__between=a,b", {"name__between"}),
        ("name__contains=" + "x" * 201, {"name__contains"}),
        ("price__between=1.005,2", {"price__between"}),
        ("day__between=2026-01-31,2026-02-30", {"day__between"}),
        ("colour=1&colour=2", {"colour"}),
        *((f"{name}=1&{name}=1", {name}) for name in ("q", "sort", "limit", "cursor", "page", "count", "fields")),
        ("include=maker&include=owner", {"include"}),
        ("q=&q=x", {"q"}),
        ("rank__nin=" + ",".join("1" * 101), {"rank__nin"}),
        ("rank=1&" * 101, {"rank"}),
        ("rank__in=" + ",".join("1" * 60) + "&rank__nin=" + ",".join("2" * 41), {"rank__nin"}),
        ("rank__between=1,2&" * 51, {"rank__between"}),
    ],
)
def test_bad_filter_is_named(sqlite_client: FlaskClient, query: str, fields: set[str]) -> None:
    assert set(refused(sqlite_client, query)) == fields


def test_limits_are_named(sqlite_client: FlaskClient) -> None:
    assert found(sqlite_client, "rank__nin=" + ",".join("1" * 100)) == ""
    assert "at most 100 values" in refused(sqlite_client, "rank=1&" * 101)["rank"]
    assert MANY.count("&") >= 20
    allowed, one_more = ("&".join(MANY.split("&")[:number]) for number in (20, 21))
    assert found(sqlite_client, allowed) == ""
    (message,) = refused(sqlite_client, one_more).values()
    assert "at most 20 filters" in message
    assert found(sqlite_client, "name__contains=" + "x" * 200) == ""
    message = refused(sqlite_client, urlencode([("name__contains", "x" * 200)] * 50))[""]
    assert "8,192 bytes" in message


def test_shape_has_numbers_of_values(sqlite_app: Flask) -> None:
    with sqlite_app.app_context():
        first, same, other = (
            things.listing.parse(args).shape
            for args in ({"rank": ["1", "2"], "color": "RED"}, {"color": "GREEN", "rank": ["3", "4"]}, {"rank": "1"})
        )
    assert first == same != other


@pytest.mark.parametrize("operator", ["contains", "startswith"])
@pytest.mark.parametrize("name", ["rank", "color"])
def test_part_needs_a_text(operator: str, name: str) -> None:
    with pytest.raises(TypeError, match="which is no text"):
        Listing(Thing, filters={name: (operator,)})


# --- derived resources, methods, pages ----------------------------------------------------------


def everything(module: Any) -> Identity:
    nouns = [mapper.class_.__name__.lower() for mapper in module.Base.registry.mappers]
    permissions = {f"{module.bp.name}.{noun}.{verb}" for noun in nouns for verb in ("read", "add", "edit")}
    return Identity("clerk", "Clerk", frozenset(permissions), via="session")


@pytest.fixture
def shop(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> FlaskClient:
    """Return a client of a shop with three artists, on each engine."""
    app = make_app(database_of(engine_name, chinook.Base.metadata), [chinook.__name__, "app.jsonrpc", "app.apidocs"])
    set_identity_loader(app, lambda: everything(chinook))
    with app.app_context():
        for number, name in enumerate(("AC/DC", "Emerson, Lake & Palmer", "ac_dc"), 1):
            artist = chinook.Artist(id=number, name=name)
            db.session.add(chinook.Album(id=number, title=f"Album {number}", artist=artist))
        db.session.commit()
    return app.test_client()


def call(client: FlaskClient, method: str, **filters: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": f"chinook.{method}.list", "params": {"filter": filters}}
    answer = client.post("/rpc", json=body).json
    if "error" in answer:
        return {error["field"]: error["message"] for error in answer["error"]["data"]["errors"]}
    return [item["id"] for item in answer["result"]["items"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": ["AC/DC", "Emerson, Lake & Palmer"]}, [1, 2]),
        ({"name__contains": "C_D"}, [3]),
        ({"name__contains": ["c_d", "EMERSON, "]}, [2, 3]),
        ({"name__nin": ["AC/DC", "ac_dc"]}, [2]),
        ({"name__in": [["AC/DC"], ["ac_dc"]]}, [1, 3]),
        ({"name__nin": "AC/DC,ac_dc"}, [2]),
    ],
)
def test_method_takes_lists(shop: FlaskClient, filters: dict[str, Any], expected: list[int]) -> None:
    assert call(shop, "artist", **filters) == expected


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"name__in": ["a,b"]}, "A list cannot hold a value with a comma. Give the list to name."),
        ({"name": []}, "Give at least one value."),
        ({"name__in": []}, "Give at least one value."),
        ({"name__in": [[]]}, "Give at least one value."),
        ({"name": [["a"]]}, "Give a text, a number, true or false, or a list of these."),
        ({"name__in": [["a"], "b"]}, "Give a text, a number, true or false, or a list of these."),
        ({"name": [None]}, "Give a text, a number, true or false, or a list of these."),
        ({"name": ["x"] * 101}, "The filters of a list take at most 100 values together."),
    ],
)
def test_method_refuses_wrong_lists(shop: FlaskClient, filters: dict[str, Any], message: str) -> None:
    assert call(shop, "artist", **filters) == {next(iter(filters)): message}


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_derived_filters_are_documented(shop: FlaskClient) -> None:
    listed = shop.get("/openapi.json").json["paths"]["/chinook/api/v1/tracks"]["get"]["parameters"]
    known = {one["name"]: one for one in listed if "name" in one}
    assert {"name__contains", "name__nin", "unit_price__between", "milliseconds__between", "album_id__nin"} <= {*known}
    assert not {"album_id__contains", "name__between"} & {*known}
    plain, part, pair = (known[name] for name in ("album_id", "name__contains", "milliseconds__between"))
    assert (plain["style"], plain["explode"]) == (part["style"], part["explode"]) == ("form", True)
    assert plain["schema"]["items"]["type"] == "integer"
    assert part["schema"]["items"]["maxLength"] == 200
    assert (pair["explode"], pair["schema"]["minItems"], pair["schema"]["maxItems"]) == (False, 2, 2)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_page_keeps_repeated_names(shop: FlaskClient) -> None:
    page = shop.get(
        "/chinook/albums?artist_id=1&artist_id=3&title__contains=alb&title__contains=x&limit=1&sort=id"
    ).text
    assert "2 albums" in page
    assert (
        "artist_id=1&amp;artist_id=3&amp;title__contains=alb&amp;title__contains=x&amp;limit=1&amp;sort=id&amp;page=2"
        in page
    )
    assert page.count("selected") == 2
    assert " multiple" in page
    assert 'id="filter-title__contains-2" name="title__contains" value="x"' in page


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_many_chosen_rows_take_one_query(shop: FlaskClient) -> None:
    seen: list[str] = []
    with shop.application.app_context():
        db.session.add_all(chinook.Artist(id=key, name=f"Artist {key}") for key in range(10, 90))
        db.session.commit()
        sa.event.listen(db.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    counted = []
    for keys in (range(80, 81), range(10, 90)):
        seen.clear()
        page = shop.get("/chinook/albums", query_string={"artist_id": [*keys]}).text
        assert page.count("selected") == len(keys)
        assert "Artist 80" in page
        counted.append(len(seen))
    assert counted[0] == counted[1]


def test_composite_keys_are_paged_through(
    make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str
) -> None:
    app = make_app(database_of(engine_name, school.Base.metadata), [school.__name__])
    set_identity_loader(app, lambda: everything(school))
    with app.app_context():
        db.session.add(school.Student(id=1, name="Ana"))
        for number, grade in enumerate((4, 5, None, 9), 1):
            course = school.Course(code=f"LA,{number}", title=f"Latin {number}")
            db.session.add(school.Enrolment(student_id=1, course=course, grade=grade))
        db.session.commit()
    client = app.test_client()
    url, codes = "/school/api/v1/enrolments?course_code__nin=x&grade__between=4,5&grade__between=9,10&limit=1", []
    while url:
        answer = client.get(url).json
        codes += [item["course_code"] for item in answer["items"]]
        url = answer["links"].get("next")
    assert codes == ["LA,1", "LA,2", "LA,4"]
    answer = client.get("/school/api/v1/enrolments", query_string={"course_code": ["LA,1", "LA,3"]}).json
    assert [item["course_code"] for item in answer["items"]] == ["LA,1", "LA,3"]
