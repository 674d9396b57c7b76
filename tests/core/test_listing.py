import base64
import json
import uuid
from collections.abc import Callable
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.crud.listing import Listing
from services import db
from tests.core.warehouse import Color
from tests.core.warehouse import Maker
from tests.core.warehouse import Thing
from tests.core.warehouse import things

UID = uuid.UUID("12345678-1234-5678-1234-567812345678")
MOMENT = datetime(2026, 1, 31, 12, 30, 15, 250000, UTC)


def fill(app: Flask, *rows: dict[str, Any]) -> None:
    with app.app_context():
        for number, row in enumerate(rows):
            db.session.add(Thing(**{"name": f"thing {number}", "maker_id": 1, **row}))
        db.session.commit()


@pytest.fixture
def list_names(client: FlaskClient) -> Callable[..., list[str]]:
    def names(**args: object) -> list[str]:
        answer = client.get(f"/warehouse/things?{urlencode({'sort': 'id', **args})}")
        assert answer.status_code == 200, answer.text
        return [item["name"] for item in answer.json["items"]]

    return names


def refused(client: FlaskClient, query: str) -> dict[str, str]:
    answer = client.get(f"/warehouse/things?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json["type"] == "/problems/bad-query"
    return {error["field"]: error["message"] for error in answer.json["errors"]}


# --- filters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "text", "expected"),
    [
        ("rank", "2", "b"),
        ("rank__eq", "2", "b"),
        ("rank__ne", "2", "ac"),
        ("rank__gt", "1", "bc"),
        ("rank__gte", "2", "bc"),
        ("rank__lt", "2", "a"),
        ("rank__lte", "2", "ab"),
        ("rank__in", "1,3", "ac"),
        ("rank__in", "-5", ""),
        ("rank__isnull", "true", "n"),
        ("rank__isnull", "false", "abc"),
        ("name__ne", "a", "bcn"),
        ("name__startswith", "a", "a"),
        ("price", "1.50", "bcn"),
        ("price__gte", "99999999.99", "a"),
        ("price__lte", "1.5", "bcn"),
        ("weight", "0.1", "a"),
        ("weight__gt", "0.05", "a"),
        ("color", "RED", "a"),
        ("color__in", "RED,GREEN", "ab"),
        ("color__isnull", "true", "cn"),
        ("size", "M", "a"),
        ("live", "true", "a"),
        ("live", "false", "bcn"),
        ("big", "9223372036854775807", "a"),
        ("day", "2026-01-31", "a"),
        ("clock", "12:30:00", "a"),
        ("moment", "2026-01-31T13:30:15.250+01:00", "a"),
        ("moment__lt", "2026-01-31T12:30:15.250001Z", "a"),
        ("uid", str(UID), "a"),
        ("uid__in", f"{UID},{uuid.UUID(int=1)}", "a"),
        ("maker.name", "Acme", "abcn"),
        ("maker.name__startswith", "B", ""),
    ],
)
def test_filter_finds_its_rows(app: Flask, list_names: Any, parameter: str, text: str, expected: str) -> None:
    first = {
        "price": Decimal("99999999.99"), "weight": 0.1, "color": Color.RED, "size": "M", "live": True,
        "big": 2**63 - 1, "day": date(2026, 1, 31), "clock": time(12, 30), "moment": MOMENT, "uid": UID,
    }  # fmt: skip
    fill(app, {"name": "a", "rank": 1, **first}, {"name": "b", "rank": 2, "color": Color.GREEN})
    fill(app, {"name": "c", "rank": 3}, {"name": "n"})
    assert "".join(list_names(**{parameter: text})) == expected


def test_filters_are_joined_by_and(app: Flask, list_names: Any) -> None:
    fill(app, {"name": "a", "rank": 1}, {"name": "b", "rank": 1}, {"name": "b", "rank": 2})
    assert list_names(rank="1", name="b") == ["b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50%", ["50% off"]),
        ("a_b", ["a_b"]),
        ("a/b", ["a/b"]),
        ("\\", ["back\\slash"]),
        ("'", ["it's"]),
        ("A_B", ["a_b"]),
    ],
)
def test_search_takes_wildcards_as_they_are(app: Flask, list_names: Any, text: str, expected: list[str]) -> None:
    fill(app, *({"name": name} for name in ("50% off", "500 off", "a_b", "axb", "a/b", "back\\slash", "it's")))
    assert list_names(q=text) == expected


def test_startswith_takes_wildcards_as_they_are(app: Flask, list_names: Any) -> None:
    fill(app, {"name": "%x"}, {"name": "ax"}, {"name": "_x"})
    assert list_names(name__startswith="%") == ["%x"]
    assert list_names(name__startswith="_") == ["_x"]


def test_search_reaches_related_rows_once_each(app: Flask, client: FlaskClient) -> None:
    fill(app, {"name": "pen"}, {"name": "pencil"})
    answer = client.get("/warehouse/makers?q=pen&count=true")
    assert [item["name"] for item in answer.json["items"]] == ["Acme"]
    assert answer.json["total"] == 1


def test_count_is_of_all_that_match(app: Flask, client: FlaskClient) -> None:
    fill(app, *({"rank": number} for number in range(7)))
    answer = client.get("/warehouse/things?rank__gte=2&limit=2&count=true")
    assert len(answer.json["items"]) == 2
    assert answer.json["total"] == 5


def test_empty_parameters_are_none(app: Flask, list_names: Any) -> None:
    fill(app, {"name": "a"})
    assert list_names(q="", rank="", cursor="", page="", sort="") == ["a"]


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("colour=RED", {"colour"}),
        ("rank__like=1", {"rank__like"}),
        ("name__gt=a", {"name__gt"}),
        ("rank__=1", {"rank__"}),
        ("__eq=1", {"__eq"}),
        ("rank=one&limit=x&sort=nothing", {"rank", "limit", "sort"}),
        ("rank=1&rank=x", {"rank"}),
        ("limit=1&limit=1", {"limit"}),
        ("rank=1.0", {"rank"}),
        ("rank=2147483648", {"rank"}),
        ("rank=" + "9" * 5000, {"rank"}),
        ("rank=%D9%A1", {"rank"}),
        ("rank__in=1,,2", {"rank__in"}),
        ("rank__in=" + ",".join("1" * 101), {"rank__in"}),
        ("rank__isnull=1", {"rank__isnull"}),
        ("big=9223372036854775808", {"big"}),
        ("price=NaN", {"price"}),
        ("price=1e5", {"price"}),
        ("price=1.005", {"price"}),
        ("weight=inf", {"weight"}),
        ("weight=nan", {"weight"}),
        ("color=blue", {"color"}),
        ("color=__class__", {"color"}),
        ("color=name", {"color"}),
        ("size=XL", {"size"}),
        ("live=maybe", {"live"}),
        ("day=2026-02-30", {"day"}),
        ("day=0001-01-01", {"day"}),
        ("clock=25:00", {"clock"}),
        ("moment=2026-01-01T00:00:00", {"moment"}),
        ("moment=0001-01-01T00:00:00%2B23:00", {"moment"}),
        ("uid=12", {"uid"}),
        ("uid=00000000-0000-8000-0000-000000000000", {"uid"}),
        ("q=" + "x" * 201, {"q"}),
        ("sort=name,name", {"sort"}),
        ("sort=name,-name", {"sort"}),
        ("sort=notes", {"sort"}),
        ("sort=,", {"sort"}),
        ("sort=--name", {"sort"}),
        ("sort=things.name", {"sort"}),
        ("limit=0", {"limit"}),
        ("limit=101", {"limit"}),
        ("limit=-1", {"limit"}),
        ("limit=%C2%B2", {"limit"}),
        ("limit=" + "1" * 5000, {"limit"}),
        ("page=0", {"page"}),
        ("page=1&cursor=x", {"cursor"}),
        ("page=10000000000", {"page"}),
        ("page=1001&limit=100", {"page"}),
        ("count=yes", {"count"}),
    ],
)
def test_bad_query_names_parameters(sqlite_client: FlaskClient, query: str, fields: set[str]) -> None:
    assert set(refused(sqlite_client, query)) == fields


def test_unknown_parameter_lists_known(sqlite_client: FlaskClient) -> None:
    message = refused(sqlite_client, "colour=RED")["colour"]
    for name in ("q", "sort", "limit", "page", "cursor", "count", "color", "rank__gte"):
        assert name in message


def test_list_without_search_says_so(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.get("/warehouse/tags?q=x")
    assert answer.status_code == 400
    assert answer.json["errors"] == [{"field": "q", "message": "This list cannot be searched.", "parameter": "q"}]


def test_page_past_end_not_found(sqlite_client: FlaskClient) -> None:
    assert sqlite_client.get("/warehouse/things?page=1").json == {"items": [], "links": {}}
    assert sqlite_client.get("/warehouse/things?page=2").status_code == 404


# --- order --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("rank", "cabn"),
        ("-rank", "bacn"),
        ("rank,name", "cabn"),
        ("-live,rank", "bcan"),
        ("owner.name,name", "bcan"),
        ("-owner.name,-name", "cbna"),
        ("maker.name,-name", "ncba"),
    ],
)
def test_sort_puts_missing_values_last(app: Flask, list_names: Any, sort: str, expected: str) -> None:
    with app.app_context():
        db.session.merge(Maker(id=1, name="Acme"))
        db.session.add_all([Maker(id=2, name="Bolt"), Maker(id=3, name="Cord")])
        db.session.commit()
    fill(app, {"name": "a", "rank": 2}, {"name": "b", "rank": 3, "live": True, "owner_id": 2})
    fill(app, {"name": "c", "rank": 1, "owner_id": 3}, {"name": "n"})
    assert "".join(list_names(sort=sort)) == expected


# --- cursors ------------------------------------------------------------------------------------

ORDERS = [
    "id", "-id", "name", "-name,rank", "rank", "-rank", "rank,-name", "-big,name", "price", "-price,weight", "weight",
    "color", "-color,day", "live", "-live,-rank", "day", "-day", "clock", "moment", "-moment", "uid", "-uid",
    "created_at", "maker.name", "-maker.name,rank", "owner.name", "-owner.name", "owner.name,-moment",
]  # fmt: skip


def various() -> list[dict[str, Any]]:
    """Rows with equal values, missing values and each value twice."""
    rows = []
    for number in range(23):
        some = number % 4
        rows.append(
            {
                "name": f"Name {number % 5}",
                "rank": [None, 1, -2, 2][some],
                "big": [2**62, None, 2**62 + 1, -(2**60)][some],
                "price": Decimal(number % 3) + Decimal("0.10"),
                "weight": [0.1, None, 1e-7, 1 / 3][some],
                "color": [None, Color.RED, Color.GREEN, Color.RED][some],
                "live": bool(number % 2),
                "day": [None, date(2026, 1, 31), date(1999, 1, 1), date(2026, 1, 31)][some],
                "clock": [None, time(1), time(23, 59, 59), time(1)][some],
                "moment": [None, MOMENT, MOMENT.replace(microsecond=250001), MOMENT.replace(microsecond=0)][some],
                "uid": [None, uuid.UUID(int=2**127 + number), UID, uuid.UUID(int=number)][some],
                "owner_id": [None, 1, 2, 3][number // 6],
                "maker_id": number % 3 + 1,
            }
        )
    return rows


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "back"])
def test_cursors_give_each_row_once(app: Flask, client: FlaskClient, backward: bool) -> None:
    with app.app_context():
        db.session.add_all([Maker(id=2, name="Bolt"), Maker(id=3, name="Bolt & Cord")])
        db.session.commit()
    fill(app, *various())
    for sort in ORDERS:
        whole = [item["id"] for item in client.get(f"/warehouse/things?limit=100&sort={sort}").json["items"]]
        assert len(whole) == 23
        pages = _pages(client, f"/warehouse/things?limit=4&sort={sort}")
        if backward:
            pages = _pages(client, pages[-1]["links"]["prev"], "prev")[::-1] + pages[-1:]
        assert [item["id"] for page in pages for item in page["items"]] == whole, sort


def _pages(client: FlaskClient, url: str | None, direction: str = "next") -> list[dict[str, Any]]:
    pages = []
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, (url, answer.text)
        pages.append(answer.json)
        url = answer.json["links"].get(direction)
        assert len(pages) < 30, url
    return pages


def test_pages_stable_under_changes(app: Flask, client: FlaskClient) -> None:
    fill(app, *({"name": f"n{number}", "rank": number} for number in range(0, 12, 2)))
    first = client.get("/warehouse/things?sort=rank&limit=3").json
    with app.app_context():
        db.session.query(Thing).filter(Thing.rank.in_([0, 4])).delete()
        db.session.commit()
    fill(app, {"name": "early", "rank": 1}, {"name": "late", "rank": 7})
    second = client.get(first["links"]["next"]).json
    assert [item["rank"] for item in first["items"]] == [0, 2, 4]
    assert [item["rank"] for item in second["items"]] == [6, 7, 8]
    back = client.get(second["links"]["prev"]).json
    assert [item["rank"] for item in back["items"]] == [1, 2]


def test_numbered_pages_link_neighbours(app: Flask, client: FlaskClient) -> None:
    fill(app, *({"rank": number} for number in range(5)))
    second = client.get("/warehouse/things?sort=rank&limit=2&page=2&rank__gte=0").json
    assert [item["rank"] for item in second["items"]] == [2, 3]
    assert [item["rank"] for item in client.get(second["links"]["next"]).json["items"]] == [4]
    assert [item["rank"] for item in client.get(second["links"]["prev"]).json["items"]] == [0, 1]


def test_links_in_header(app: Flask, client: FlaskClient) -> None:
    fill(app, {}, {})
    answer = client.get("/warehouse/things?limit=1&q=thing")
    assert answer.headers["Link"] == f'<{answer.json["links"]["next"]}>; rel="next"'
    assert "q=thing" in answer.json["links"]["next"]


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("sort", "text"),
    [
        ("id", "x"),
        ("id", "%%%"),
        ("id", "é"),
        ("id", "ñ" * 10),
        ("id", "A" * 2001),
        ("id", "A" * 100_000),
        ("id", cursor()),
        ("id", cursor("id")),
        ("id", cursor("id", False)),
        ("id", cursor("id", 0, 1)),
        ("id", cursor("id", "no", 1)),
        ("id", cursor("name,id", False, "a", 1)),
        ("id", cursor("-id", False, 1)),
        ("id", cursor("id", False, None)),
        ("id", cursor("id", False, True)),
        ("id", cursor("id", False, "1")),
        ("id", cursor("id", False, 1.5)),
        ("id", cursor("id", False, 2**31)),
        ("id", cursor("id", False, 10**400)),
        ("id", cursor("id", False, [1])),
        ("id", cursor("id", False, {"a": 1})),
        ("id", cursor("id", False, 1, 1)),
        ("id", base64.urlsafe_b64encode(b'"ab"').decode()),
        ("id", base64.urlsafe_b64encode(b'{"id": 1, "b": false, "c": 2}').decode()),
        ("id", base64.urlsafe_b64encode(b"[" * 1400).decode()),
        ("id", base64.urlsafe_b64encode(b'["id", false, NaN]').decode()),
        ("id", base64.urlsafe_b64encode(b"\xff\xfe").decode()),
        ("weight", cursor("weight,id", False, float("nan"), 1)),
        ("weight", cursor("weight,id", False, "0.1", 1)),
        ("name", cursor("name,id", False, 5, 1)),
        ("name", cursor("name,id", False, None, 1)),
        ("name", cursor("name,id", False, "a\0b", 1)),
        ("color", cursor("color,id", False, "__class__", 1)),
        ("color", cursor("color,id", False, 1, 1)),
        ("live", cursor("live,id", False, 1, 1)),
        ("day", cursor("day,id", False, 20260131, 1)),
        ("clock", cursor("clock,id", False, 5, 1)),
        ("moment", cursor("moment,id", False, "2026-01-01T00:00:00", 1)),
        ("moment", cursor("moment,id", False, 1e10, 1)),
        ("uid", cursor("uid,id", False, 12, 1)),
        ("price", cursor("price,id", False, "NaN", 1)),
        ("price", cursor("price,id", False, "1e9", 1)),
    ],
)
def test_cursor_made_by_hand_is_refused(sqlite_client: FlaskClient, sort: str, text: str) -> None:
    found = refused(sqlite_client, urlencode({"sort": sort, "cursor": text}))
    assert set(found) == {"cursor"}
    assert "Not a cursor of this list" in found["cursor"]


# --- declarations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"sorts": ["colour"]}, "no column colour"),
        ({"search": ["maker"]}, "no column maker"),
        ({"filters": {"shop.name": ["eq"]}}, "no relationship shop"),
        ({"sorts": ["data"]}, "neither filtered, sorted nor a key"),
    ],
)
def test_wrong_declaration_fails_at_start(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Listing(Thing, **declared)


def test_inexact_number_sort_fails_start() -> None:
    class Base(DeclarativeBase):
        pass

    class Measure(Base):
        __tablename__ = "measure"
        id: Mapped[int] = mapped_column(primary_key=True)
        rough: Mapped[float] = mapped_column(sa.Float)
        exact: Mapped[float] = mapped_column(sa.Double)

    assert Listing(Measure, sorts=["exact"], filters={"rough": ["gte"]})
    with pytest.raises(TypeError, match="make it a Double"):
        Listing(Measure, sorts=["rough"])


def test_long_text_sort_fails_start() -> None:
    with pytest.raises(TypeError, match="at most 255 characters"):
        Listing(Thing, sorts=["notes"])


def test_many_related_sort_fails_start() -> None:
    with pytest.raises(TypeError, match="it has several"):
        Listing(Maker, sorts=["things.name"])


def test_query_shape_depends_on_names(sqlite_app: Flask) -> None:
    shapes = {things.listing.parse({"rank": text}).shape for text in "123"}
    assert len(shapes) == 1
    assert things.listing.parse({"rank": "1", "limit": "9"}).shape not in shapes
    one, other = ({"rank": "1", "live": "false"}, {"live": "true", "rank": "2"})
    assert things.listing.parse(one).shape == things.listing.parse(other).shape
    assert things.listing.parse({"rank__in": "1,2"}).shape != things.listing.parse({"rank__in": "1"}).shape
