"""Creating, changing and deleting by form: accepted and refused values, and their messages."""

import html
import io
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from datetime import date
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.example.models import Category
from app.example.models import Product
from app.example.models import Status
from app.example.models import Tag
from app.example.resources import Products
from services import db
from tests import forms

NEW = "/example/products/new"


def edit(key: int) -> str:
    return f"/example/products/{key}/edit"


def delete(key: int) -> str:
    return f"/example/products/{key}/delete"


def summary(answer: TestResponse) -> list[tuple[str, str]]:
    """Return the lines above the form: (id of the field, what is wrong)."""
    lines = re.findall(r'<li><a href="#([\w-]+)">(.*?)</a>', answer.text)
    return [(link, html.unescape(text)) for link, text in lines]


def shown(answer: TestResponse) -> str:
    """Return the text of a page, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


# --- create -------------------------------------------------------------------------------------


def test_create_stores_input_and_flashes(client: FlaskClient, catalogue: Any) -> None:
    category, tag = catalogue.category(), catalogue.tag()
    answer = forms.submit(
        client, NEW, name="Jörg’s <b>hammer</b> 🔨", sku="HA-1", category=category, tags=[tag], status="DISCONTINUED",
        price="12.30", stock="7", available_from="2026-02-28", featured="y", notes="one\r\n two ",
    )  # fmt: skip
    assert answer.status_code == 303
    stored = catalogue.only(Product, sku="HA-1")
    assert urlsplit(answer.location).path == f"/example/products/{stored['id']}"
    assert abs((stored.pop("created_at") - stored.pop("updated_at")).total_seconds()) < 1
    assert stored == {
        "id": stored["id"], "name": "Jörg’s <b>hammer</b> 🔨", "sku": "HA-1", "category_id": category, "tags": [tag],
        "status": Status.DISCONTINUED, "price": Decimal("12.30"), "stock": 7, "available_from": date(2026, 2, 28),
        "featured": True, "notes": "one\n two ", "version": 1, "owner_key": "editor",
    }  # fmt: skip
    page = client.get(answer.location)
    assert "Created product “Jörg’s &lt;b&gt;hammer&lt;/b&gt; 🔨”." in page.text
    assert "<b>hammer" not in page.text
    assert "Created product" not in client.get(answer.location).text


def test_create_empty_fields_take_defaults(client: FlaskClient, catalogue: Any) -> None:
    category = catalogue.category()
    answer = forms.submit(client, NEW, name="Bare", sku="B-1", category=category, price="0", stock="")
    assert answer.status_code == 303
    stored = catalogue.only(Product, sku="B-1")
    expected = {"status": Status.DRAFT, "stock": 0, "price": 0, "available_from": None, "notes": None, "tags": []}
    assert {name: stored[name] for name in expected} == expected
    assert stored["featured"] is False


@pytest.mark.parametrize("price", ["0", "0.01", "99999999.99", " 5 ", "+5.00"])
def test_create_takes_every_price_that_fits(client: FlaskClient, catalogue: Any, price: str) -> None:
    assert forms.submit(client, NEW, name="P", sku="P-1", category=catalogue.category(), price=price).status_code == 303
    assert catalogue.only(Product, sku="P-1")["price"] == Decimal(price.strip())


#: Field, what is entered, and what is said beside it.
REFUSED = [
    ("name", "", "This field is required."),
    ("name", " \t ", "This field is required."),
    ("name", "\u3000", "This field is required."),
    ("name", "x" * 121, "Longer than maximum length 120."),
    ("name", "a\0b", "NUL characters are not allowed."),
    ("sku", "x" * 21, "Longer than maximum length 20."),
    ("sku", None, "This field is required."),
    ("category", "", "This field is required."),
    ("category", "999999", "Not a valid choice"),
    ("category", "abc", "Not a valid choice"),
    ("category", "1' OR '1'='1", "Not a valid choice"),
    ("tags", ["abc"], "Not a valid choice"),
    ("tags", ["-1", str(2**70)], "Not a valid choice"),
    ("status", "SOLD", "Choose one of the list."),
    ("status", "Draft", "Choose one of the list."),
    ("price", "", "This field is required."),
    ("price", "-0.01", "Must be greater than or equal to 0."),
    ("price", "1.005", "At most 2 decimal places."),
    ("price", "100000000", "At most 8 digits before the point."),
    *(("price", text, "Not a valid") for text in ["abc", "NaN", "Infinity", "-inf", "1e400", "1e2", "1_000"]),
    *(("price", text, "Not a valid") for text in ["１２", "1,5", "0x1"]),
    ("stock", "-1", "Must be greater than or equal to 0"),
    *(("stock", str(number), "Must be") for number in [2**31, 2**63, 2**70]),
    *(("stock", text, "Not a valid") for text in ["1.0", "abc", "1_000", "１２", "1e3", "9" * 5000, "NaN"]),
    *(("available_from", text, "year") for text in ["0001-01-01", "0999-12-31"]),
    *(("available_from", text, "Not a valid") for text in ["10000-01-01", "2026-02-31", "31/12/2026", "soon"]),
    ("available_from", "２０２６-01-01", "Not a valid"),
    ("notes", "a\0b", "NUL characters are not allowed."),
    ("notes", "x" * 1_000_001, "Longer than maximum length"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "message"), REFUSED, ids=[f"{f}={str(v)[:20]!r}" for f, v, _ in REFUSED])
def test_create_refuses_invalid_values(
    sqlite_client: FlaskClient, sqlite_catalogue: Any, field: str, value: Any, message: str
) -> None:
    good = {
        "name": "Kept name",
        "sku": "K-1",
        "category": sqlite_catalogue.category(),
        "price": "2",
        "notes": "Kept notes",
    }
    before = sqlite_catalogue.content()
    answer = forms.submit(sqlite_client, NEW, **{**good, field: value})
    assert answer.status_code == 422
    (line,) = summary(answer)
    assert line[0].removesuffix("-0") == field
    assert message in line[1]
    assert f'id="{field}-error"' in answer.text
    assert "<title>Error: New product" in answer.text
    assert "Kept n" in answer.text
    assert sqlite_catalogue.content() == before


def test_refused_form_keeps_what_was_entered(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    category, tag = sqlite_catalogue.category(), sqlite_catalogue.tag()
    entered = {
        "name": 'A "quoted" <name>', "sku": "", "category": str(category), "tags": str(tag), "status": "ON_SALE",
        "price": "-1,5", "stock": "many", "available_from": "2026-02-31", "featured": "y", "notes": "</textarea>\r\n x",
    }  # fmt: skip
    answer = forms.submit(sqlite_client, NEW, **entered)
    assert answer.status_code == 422
    kept = forms.read(answer.text)
    assert {name: kept[name] for name in entered} == entered
    assert [field for field, _ in summary(answer)] == ["sku", "price", "stock", "available_from"]


def test_refused_form_links_errors_to_controls(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    answer = forms.submit(sqlite_client, NEW, name="", category=sqlite_catalogue.category(), price="1", sku="S")
    control = re.search(r'<input[^>]*id="name"[^>]*>', answer.text)
    assert control is not None
    assert 'aria-invalid="true"' in control[0]
    assert 'aria-describedby="name-error"' in control[0]
    assert 'role="alert"' in answer.text


def test_duplicate_create_refused_at_field(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.product(sku="TWICE")
    category = catalogue.read(Product, key)["category_id"]
    before = catalogue.content()
    answer = forms.submit(client, NEW, name="Other", sku="TWICE", category=category, price="1")
    assert (answer.status_code, summary(answer)) == (422, [("sku", "SKU: Another product has this already.")])
    assert forms.read(answer.text)["name"] == "Other"
    assert catalogue.content() == before


def test_duplicate_edit_refused_at_field(client: FlaskClient, catalogue: Any) -> None:
    catalogue.category(name="Taken")
    key = catalogue.category(name="Free")
    before = catalogue.content()
    answer = forms.submit(client, f"/example/categories/{key}/edit", name="Taken")
    assert (answer.status_code, summary(answer)) == (422, [("name", "Name: Another category has this already.")])
    assert "Edit Free" in answer.text
    assert catalogue.content() == before


def test_category_deleted_meanwhile_refused(client: FlaskClient, catalogue: Any) -> None:
    fields = forms.open_form(client, NEW)
    answer = client.post(NEW, data={**fields, "name": "P", "sku": "S", "price": "1", "category": "1"})
    assert answer.status_code == 422


@pytest.fixture
def commit_between(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let another session commit between our read of the row and our write: ``meanwhile("DELETE …")``."""

    def arrange(*statements: str) -> None:
        def check(self: Products, item: Product) -> None:
            monkeypatch.undo()
            with db.engine.begin() as connection:
                for statement in statements:
                    connection.execute(sa.text(statement))

        monkeypatch.setattr(Products, "check", check)

    return arrange


# SQLite has no meanwhile: who writes is alone.
@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
@pytest.mark.parametrize("gone", ["category", "tag"])
@pytest.mark.parametrize("new", [True, False])
def test_chosen_row_deleted_meanwhile_refused(
    client: FlaskClient, catalogue: Any, commit_between: Callable[..., None], gone: str, new: bool
) -> None:
    kept, url = catalogue.category(), NEW if new else edit(catalogue.product())
    chosen = {"category": catalogue.category(), "tag": catalogue.tag()}
    fields = forms.open_form(client, url)
    fields |= {"name": "P", "sku": "S", "price": "1", "category": chosen["category"], "tags": [chosen["tag"]]}
    commit_between(f"DELETE FROM example_{gone} WHERE id = {chosen[gone]}")
    answer = client.post(url, data=fields)
    assert answer.status_code == 422
    again = forms.read(answer.text)
    assert (again["name"], again["sku"]) == ("P", "S")
    assert client.post(url, data={**again, "category": kept}).status_code == 303


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_edit_conflict_with_deleted_tag_shown(
    client: FlaskClient, catalogue: Any, commit_between: Callable[..., None]
) -> None:
    key, tag, category = catalogue.product(), catalogue.tag(), catalogue.category()
    hers = forms.open_form(client, edit(key))
    commit_between(
        "UPDATE example_product SET name = 'By the first', version = version + 1",
        f"DELETE FROM example_tag WHERE id = {tag}",
        f"DELETE FROM example_category WHERE id = {category}",
    )
    answer = client.post(edit(key), data={**hers, "name": "By the second", "tags": [tag], "category": category})
    assert answer.status_code == 409
    assert "Name By the first By the second" in shown(answer)


# --- requests that no form sends ----------------------------------------------------------------


#: Names that the model has and the form does not, and unknown ones.
STRAY = ["id", "created_at", "updated_at", "category_id", "colour", "name\0", "tags.id", "__class__"]


@pytest.mark.parametrize("name", STRAY)
def test_unknown_names_refused(sqlite_client: FlaskClient, sqlite_catalogue: Any, name: str) -> None:
    key = sqlite_catalogue.product()
    before = sqlite_catalogue.content()
    answer = forms.submit(sqlite_client, edit(key), name="Changed", **{name: "7"})
    assert answer.status_code == 400
    assert html.escape(name.rstrip("\0")) in answer.text
    assert sqlite_catalogue.content() == before


def test_unknown_names_list_shortened(sqlite_client: FlaskClient, sqlite_catalogue: Any) -> None:
    key = sqlite_catalogue.product()
    answer = forms.submit(sqlite_client, edit(key), **{f"stray{number:03}": "7" for number in range(100)})
    assert answer.status_code == 400
    assert "stray018, stray019 and 80 more." in answer.text
    assert "stray020" not in answer.text


@pytest.mark.parametrize("rest", ["", '; filename="a.txt"'])
def test_part_without_a_name_is_refused(sqlite_client: FlaskClient, sqlite_catalogue: Any, rest: str) -> None:
    key = sqlite_catalogue.tag()
    before = sqlite_catalogue.content()
    parts = {
        f'; name="{name}"': value for name, value in forms.open_form(sqlite_client, f"/example/tags/{key}/edit").items()
    }
    line = "--limit\r\nContent-Disposition: form-data%s\r\n\r\n%s\r\n"
    body = "".join(line % part for part in {**parts, rest: "1"}.items()) + "--limit--\r\n"
    answer = sqlite_client.post(
        f"/example/tags/{key}/edit", data=body, content_type="multipart/form-data; boundary=limit"
    )
    assert answer.status_code == 400
    assert sqlite_catalogue.content() == before


#: Two kilobytes of text at most, and once a hundred megabytes of zeros.
HUGE = ["NaN", "sNaN", "Infinity", "-Infinity", "1E400000000", "-1E400000000", "1E-400000000", "0E400000000"]


@pytest.mark.parametrize("price", HUGE)
@pytest.mark.parametrize("stale", [True, False])
def test_invalid_number_message_short(
    sqlite_client: FlaskClient, sqlite_catalogue: Any, price: str, stale: bool
) -> None:
    key = sqlite_catalogue.product()
    hers = forms.open_form(sqlite_client, edit(key))
    if stale:
        forms.submit(sqlite_client, edit(key), name="By the first")
    answer = sqlite_client.post(edit(key), data={**hers, "price": price})
    assert answer.status_code == 422
    assert "Not a valid decimal value." in answer.text
    assert len(answer.data) < 50_000


@pytest.mark.parametrize("version", [None, "", "abc", "-1", "1.0", "9" * 30, "１", "1\0"])
def test_edit_without_readable_version_refused(
    sqlite_client: FlaskClient, sqlite_catalogue: Any, version: str | None
) -> None:
    key = sqlite_catalogue.product()
    before = sqlite_catalogue.content()
    assert forms.submit(sqlite_client, edit(key), name="Changed", version=version).status_code == 400
    assert forms.submit(sqlite_client, delete(key), version=version).status_code == 400
    assert sqlite_catalogue.content() == before


@pytest.mark.parametrize("encoding", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_nul_refused_in_either_encoding(sqlite_client: FlaskClient, sqlite_catalogue: Any, encoding: str) -> None:
    key = sqlite_catalogue.product()
    before = sqlite_catalogue.content()
    fields = forms.open_form(sqlite_client, edit(key))
    answer = sqlite_client.post(edit(key), data={**fields, "name": "a\0b"}, content_type=encoding)
    assert answer.status_code == 422
    assert sqlite_catalogue.content() == before


#: Bytes that are no UTF-8: cut short, a lone surrogate, Latin-1.
BROKEN = [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xe9t\xe9"]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("escaped", [True, False])
def test_urlencoded_invalid_utf8_refused(
    sqlite_client: FlaskClient, sqlite_catalogue: Any, broken: bytes, escaped: bool
) -> None:
    key = sqlite_catalogue.tag()
    before = sqlite_catalogue.content()
    fields = forms.open_form(sqlite_client, f"/example/tags/{key}/edit")
    sent = b"".join(b"%%%02x" % byte for byte in broken) if escaped else broken
    body = f"csrf_token={fields['csrf_token']}&version={fields['version']}&name=".encode() + sent
    answer = sqlite_client.post(
        f"/example/tags/{key}/edit", data=body, content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 400
    assert sqlite_catalogue.content() == before


@pytest.mark.parametrize("broken", BROKEN)
def test_multipart_invalid_utf8_refused(sqlite_client: FlaskClient, sqlite_catalogue: Any, broken: bytes) -> None:
    key = sqlite_catalogue.tag()
    before = sqlite_catalogue.content()
    fields = forms.open_form(sqlite_client, f"/example/tags/{key}/edit")
    parts = {**{name: str(value).encode() for name, value in fields.items()}, "name": broken}
    line = b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = b"".join(line % (name.encode(), value) for name, value in parts.items()) + b"--limit--\r\n"
    answer = sqlite_client.post(
        f"/example/tags/{key}/edit", data=body, content_type="multipart/form-data; boundary=limit"
    )
    assert answer.status_code == 400
    assert sqlite_catalogue.content() == before


FILES = ["name", "price", "stock", "category", "tags", "available_from", "notes", "new", "version"]


@pytest.mark.parametrize("name", FILES)
def test_file_instead_of_text_refused(sqlite_client: FlaskClient, sqlite_catalogue: Any, name: str) -> None:
    key = sqlite_catalogue.product()
    before = sqlite_catalogue.content()
    answer = forms.submit(sqlite_client, edit(key), **{name: (io.BytesIO(b"1"), "one.txt")})
    assert answer.status_code == 400
    assert sqlite_catalogue.content() == before


def test_large_body_refused_with_page(sqlite_client: FlaskClient, sqlite_app: Flask, sqlite_catalogue: Any) -> None:
    fields = forms.open_form(sqlite_client, NEW)
    answer = sqlite_client.post(NEW, data={**fields, "notes": "x" * sqlite_app.config["MAX_CONTENT_LENGTH"]})
    assert answer.status_code == 413
    assert "Error 413" in shown(answer)


@pytest.mark.parametrize("token", [None, "", "wrong", "\0", "é"])
def test_missing_form_token_refused_with_page(
    sqlite_client: FlaskClient, sqlite_catalogue: Any, token: str | None
) -> None:
    key = sqlite_catalogue.product()
    before = sqlite_catalogue.content()
    for url in (NEW, edit(key), delete(key)):
        answer = forms.submit(sqlite_client, url, csrf_token=token)
        assert (answer.status_code, answer.mimetype) == (400, "text/html")
        assert "The form cannot be trusted" in shown(answer)
    assert sqlite_catalogue.content() == before


def test_token_of_another_visitor_is_refused(
    sqlite_client: FlaskClient, sqlite_app: Flask, sqlite_catalogue: Any
) -> None:
    token = forms.open_form(sqlite_app.test_client(), NEW)["csrf_token"]
    assert forms.submit(sqlite_client, NEW, csrf_token=token).status_code == 400


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"name": "x"}', "application/json"),
        (b"name=x", "text/plain"),
        (b"name=x", ""),
        (b"no boundary", "multipart/form-data"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"", "application/x-www-form-urlencoded"),
    ],
)
def test_non_form_body_refused(
    sqlite_client: FlaskClient, sqlite_catalogue: Any, body: bytes, content_type: str
) -> None:
    before = sqlite_catalogue.content()
    sqlite_client.get(NEW)
    assert sqlite_client.post(NEW, data=body, content_type=content_type).status_code == 400
    assert sqlite_catalogue.content() == before


# --- edit ---------------------------------------------------------------------------------------

#: Rows whose every value must come back from a form as it was.
UNTOUCHED: list[dict[str, Any]] = [
    {},
    {"status": Status.DISCONTINUED, "price": Decimal("0.10"), "stock": 2**31 - 1, "featured": True, "notes": "A note."},
    {"status": Status.DRAFT, "price": Decimal("99999999.99"), "stock": 0, "available_from": None, "notes": None},
    {"available_from": date(1000, 1, 1), "notes": "\n first and last \n\n"},
    {"available_from": date(9999, 12, 31), "notes": "line\r\nother\rthird\nfourth", "name": "  spaces  ", "sku": "é"},
    {"notes": "", "name": "two\nlines"},
    {"notes": "   "},
]


@pytest.mark.parametrize("values", UNTOUCHED)
def test_edit_of_nothing_changes_nothing(client: FlaskClient, catalogue: Any, values: dict[str, Any]) -> None:
    # Names whose order differs between Python and the databases.
    tags = [catalogue.tag(name=name) for name in ("b", "A", "Ö", "a1")]
    key = catalogue.product(tags=tags, **values)
    before = catalogue.content()
    assert forms.submit(client, edit(key)).status_code == 303
    assert catalogue.content() == before


def test_edit_stores_changes_and_version(client: FlaskClient, catalogue: Any) -> None:
    old, new = catalogue.tag(), catalogue.tag()
    key = catalogue.product(tags=[old], featured=True, notes="old")
    before = catalogue.read(Product, key)
    other = catalogue.category()
    answer = forms.submit(
        client, edit(key), name="New", sku="NEW", category=other, tags=[new], status="DRAFT", price="1.5", stock="0",
        available_from="", featured=None, notes="",
    )  # fmt: skip
    assert answer.status_code == 303
    stored = catalogue.read(Product, key)
    assert stored.pop("updated_at") > before["updated_at"]
    assert stored == {
        "id": key, "name": "New", "sku": "NEW", "category_id": other, "tags": [new], "status": Status.DRAFT,
        "price": Decimal("1.50"), "stock": 0, "available_from": None, "featured": False, "notes": None,
        "created_at": before["created_at"], "version": before["version"] + 1, "owner_key": None,
    }  # fmt: skip


def test_edit_emptying_required_field_refused(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.product(stock=5)
    before = catalogue.content()
    answer = forms.submit(client, edit(key), stock="")
    assert (answer.status_code, [field for field, _ in summary(answer)]) == (422, ["stock"])
    assert catalogue.content() == before


def test_edit_of_tags_increments_version(client: FlaskClient, catalogue: Any) -> None:
    tag, key = catalogue.tag(), catalogue.product()
    before = catalogue.read(Product, key)
    assert forms.submit(client, edit(key), tags=[tag]).status_code == 303
    stored = catalogue.read(Product, key)
    assert (stored["tags"], stored["version"]) == ([tag], before["version"] + 1)
    assert stored["updated_at"] > before["updated_at"]


# --- two editors --------------------------------------------------------------------------------


def test_second_editor_sees_conflict_and_saves(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.product(name="At first", price=Decimal("1.00"), stock=1)
    hers = forms.open_form(client, edit(key))
    assert forms.submit(client, edit(key), name="By the first", stock="11").status_code == 303
    answer = client.post(edit(key), data={**hers, "name": "By the second", "price": "2.00"})
    assert answer.status_code == 409
    text = shown(answer)
    assert "Name By the first By the second" in text
    assert "Price 1.00 2.00" not in text
    assert "SKU SKU" not in text
    again = forms.read(answer.text)
    assert (again["name"], again["price"], again["stock"]) == ("By the second", "2.00", "11")
    assert client.post(edit(key), data=again).status_code == 409
    assert client.post(edit(key), data={**again, "name__use": "mine"}).status_code == 303
    stored = catalogue.read(Product, key)
    assert (stored["name"], stored["price"], stored["stock"]) == ("By the second", 2, 11)
    assert stored["version"] == 3


def test_second_editor_can_drop_hers(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.product(name="At first")
    hers = forms.open_form(client, edit(key))
    forms.submit(client, edit(key), name="By the first")
    answer = client.post(edit(key), data={**hers, "name": "By the second"})
    assert f'href="{edit(key)}"' in answer.text
    assert forms.open_form(client, edit(key))["name"] == "By the first"


def test_tags_of_two_editors_are_joined(client: FlaskClient, catalogue: Any) -> None:
    one, two, three = catalogue.tag(name="One"), catalogue.tag(name="Two"), catalogue.tag(name="Three")
    key = catalogue.product(tags=[three])
    hers = forms.open_form(client, edit(key))
    forms.submit(client, edit(key), tags=[one, three])
    assert client.post(edit(key), data={**hers, "tags": [two]}).status_code == 303
    assert sorted(catalogue.read(Product, key)["tags"]) == [one, two]


def test_invalid_form_keeps_first_save(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.product()
    hers = forms.open_form(client, edit(key))
    forms.submit(client, edit(key), name="By the first")
    answer = client.post(edit(key), data={**hers, "price": "free"})
    assert answer.status_code == 422
    assert [field for field, _ in summary(answer)] == ["price"]
    again = {**forms.read(answer.text), "price": "3"}
    assert client.post(edit(key), data=again).status_code == 303
    stored = catalogue.read(Product, key)
    assert (stored["name"], stored["price"]) == ("By the first", 3)


def test_edit_of_deleted_row_not_found(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.product()
    hers = forms.open_form(client, edit(key))
    assert forms.submit(client, delete(key)).status_code == 303
    assert client.post(edit(key), data=hers).status_code == 404


def _at_once(app: Flask, url: str, changes: list[dict[str, Any]]) -> list[int]:
    """Open a form as many times, then send all of them at the same moment."""
    clients = [app.test_client() for _ in changes]
    filled = [{**forms.open_form(client, url), **change} for client, change in zip(clients, changes, strict=True)]
    gate = threading.Barrier(len(changes))

    def send(client: FlaskClient, data: dict[str, Any]) -> int:
        gate.wait(10)
        return client.post(url, data=data).status_code

    with ThreadPoolExecutor() as pool:
        return sorted(pool.map(send, clients, filled))


def test_concurrent_edits_one_wins(app: Flask, catalogue: Any) -> None:
    one, two = catalogue.tag(), catalogue.tag()
    key = catalogue.product()
    for number in range(3):
        changes = [{"name": f"First {number}", "tags": [one]}, {"name": f"Second {number}", "tags": [two]}]
        assert _at_once(app, edit(key), changes) == [303, 409]
        stored = catalogue.read(Product, key)
        assert (stored["version"], stored["name"][:5]) in [(number + 2, "First"), (number + 2, "Secon")]
        assert stored["tags"] == [one if stored["name"].startswith("First") else two]


def test_concurrent_duplicates_one_created(app: Flask, catalogue: Any) -> None:
    category = catalogue.category()
    for number in range(3):
        row = {"name": "Twin", "sku": f"TWIN-{number}", "category": category, "price": "1"}
        assert _at_once(app, NEW, [row, row]) == [303, 422]


# --- delete -------------------------------------------------------------------------------------


def test_delete_confirms_and_removes_links(client: FlaskClient, catalogue: Any, app: Flask) -> None:
    tag = catalogue.tag()
    key = catalogue.product(name="Going", tags=[tag])
    before = catalogue.content()
    assert "Delete Going?" in shown(client.get(delete(key)))
    assert catalogue.content() == before
    answer = forms.submit(client, delete(key))
    assert (answer.status_code, urlsplit(answer.location).path) == (303, "/example/products")
    assert "Deleted product “Going”." in client.get(answer.location).text
    assert catalogue.read(Product, key) is None
    assert catalogue.read(Tag, tag) is not None
    with app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM example_product_tag")) == 0


def test_delete_of_tag_keeps_products(client: FlaskClient, catalogue: Any) -> None:
    tag = catalogue.tag()
    key = catalogue.product(tags=[tag])
    assert forms.submit(client, f"/example/tags/{tag}/delete").status_code == 303
    assert catalogue.read(Product, key)["tags"] == []


def test_delete_of_older_version_refused(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.product(name="At first")
    seen = forms.open_form(client, delete(key))
    forms.submit(client, edit(key), name="Changed")
    answer = client.post(delete(key), data=seen)
    assert answer.status_code == 409
    assert "This product was changed" in shown(answer)
    assert "Delete Changed?" in shown(answer)
    assert client.post(delete(key), data=forms.read(answer.text)).status_code == 303


def test_delete_of_used_category_refused(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.category(name="Full")
    catalogue.product(category=key)
    before = catalogue.content()
    answer = forms.submit(client, f"/example/categories/{key}/delete")
    assert answer.status_code == 409
    assert "Other rows point to this category: delete or change them first." in shown(answer)
    assert "Delete Full?" in shown(answer)
    assert catalogue.content() == before


def test_delete_of_an_empty_category(client: FlaskClient, catalogue: Any) -> None:
    key = catalogue.category()
    assert forms.submit(client, f"/example/categories/{key}/delete").status_code == 303
    assert catalogue.read(Category, key) is None


def test_times_are_kept_to_the_microsecond(client: FlaskClient, catalogue: Any) -> None:
    moment = datetime(2026, 2, 28, 23, 59, 59, 123456, UTC)
    key = catalogue.category(created_at=moment)
    assert forms.submit(client, f"/example/categories/{key}/edit", description="New").status_code == 303
    assert catalogue.read(Category, key)["created_at"] == moment
