"""The pages of the catalogue that only read: lists, rows, and the addresses that lead nowhere."""

import html
import re
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

import settings
from app.example import demo
from app.example.models import Product
from app.example.models import Status
from app.example.resources import products
from services import db

LIST = "/example/products"


def names(answer: TestResponse) -> list[str]:
    """Return the first column of a list."""
    assert answer.status_code == 200, answer.text
    return [html.unescape(name) for name in re.findall(r'<th scope="row">\s*<a [^>]*>(.*?)</a>', answer.text)]


def shown(answer: TestResponse) -> str:
    """Return the text of a page, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def links(answer: TestResponse) -> list[str]:
    return [html.unescape(url) for url in re.findall(r'<a [^>]*href="([^"]*)"', answer.text)]


@pytest.fixture
def stored_products(catalogue: Any) -> Any:
    """Return a catalogue of six products that differ in what lists are asked about."""
    catalogue.tools, catalogue.garden = catalogue.category(name="Tools"), catalogue.category(name="Garden")
    catalogue.sale, catalogue.gift = catalogue.tag(name="Sale"), catalogue.tag(name="Gift idea")
    rows = (
        ("Axe", "T-1", catalogue.tools, [catalogue.sale], Status.ON_SALE, "30.00", 5, date(2026, 1, 1), True, None),
        ("Bucket", "G-1", catalogue.garden, [], Status.ON_SALE, "8.50", 0, date(2026, 3, 1), False, "fifty % off_"),
        (
            "Chisel",
            "T-2",
            catalogue.tools,
            [catalogue.gift, catalogue.sale],
            Status.DRAFT,
            "8.50",
            12,
            None,
            False,
            None,
        ),
        (
            "Drill",
            "T-3",
            catalogue.tools,
            [catalogue.gift],
            Status.DISCONTINUED,
            "120.00",
            0,
            date(2026, 2, 1),
            False,
            None,
        ),
        ("Edger", "G-2", catalogue.garden, [catalogue.gift], Status.DRAFT, "0.00", 7, None, True, "Sharp."),
        ("Fork", "G-3", catalogue.garden, [], Status.ON_SALE, "15.99", 3, date(2025, 12, 31), False, None),
    )
    fields = ("name", "sku", "category", "tags", "status", "price", "stock", "available_from", "featured", "notes")
    for row in rows:
        values = dict(zip(fields, row, strict=True))
        catalogue.product(**{**values, "price": Decimal(values["price"])})
    return catalogue


# --- lists --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "ABCDEF"),
        ("q=chis", "C"),
        ("q=CHIS", "C"),
        ("q=t-", "ACD"),
        ("q=tools", "ACD"),
        ("q=gift", "CDE"),
        ("q=sharp", "E"),
        ("q=%25", "B"),
        ("q=off_", "B"),
        ("q=_", "B"),
        ("q=+chisel", ""),
        ("q=nothing", ""),
        ("q='+OR+1=1--", ""),
        ("category_id={garden}", "BEF"),
        ("tags.id={sale}", "AC"),
        ("status=ON_SALE", "ABF"),
        ("status__in=DRAFT,DISCONTINUED", "CDE"),
        ("price__gte=15.99", "ADF"),
        ("price__lte=8.50", "BCE"),
        ("price__gte=8.5&price__lte=30", "ABCF"),
        ("featured=true", "AE"),
        ("featured=false", "BCDF"),
        ("category_id={tools}&tags.id={gift}&status=DRAFT&q=c", "C"),
        ("q=&category_id=&tags.id=&status=&price__gte=&price__lte=&featured=", "ABCDEF"),
        ("category_id=999999", ""),
        ("tags.id=999999", ""),
    ],
)
def test_list_finds_what_was_asked(client: FlaskClient, stored_products: Any, query: str, expected: str) -> None:
    asked = query.format(
        tools=stored_products.tools, garden=stored_products.garden, sale=stored_products.sale, gift=stored_products.gift
    )
    assert "".join(name[0] for name in names(client.get(f"{LIST}?{asked}"))) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", "ABCDEF"),
        ("-name", "FEDCBA"),
        ("sku", "BEFACD"),
        ("-sku", "DCAFEB"),
        # Equal ones follow each other in the order of their keys, the other way round going down.
        ("category.name", "BEFACD"),
        ("-category.name", "DCAFEB"),
        ("price", "EBCFAD"),
        ("-price", "DAFCBE"),
        ("stock", "BDFAEC"),
        ("-stock", "CEAFDB"),
        # Products without a date are last, both ways.
        ("available_from", "FADBCE"),
        ("-available_from", "BDAFEC"),
        ("created_at", "ABCDEF"),
        ("price,-stock", "ECBFAD"),
    ],
)
def test_list_is_sorted_both_ways(client: FlaskClient, stored_products: Any, sort: str, expected: str) -> None:
    assert "".join(name[0] for name in names(client.get(f"{LIST}?sort={sort}"))) == expected


@pytest.mark.parametrize("heading", ["Name", "SKU", "Category", "Price", "In stock"])
def test_heading_sorts_up_and_then_down(client: FlaskClient, stored_products: Any, heading: str) -> None:
    def follow(answer: TestResponse) -> TestResponse:
        cells = re.findall(r'<th scope="col"[^>]*>.*?</th>', answer.text, re.DOTALL)
        (cell,) = (cell for cell in cells if re.search(rf">\s*{heading}\b", cell))
        return client.get(html.unescape(re.findall(r'href="([^"]*)"', cell)[0]))

    start = client.get(f"{LIST}?q=e&page=1&sort=-created_at")
    up = follow(start)
    down = follow(up)
    assert sorted(names(start)) == sorted(names(up))
    assert names(up) == names(down)[::-1]
    assert 'aria-sort="ascending"' in up.text
    assert 'aria-sort="descending"' in down.text
    assert parse_qs(urlsplit(down.request.full_path).query)["q"] == ["e"]


def test_list_query_count_independent_of_rows(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    def statements() -> int:
        with sqlite_catalogue.app.app_context():
            engine = db.engine
        seen: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        assert sqlite_client.get(LIST).status_code == 200
        event.remove(engine, "before_cursor_execute", note)
        return sum(statement.startswith("SELECT") for statement in seen)

    tags = [sqlite_catalogue.tag(), sqlite_catalogue.tag()]
    sqlite_catalogue.product(tags=tags)
    few = statements()
    for _ in range(15):
        sqlite_catalogue.product(tags=tags)
    assert statements() == few


def test_list_marks_default_order(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    sqlite_catalogue.product()
    assert sqlite_client.get(LIST).text.count('aria-sort="ascending"') == 1


def test_list_pages_partition_rows(client: FlaskClient, app: Flask) -> None:
    with app.app_context():
        demo.load()
    seen: list[str] = []
    url: str | None = f"{LIST}?sort=price"
    visits = 0
    while url is not None:
        answer = client.get(url)
        seen += re.findall(rf'<th scope="row">\s*<a [^>]*href="{LIST}/(\d+)"', answer.text)
        following = re.search(r'<a [^>]*href="([^"]*)"[^>]*rel="next"', answer.text)
        url = html.unescape(following[1]) if following else None
        visits += 1
    assert (len(seen), len(set(seen)), visits) == (200, 200, 10)


def test_list_pages_keep_query(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    category = sqlite_catalogue.category()
    for _ in range(45):
        sqlite_catalogue.product(category=category)
    answer = sqlite_client.get(f"{LIST}?q=product&page=2&sort=-name")
    assert names(answer) == sorted(names(sqlite_client.get(f"{LIST}?limit=100&sort=-name")), reverse=True)[20:40]
    assert "45 products" in shown(answer)
    pages = [url for url in links(answer) if "page=" in url]
    assert {parse_qs(urlsplit(url).query)["page"][0] for url in pages} == {"1", "2", "3"}
    assert all("q=product" in url and "sort=-name" in url for url in pages)
    assert 'rel="prev"' in answer.text
    assert 'rel="next"' not in sqlite_client.get(f"{LIST}?page=3").text
    assert sqlite_client.get(f"{LIST}?page=4").status_code == 404


def test_last_reachable_page_has_no_next(
    sqlite_client: FlaskClient, sqlite_catalogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    category = sqlite_catalogue.category()
    for _ in range(8):
        sqlite_catalogue.product(category=category)
    monkeypatch.setattr(settings, "MAX_OFFSET", 4)
    monkeypatch.setattr(settings, "MAX_COUNT", 4)
    answer = sqlite_client.get(f"{LIST}?limit=2&page=3")
    assert "over 4 products" in shown(answer)
    assert 'rel="next"' not in answer.text
    assert all(sqlite_client.get(url).status_code == 200 for url in links(answer) if "page=" in url)


def test_cursor_links_lead_to_pages(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    category = sqlite_catalogue.category()
    for _ in range(25):
        sqlite_catalogue.product(category=category)
    with sqlite_catalogue.app.app_context():
        cursor = products.list(products.listing.parse({"limit": "2"})).next
    answer = sqlite_client.get(f"{LIST}?cursor={cursor}")
    assert len(names(answer)) == 20
    inner = [url for url in links(answer) if url.startswith(f"{LIST}?")]
    assert inner
    assert [sqlite_client.get(url).status_code for url in inner] == [200] * len(inner)


def test_empty_list_offers_create(client: FlaskClient) -> None:
    text = shown(client.get(LIST))
    assert "There is no product yet." in text
    assert "Create the first" in text


def test_empty_answer_offers_the_whole_list(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    sqlite_catalogue.product()
    answer = sqlite_client.get(f"{LIST}?q=nothing&price__lte=3")
    assert "No product matches." in shown(answer)
    assert LIST in links(answer)
    assert 'value="nothing"' in answer.text


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("colour=red", ["address"]),
        ("name=Axe", ["address"]),
        ("price__eq=3", ["address"]),
        ("price__=3", ["address"]),
        ("category_id=abc", ["category_id"]),
        ("category_id=1.0", ["category_id"]),
        ("category_id=1_0", ["category_id"]),
        ("category_id=99999999999999999999999", ["category_id"]),
        ("tags.id=-", ["tags.id"]),
        ("status=SOLD", ["status"]),
        ("status__in=DRAFT,SOLD", ["address"]),
        ("price__gte=cheap", ["price__gte"]),
        ("price__gte=NaN", ["price__gte"]),
        ("price__lte=1e400", ["price__lte"]),
        ("price__lte=1.005", ["price__lte"]),
        ("price__lte=１", ["price__lte"]),
        ("featured=maybe", ["featured"]),
        ("sort=notes", ["sort"]),
        ("sort=name,name", ["sort"]),
        ("sort=name,", ["sort"]),
        ("sort=--name", ["sort"]),
        ("page=0", ["page"]),
        ("page=-1", ["page"]),
        ("page=two", ["page"]),
        ("page=1000000000", ["page"]),
        ("limit=0", ["address"]),
        ("limit=101", ["address"]),
        ("cursor=x", ["address"]),
        ("page=1&cursor=x", ["address"]),
        ("q=" + "x" * 201, ["q"]),
        ("q=a&q=b", ["q"]),
        ("status=DRAFT&status=LOST", ["status"]),
        ("colour=red&price__gte=cheap&page=0", ["address", "price__gte", "page"]),
    ],
)
def test_list_keeps_refused_query(
    sqlite_client: FlaskClient, sqlite_catalogue: Any, query: str, named: list[str]
) -> None:
    answer = sqlite_client.get(f"{LIST}?{query}{'&q=kept' if not query.startswith('q=') else '&price__gte=7'}")
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    places = re.findall(r"<li>((?:<a [^>]*>)?[^<:]+(?:</a>)?): \S", answer.text)
    assert sorted(_parameter(place) for place in places) == sorted(named)
    assert ('value="kept"' if not query.startswith("q=") else 'value="7"') in answer.text
    assert 'role="search"' in answer.text


def _parameter(place: str) -> str:
    """Return the parameter that an error is about, or "address" for one without a control."""
    known = {"Search": "q", "Order": "sort", "Page": "page", "Address of the page": "address"}
    led = re.match(r'<a [^>]*href="#filter-(.*?)">', place)
    return led[1] if led else known[place]


def test_list_escapes_query(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.get(f"{LIST}?q=%22%3E%3Cscript%3E&%3Cscript%3E=1")
    assert "<script>" not in answer.text.split("</head>")[1]


@pytest.mark.parametrize("query", ["q=%00", "q=%ff", "q=%ed%a0%80", "%c3=1", "page=%EF%BC%91"])
def test_list_refuses_text_that_is_none(sqlite_client: FlaskClient, query: str) -> None:
    answer = sqlite_client.get(f"{LIST}?{query}")
    assert (answer.status_code, answer.mimetype) == (400, "text/html")


@pytest.mark.parametrize(("noun", "count"), [("categories", 9), ("tags", 9)])
def test_other_lists_search_and_sort(sqlite_client: FlaskClient, sqlite_catalogue: Any, noun: str, count: int) -> None:
    make = sqlite_catalogue.category if noun == "categories" else sqlite_catalogue.tag
    for number in range(count):
        make(name=f"Name {number}")
    assert names(sqlite_client.get(f"/example/{noun}?q=NAME&sort=-name")) == [f"Name {n}" for n in range(count)][::-1]


# --- one row ------------------------------------------------------------------------------------


def test_detail_shows_every_value_for_people(client: FlaskClient, catalogue: Any) -> None:
    category, tag = catalogue.category(name="Tools & more"), catalogue.tag(name="<Sale>")
    key = catalogue.product(
        name="Axe", category=category, tags=[tag], status=Status.DISCONTINUED, price=Decimal("1234.50"), featured=True,
        available_from=date(2026, 1, 31), notes="<b>bold</b>",
    )  # fmt: skip
    answer = client.get(f"{LIST}/{key}")
    assert answer.status_code == 200
    text = shown(answer)
    for expected in ("Tools & more", "<Sale>", "Discontinued", "1234.50", "Yes", "2026-01-31", "<b>bold</b>", "UTC"):
        assert expected in text
    assert "<b>bold" not in answer.text
    assert {f"/example/categories/{category}", f"/example/tags/{tag}", f"{LIST}/{key}/edit"} <= {*links(answer)}


def test_category_detail_shows_first_products(client: FlaskClient, catalogue: Any) -> None:
    key, other = catalogue.category(name="Full"), catalogue.category(name="Other")
    made = [catalogue.product(name=f"Item {number:02}", category=key) for number in range(12)]
    catalogue.product(name="Stranger", category=other)
    answer = client.get(f"/example/categories/{key}")
    text = shown(answer)
    assert [f"{LIST}/{number}" for number in made[:10]] == [url for url in links(answer) if url.startswith(f"{LIST}/")]
    assert f"{LIST}?category_id={key}" in links(answer)
    assert "All products of Full" in text
    assert "Stranger" not in text
    assert "None yet." in shown(client.get(f"/example/categories/{catalogue.category()}"))


KEYS = ["abc", "-1", "0", *(str(2**bits) for bits in (31, 63, 70)), "9" * 5000, "1.0", "1e0", "１", "%20", "1;--", "é"]


@pytest.mark.parametrize("key", KEYS, ids=[key[:24] for key in KEYS])
def test_unknown_key_not_found(client: FlaskClient, key: str) -> None:
    for noun in ("products", "categories", "tags"):
        for page in ("", "/edit", "/delete"):
            answer = client.get(f"/example/{noun}/{key}{page}")
            assert (answer.status_code, answer.mimetype) == (404, "text/html")


@pytest.mark.parametrize("key", ["1\0", "\xff", "\xed\xa0\x80", "\xc3"])
def test_malformed_key_refused(sqlite_client: FlaskClient, key: str) -> None:
    # As a server hands the bytes over; the client would escape them once more.
    answer = sqlite_client.get(LIST, environ_overrides={"PATH_INFO": f"{LIST}/{key}"})
    assert (answer.status_code, answer.mimetype) == (400, "text/html")


def test_index_leads_to_the_products(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.get("/example/")
    assert (answer.status_code, answer.location) == (302, LIST)


def test_list_cuts_long_texts(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    for number in range(10):
        sqlite_catalogue.category(name=f"Category {number}", description="x" * 60_000)
    answer = sqlite_client.get("/example/categories")
    assert len(names(answer)) == 10
    assert len(answer.data) < 60_000


def test_list_reads_no_hidden_long_text(client: FlaskClient, catalogue: Any) -> None:
    catalogue.product(notes="x" * 60_000)
    statements: list[str] = []
    with catalogue.app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert client.get(LIST).status_code == 200
    assert not [one for one in statements if "notes" in one]


# --- what every answer has ----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_pages_answer_other_safe_methods(sqlite_client: FlaskClient, sqlite_catalogue: Any, method: str) -> None:
    key = sqlite_catalogue.product()
    for url in (LIST, f"{LIST}/new", f"{LIST}/{key}", f"{LIST}/{key}/edit", f"{LIST}/{key}/delete"):
        answer = sqlite_client.open(url, method=method)
        assert (answer.status_code, answer.data) == (200, b"")
        assert ("Allow" in answer.headers) == (method == "OPTIONS")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_refuse_other_methods(sqlite_client: FlaskClient, sqlite_catalogue: Any, method: str) -> None:
    key = sqlite_catalogue.product()
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]*)"', sqlite_client.get(f"{LIST}/new").text)[0]
    answer = sqlite_client.open(f"{LIST}/{key}", method=method, data={"csrf_token": token})
    assert (answer.status_code, answer.mimetype) == (405, "text/html")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert sqlite_catalogue.read(Product, key) is not None


def test_demo_is_loaded_once_and_shown(client: FlaskClient, app: Flask) -> None:
    with app.app_context():
        assert demo.load() == 218
        assert demo.load() == 0
        db.session.remove()
    answer = client.get(LIST)
    assert len(names(answer)) == 20
    assert "200 products" in shown(answer)
