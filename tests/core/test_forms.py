"""Forms made from models: a field for every type, and a value that comes back as it went in."""

import uuid
from collections.abc import Callable
from collections.abc import Iterator
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.forms import model_form
from services import db
from tests import forms
from tests.core import archive

NEW = "/archive/documents/new"


@pytest.fixture(scope="module")
def database_urls(databases: Any) -> Iterator[dict[str, URL]]:
    urls: dict[str, URL] = {}
    yield urls
    for url in urls.values():
        databases.drop(url)


@pytest.fixture
def make_archive_app(
    make_app: Callable[..., Flask], database_urls: dict[str, URL], databases: Any
) -> Iterator[Callable[[str], Flask]]:
    """Return an application of the archive on an engine, with a folder and two tags, emptied after the test."""
    apps = []

    def make(engine_name: str) -> Flask:
        new = engine_name not in database_urls
        url = database_urls.setdefault(engine_name, databases.make(engine_name)) if new else database_urls[engine_name]
        app = make_app(url, [archive.__name__])
        apps.append(app)
        with app.app_context():
            archive.Base.metadata.create_all(db.engine)
            db.session.add_all([archive.Folder(code="A"), archive.Tag(id=1, name="one"), archive.Tag(id=2, name="two")])
            db.session.commit()
        return app

    yield make
    for app in apps:
        with app.app_context():
            for table in reversed(archive.Base.metadata.sorted_tables):
                db.session.execute(table.delete())
            db.session.commit()


@pytest.fixture
def app(make_archive_app: Callable[[str], Flask], engine_name: str) -> Flask:
    return make_archive_app(engine_name)


@pytest.fixture
def sqlite_app(make_archive_app: Callable[[str], Flask]) -> Flask:
    return make_archive_app("sqlite")


def add(app: Flask, **values: Any) -> str:
    """Add a document and give the URL of its form."""
    with app.app_context():
        tags = [db.session.get_one(archive.Tag, key) for key in values.pop("tags", ())]
        document = archive.Document(**{"title": "T", **values}, tags=tags)
        db.session.add(document)
        db.session.commit()
        return f"/archive/documents/{document.id}/edit"


def stored(app: Flask) -> dict[str, Any]:
    """Return the only document."""
    with app.app_context():
        document = db.session.scalars(sa.select(archive.Document)).one()
        found = {column.key: getattr(document, column.key) for column in sa.inspect(archive.Document).column_attrs}
        return {**found, "tags": sorted(tag.id for tag in document.tags)}


# --- there and back -----------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "title": "Title",
    "alias": "al",
    "body": "one\ntwo",
    "small": -(2**15),
    "whole": 50_000,
    "big": 2**63 - 1,
    "exact": Decimal("1234.0000000001"),
    "price": Decimal("-9999999999.99"),
    "ratio": 0.1,
    "flag": False,
    "maybe": False,
    "day": date(2026, 2, 28),
    "hour": time(23, 59, 59),
    "local": datetime(2026, 2, 28, 12, 30, 15),
    "moment": datetime(2026, 2, 28, 12, 30, 15, 123456, UTC),
    "kind": archive.Kind.LETTER_HOME,
    "other": archive.Kind.LETTER_HOME,
    "mood": "wild",
    "data": {"a": [1, 2.5, None, True, "é <&>"], "z": {}},
    "token": uuid.UUID(int=7),
    "folder_code": "A",
    "cover_id": 1,
    "tags": [2, 1],
}
STORED = [
    FULL,
    {},
    {"maybe": True, "style": "", "alias": "", "body": "", "whole": 0, "ratio": 0.0, "hour": time(0, 0), "data": []},
    {"ratio": 1e-07, "exact": Decimal("0.0000000001"), "data": 0, "price": Decimal(0), "small": 0, "big": -(2**63)},
    {"ratio": 1.7976931348623157e308, "data": "text", "hour": time(1, 2, 3, 4)},
    {"local": datetime(2026, 1, 1, 0, 0, 0, 5), "data": -0.0},
    {"alias": "a\x01\x7f\uffff", "body": "\ufdd0\r\n\U0001fffe", "data": {"\x7f\uffff": "\U0001fffe"}},
    {"ratio": -5e-324, "data": False, "body": "\r\n\r", "alias": "a\r\nb", "moment": datetime(2026, 1, 1, tzinfo=UTC)},
]  # fmt: skip


@pytest.mark.parametrize("values", STORED)
def test_untouched_edit_changes_nothing(app: Flask, values: dict[str, Any]) -> None:
    url = add(app, **values)
    before = stored(app)
    assert forms.submit(app.test_client(), url).status_code == 303
    assert stored(app) == before
    assert stored(app)["version"] == 1


def test_every_type_can_be_entered(app: Flask) -> None:
    answer = forms.submit(
        app.test_client(), NEW, title="Title", alias="al", body="one\r\ntwo", small="-32768", whole="50000",
        big="9223372036854775807", exact="1234.0000000001", price="-9999999999.99", ratio="0.1", flag=None, maybe="no",
        day="2026-02-28", hour="23:59:59", local="2026-02-28T12:30:15", moment="2026-02-28T12:30:15",
        kind="LETTER_HOME", other="LETTER_HOME", mood="wild", data='{"a": [1, 2.5, null, true, "é <&>"], "z": {}}',
        token=str(uuid.UUID(int=7)), folder="A", cover_id="1", tags=["2", "1"],
    )  # fmt: skip
    assert answer.status_code == 303
    found = stored(app)
    expected = {**FULL, "tags": [1, 2], "moment": FULL["moment"].replace(microsecond=0), "style": "plain"}
    assert {name: found[name] for name in expected} == expected


def test_everything_can_be_emptied(app: Flask) -> None:
    url = add(app, **FULL)
    client = app.test_client()
    fields = forms.open_form(client, url)
    keep = ("csrf_token", "version", "title", "kind", "style")
    data = {name: (value if name in keep else "") for name, value in fields.items() if name not in ("flag", "tags")}
    assert client.post(url, data=data).status_code == 303
    found = stored(app)
    nullable = [column.key for column in archive.Document.__table__.columns if column.nullable]
    assert {found[name] for name in nullable} == {None}
    assert (found["flag"], found["tags"]) == (False, [])


ENTERED = [
    ("flag", "y", True),
    ("maybe", "yes", True),
    ("maybe", "", None),
    ("ratio", "1e5", 100000.0),
    ("ratio", "-.5", -0.5),
    ("ratio", "3", 3.0),
    ("hour", "07:05", time(7, 5)),
    ("local", "2026-02-28T07:05", datetime(2026, 2, 28, 7, 5)),
    ("moment", "2026-02-28T07:05", datetime(2026, 2, 28, 7, 5, tzinfo=UTC)),
    ("token", "00000000000000000000000000000007", uuid.UUID(int=7)),
    ("data", "null", None),
    ("data", '"\\ud83d\\ude00"', "😀"),
    ("data", " ", None),
    ("whole", " 7 ", 7),
    ("whole", "-5", -5),
    ("alias", "  a ", "  a "),
    ("body", "a\r\n\r\nb\r\n", "a\n\nb\n"),
    ("style", "", ""),
]


@pytest.mark.parametrize(("name", "text", "value"), ENTERED)
def test_what_is_entered_is_stored(sqlite_app: Flask, name: str, text: str, value: Any) -> None:
    assert forms.submit(sqlite_app.test_client(), NEW, title="T", **{name: text}).status_code == 303
    assert stored(sqlite_app)[name] == value
    assert type(stored(sqlite_app)[name]) is type(value)


REFUSED = [
    ("title", "x" * 11),
    ("alias", " " * 11),
    ("style", " " * 11),
    ("small", "32768"),
    ("small", "-32769"),
    ("whole", "50001"),
    ("whole", "-6"),
    ("big", str(2**63)),
    ("exact", "0.00000000001"),
    ("exact", "10000"),
    ("price", "1.005"),
    *(("ratio", text) for text in ["nan", "inf", "-Infinity", "1e400", "1_0", "１", "abc", "0x1p3"]),
    ("maybe", "perhaps"),
    *(("day", text) for text in ["2026-02-30", "0001-01-01", "today", "２０２６-01-01"]),
    *(("hour", text) for text in ["24:00", "7", "１２:00", "12:00:00.5"]),
    *(("local", text) for text in ["2026-02-30T00:00", "2026-02-28", "２０２６-01-01T00:00"]),
    *(("moment", text) for text in ["0001-01-01T00:00", "2026-02-28T25:00", "2026-02-28T12:00 CET"]),
    ("kind", "NONE"),
    ("kind", "1"),
    ("kind", ""),
    ("other", "note"),
    ("mood", "Wild"),
    *(("data", text) for text in ["{", "{'a': 1}", "NaN", "[Infinity]", "1e400", '"\\ud800"', '{"\\u0000": 1}']),
    ("data", "[" * 100_000),
    ("data", "1" * 5000),
    *(("token", text) for text in ["7", "x" * 32, "{" * 40]),
    ("folder", "B"),
    ("cover_id", "99"),
    ("cover_id", "abc"),
    ("tags", "99"),
]


@pytest.mark.parametrize(("name", "text"), REFUSED, ids=[f"{name}={text[:12]}" for name, text in REFUSED])
def test_invalid_value_refused_at_field(sqlite_app: Flask, name: str, text: str) -> None:
    url = add(sqlite_app)
    before = stored(sqlite_app)
    answer = forms.submit(sqlite_app.test_client(), url, **{name: text})
    assert answer.status_code == 422
    assert answer.text.count('class="field-errors"') == 1
    assert f'id="{name}-error"' in answer.text
    assert stored(sqlite_app) == before


def test_dangling_foreign_key_refused_at_field(app: Flask) -> None:
    answer = forms.submit(app.test_client(), NEW, title="T", cover_id="99")
    assert answer.status_code == 422
    assert 'id="cover_id-error"' in answer.text


def test_verb_errors_placed_at_fields(sqlite_app: Flask) -> None:
    with sqlite_app.test_request_context():
        form = model_form(archive.Document)(formdata=None)
        form.add_errors({"folder_code": ["Gone."], "title": ["Taken."], "version": ["Odd."], "": ["All is lost."]})
        assert (form.folder.errors, form.title.errors) == (["Gone."], ["Taken."])
        assert form.form_errors == ["Odd.", "All is lost."]


# --- what the form is made of -------------------------------------------------------------------


def names(form: type[Any], app: Flask) -> list[str]:
    with app.test_request_context():
        return [field.name for field in form(formdata=None) if field.name != "csrf_token"]


def test_form_fields_follow_columns(sqlite_app: Flask) -> None:
    assert names(model_form(archive.Document), sqlite_app) == [
        "title", "alias", "body", "style", "small", "whole", "big", "exact", "price", "ratio", "flag", "maybe", "day",
        "hour", "local", "moment", "kind", "other", "mood", "data", "token", "folder", "cover_id", "tags",
    ]  # fmt: skip


def test_viewonly_relationship_has_no_field(sqlite_app: Flask) -> None:
    class Own(DeclarativeBase):
        pass

    class Node(Own):
        __tablename__ = "archive_node"
        id: Mapped[int] = mapped_column(primary_key=True)
        above_id: Mapped[int | None] = mapped_column(sa.ForeignKey("archive_node.id"))
        above: Mapped["Node | None"] = relationship("Node", remote_side=[id], viewonly=True)
        below: Mapped[list["Node"]] = relationship("Node", viewonly=True)

    assert names(model_form(Node), sqlite_app) == ["above_id"]


def test_json_text_can_be_emptied(sqlite_app: Flask) -> None:
    url = add(sqlite_app, data="")
    assert forms.submit(sqlite_app.test_client(), url, data="").status_code == 303
    assert stored(sqlite_app)["data"] is None


def test_json_one_becomes_true(sqlite_app: Flask) -> None:
    url = add(sqlite_app, data="1")
    assert forms.submit(sqlite_app.test_client(), url, data="true").status_code == 303
    assert stored(sqlite_app)["data"] is True


def test_generated_key_has_no_field(sqlite_app: Flask) -> None:
    class Own(DeclarativeBase):
        pass

    class Ticket(Own):
        __tablename__ = "archive_ticket"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
        note: Mapped[str]

    assert names(model_form(Ticket), sqlite_app) == ["note"]


@pytest.mark.parametrize("knob", ["only", "exclude"])
def test_unknown_attribute_fails_at_start(knob: str) -> None:
    with pytest.raises(TypeError, match="Document has no attribute titel"):
        model_form(archive.Document, **{knob: ("titel",)})


def test_field_sent_twice_is_refused(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    fields = forms.open_form(client, NEW)
    assert client.post(NEW, data={**fields, "title": ["A", "B"]}).status_code == 400


def test_natural_key_in_form(sqlite_app: Flask) -> None:
    assert names(model_form(archive.Folder), sqlite_app) == ["code"]


def test_form_can_be_narrowed(sqlite_app: Flask) -> None:
    assert names(model_form(archive.Document, only=("tags", "title")), sqlite_app) == ["tags", "title"]
    assert "title" not in names(model_form(archive.Document, exclude=("title",)), sqlite_app)
    assert names(model_form(archive.Document, only=("kind", "day"), exclude=("day",)), sqlite_app) == ["kind"]


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("title", {'type="text"', 'maxlength="10"', "required", 'aria-describedby="title-help"'}),
        ("whole", {'type="number"', 'min="-5"', 'max="50000"'}),
        ("price", {'type="number"', 'step="0.01"'}),
        ("exact", {'step="0.0000000001"'}),
        ("ratio", {'step="any"'}),
        ("day", {'type="date"'}),
        ("hour", {'type="time"'}),
        ("local", {'type="datetime-local"'}),
        ("flag", {'type="checkbox"', "checked"}),
    ],
)
def test_control_has_limits(sqlite_app: Flask, name: str, attributes: set[str]) -> None:
    page = sqlite_app.test_client().get(NEW).text
    (control,) = (part for part in page.split("<") if f' id="{name}"' in part and part.startswith("input"))
    assert attributes <= set(control.removesuffix(">").rstrip("> \n").split())


def test_form_uses_model_words(sqlite_app: Flask) -> None:
    page = sqlite_app.test_client().get(NEW).text
    assert ">Head</label>" in page
    assert "Short." in page
    assert ">Letter home</option>" in page
    assert ">Folder A</option>" in page


@pytest.mark.parametrize("type_", [sa.LargeBinary, sa.PickleType])
def test_uncontrollable_type_fails_at_start(type_: Any) -> None:
    class Own(DeclarativeBase):
        pass

    class Odd(Own):
        __tablename__ = "archive_odd"
        id: Mapped[int] = mapped_column(primary_key=True)
        span: Mapped[Any] = mapped_column(type_)

    with pytest.raises(TypeError, match=r"column archive_odd\.span of type .* (leave it out|Exclude it)"):
        model_form(Odd)
    assert model_form(Odd, exclude=("span",))
