"""Every type of column that only PostgreSQL or MariaDB has, there and back."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL
from werkzeug.datastructures import MultiDict

from core.crud import Crud
from core.fields.columns import field_class
from core.fields.json_schema import json_schema
from core.forms import model_form
from core.rest.dump import plan
from tests.core import column_types
from tests.core import columns
from tests.dialects import postgres_rows

#: SQLAlchemy 2.1.9 says this of MySQL's YEAR, BIT and INET4 of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Type object .* does not refer to an OperatorClass")

Open = Callable[[str], FlaskClient]
BASES = {"postgresql": (postgres_rows.Postgres,), "mariadb": (postgres_rows.Maria,)}
MODULES = ["app.dialects", postgres_rows.__name__]
VERBS: dict[str, type[Crud]] = {"postgres_rows": postgres_rows.PostgresRows, "maria_rows": postgres_rows.MariaRows}


@pytest.fixture(scope="module")
def database_urls(databases: Any) -> Iterator[dict[str, URL]]:
    urls: dict[str, URL] = {}
    yield urls
    for url in urls.values():
        databases.drop(url)


@pytest.fixture
def make_client(make_app: Callable[..., Flask], database_urls: dict[str, URL], databases: Any) -> Iterator[Open]:
    """Return a client on an engine, emptied after the test."""
    with columns.opened(make_app, database_urls, databases, BASES, MODULES) as make:
        yield make


POSTGRES: list[tuple[str, Any]] = [
    ("numbers", [1, -32768]),
    ("numbers", []),
    ("texts", ["", "a,b", '"{}']),
    ("grid", [[1, 2], [3, 4]]),
    ("grid", []),
    ("amounts", ["1.50", "-999.99"]),
    ("moments", ["2026-01-31T12:00:00.000001+00:00"]),
    ("metals", ["GOLD", "LEAD"]),
    ("marks", ["0f7c3d38-9a4b-4c6d-8e1f-000000000001"]),
    ("labels", {"a": "b", "c": None, "": ""}),
    ("labels", {}),
    ("data", {"a": 1.5}),
    ("address", "192.0.2.1"),
    ("address", "192.0.2.1/24"),
    ("address", "2001:db8::1"),
    ("address", "::/0"),
    ("network", "10.0.0.0/8"),
    ("network", "2001:db8::/32"),
    ("card", "08:00:2b:01:02:03"),
    ("long_card", "08:00:2b:01:02:03:04:05"),
    ("small", {"lower": 1, "upper": 5, "bounds": "[)"}),
    ("small", {"lower": None, "upper": None, "bounds": "empty"}),
    ("small", {"lower": None, "upper": 5, "bounds": "()"}),
    ("small", {"lower": 1, "upper": None, "bounds": "[)"}),
    ("small", {"lower": None, "upper": None, "bounds": "()"}),
    ("large", {"lower": -(2**63), "upper": 2**63 - 1, "bounds": "[)"}),
    ("amount", {"lower": "0.5", "upper": "1.50", "bounds": "(]"}),
    ("days", {"lower": "2026-01-01", "upper": "2026-02-01", "bounds": "[)"}),
    ("stay", {"lower": "2026-01-01T00:00:00", "upper": "2026-01-02T00:00:00.500000", "bounds": "[]"}),
    ("booked", {"lower": "2026-01-01T00:00:00+00:00", "upper": None, "bounds": "()"}),
    ("gaps", []),
    ("gaps", [{"lower": 1, "upper": 3, "bounds": "[)"}, {"lower": 4, "upper": None, "bounds": "[)"}]),
    ("shifts", [{"lower": "2026-01-01T00:00:00+00:00", "upper": "2026-01-01T08:00:00+00:00", "bounds": "[]"}]),
    ("flags", "0110"),
    ("some", "01"),
    ("some", ""),
    ("oid", 2**32 - 1),
    ("zip", "01234"),
    ("mail", "A@b.c"),
    ("span", "P1DT0.000001S"),
    ("zoned", "12:30:00+01:00"),
    ("tenths", "2026-01-31T12:00:00.500000+00:00"),
    ("raw", "AA=="),
]
MARIA: list[tuple[str, Any]] = [
    ("tiny", -128),
    ("byte", 255),
    ("medium", 2**23 - 1),
    ("word", 65535),
    ("big", 2**64 - 1),
    ("amount", "999.99"),
    ("ratio", 0.5),
    ("year", 2155),
    ("marks", ["a", "c"]),
    ("marks", []),
    ("metal", "lead"),
    ("flags", 2**64 - 1),
    ("moment", "2026-01-31T12:00:00.123000"),
    ("whole", "2026-01-31T12:00:00"),
    ("stamp", "2026-01-31T12:00:00.123456"),
    ("clock", "23:59:59.999999"),
    ("text", "é"),
    ("short", "x" * 255),
    ("raw", "AAEC"),
    ("few", "AAECAwQ="),
    ("fixed", "AAE="),
    ("four", "192.0.2.1"),
    ("six", "2001:db8::1"),
]
CASES = [
    *(("postgresql", "postgres_rows", name, value) for name, value in POSTGRES),
    *(("mariadb", "maria_rows", name, value) for name, value in MARIA),
]


@pytest.mark.parametrize(
    ("engine", "collection", "name", "value"), CASES, ids=[f"{e}-{n}-{str(v)[:20]}" for e, _, n, v in CASES]
)
def test_value_round_trips(make_client: Open, engine: str, collection: str, name: str, value: Any) -> None:
    columns.assert_round_trip(make_client(engine), collection, name, value)


FILTERS = [(e, c, n, v) for e, c, n, v in CASES if n in VERBS[c].filters and v != ""]


@pytest.mark.parametrize(
    ("engine", "collection", "name", "value"), FILTERS, ids=[f"{e}-{n}-{str(v)[:20]}" for e, _, n, v in FILTERS]
)
def test_value_finds_its_row(make_client: Open, engine: str, collection: str, name: str, value: Any) -> None:
    columns.assert_found(make_client(engine), collection, name, value)


SORTED = [
    ("postgres_rows", "address", ["10.0.0.1", "192.0.2.1/24", "2001:db8::1"]),
    ("postgres_rows", "flags", ["0000", "0001", "1000"]),
    ("postgres_rows", "zoned", ["12:00:00+02:00", "11:30:00+00:00"]),
    ("maria_rows", "year", [1901, 2000, 2155]),
    ("maria_rows", "flags", [0, 2**63, 2**64 - 1]),
    ("maria_rows", "stamp", ["2026-01-31T12:00:00.000001", "2026-01-31T12:00:00.000002"]),
]
ENGINES = {"postgres_rows": "postgresql", "maria_rows": "mariadb"}
ORDERS = [(ENGINES[case[0]], *case) for case in SORTED]


@pytest.mark.parametrize(("engine", "collection", "name", "values"), ORDERS)
def test_cursor_moves_through_values(
    make_client: Open, engine: str, collection: str, name: str, values: list[Any]
) -> None:
    columns.assert_in_order(make_client(engine), collection, name, values)


REFUSED: list[tuple[str, str, list[Any]]] = [
    ("postgres_rows", "numbers", [[32768], ["1"], [1.0], [None], 1, "1", {"0": 1}, list(range(1001)), [[1]]]),
    ("postgres_rows", "texts", [["abcd"], ["\0"], [1], ["a", None]]),
    ("postgres_rows", "grid", [[[1], [1, 2]], [[]], [1], [[1], 2], [[[1]]]]),
    ("postgres_rows", "amounts", [["1.505"], [1.5], ["1000.00"]]),
    ("postgres_rows", "metals", [["Au"], [0]]),
    (
        "postgres_rows",
        "labels",
        [{"a": 1}, {"a": "\0"}, {"\0": "a"}, {"a": {}}, [], "a=>b", dict.fromkeys(map(str, range(1001)), "")],
    ),
    ("postgres_rows", "data", [{"a": "\0"}, [2**64]]),
    (
        "postgres_rows",
        "address",
        ["192.0.2", "192.0.2.256", "192.0.2.1/33", "01.2.3.4", "::1%eth0", ":::", "x", 1, "1.2.3.4\n"],
    ),
    ("postgres_rows", "network", ["192.0.2.1", "192.0.2.1/24", "::1/64", "10.0.0.0/08"]),
    ("postgres_rows", "card", ["08002b010203", "08-00-2b-01-02-03", "08:00:2b:01:02", "08:00:2b:01:02:0g"]),
    ("postgres_rows", "long_card", ["08:00:2b:01:02:03"]),
    ("postgres_rows", "small", [[1, 5], "[1,5)", {"lower": "1"}, {"lower": 5, "upper": 1}, {"lower": 1, "upper": 1}]),
    (
        "postgres_rows",
        "small",
        [{"lower": 1, "bounds": "{}"}, {"lower": 1, "bounds": None}, {"from": 1}, {"lower": 1, "bounds": ["["]}],
    ),
    (
        "postgres_rows",
        "small",
        [{"lower": 1, "upper": 2, "bounds": "()"}, {"lower": 1, "bounds": "empty"}, {"upper": 2**31}],
    ),
    ("postgres_rows", "small", [{"lower": 1, "upper": 2**31 - 1, "bounds": "[]"}]),
    ("postgres_rows", "days", [{"upper": "9999-12-31", "bounds": "(]"}, {"lower": "2026-02-30"}]),
    ("postgres_rows", "amount", [{"lower": 1}, {"lower": "NaN"}]),
    ("postgres_rows", "gaps", [{"lower": 1}, [{"lower": 5, "upper": 1}], [1]]),
    ("postgres_rows", "flags", ["011", "01100", "0112", 6, ""]),
    ("postgres_rows", "some", ["01100", "2"]),
    ("postgres_rows", "oid", [-1, 2**32]),
    ("postgres_rows", "zip", ["123456", "1234", "abcde"]),
    ("postgres_rows", "zoned", ["12:30:00", "12:30Z", "12:30:00+16:00"]),
    ("postgres_rows", "tenths", ["2026-01-31T12:00:00.51Z"]),
    ("postgres_rows", "words", ["a"]),
    ("maria_rows", "tiny", [128, -129, True]),
    ("maria_rows", "byte", [-1, 256]),
    ("maria_rows", "medium", [2**23]),
    ("maria_rows", "word", [-1, 65536]),
    ("maria_rows", "big", [-1, 2**64]),
    ("maria_rows", "amount", ["-0.01", "1000", "0.001"]),
    ("maria_rows", "ratio", [-0.5]),
    ("maria_rows", "year", [1900, 2156, 0, "2026"]),
    ("maria_rows", "marks", [["a", "a"], ["d"], "a,b", [1], [["a"]]]),
    ("maria_rows", "metal", ["", "tin"]),
    ("maria_rows", "flags", [-1, 2**64]),
    ("maria_rows", "moment", ["2026-01-31T12:00:00.1234"]),
    ("maria_rows", "whole", ["2026-01-31T12:00:00.5"]),
    ("maria_rows", "stamp", ["1969-12-31T00:00:00", "2039-01-01T00:00:00"]),
    ("maria_rows", "short", ["x" * 256, "é" * 200]),
    ("maria_rows", "few", ["AAECAwQF"]),
    ("maria_rows", "fixed", ["AA==", "AAEC", ""]),
    ("maria_rows", "four", ["192.0.2.1/24", "::1"]),
    ("maria_rows", "six", ["192.0.2.1", "::ffff:1.2.3.4"]),
]
ONE_OF_EACH = [(ENGINES[case[0]], *case) for case in REFUSED]


@pytest.mark.parametrize(
    ("engine", "collection", "name", "values"), ONE_OF_EACH, ids=[f"{n}-{str(v)[:20]}" for _, _, n, v in ONE_OF_EACH]
)
def test_what_does_not_fit_is_refused(
    make_client: Open, engine: str, collection: str, name: str, values: list[Any]
) -> None:
    columns.assert_refused(make_client(engine), collection, name, values)


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("small", {"lower": 1, "upper": 5, "bounds": "(]"}, {"lower": 2, "upper": 6, "bounds": "[)"}),
        ("small", {"lower": 1}, {"lower": 1, "upper": None, "bounds": "[)"}),
        ("small", {}, {"lower": None, "upper": None, "bounds": "()"}),
        ("small", {"bounds": "empty"}, {"lower": None, "upper": None, "bounds": "empty"}),
        ("days", {"upper": "2026-01-31", "bounds": "[]"}, {"lower": None, "upper": "2026-02-01", "bounds": "()"}),
        ("gaps", [{"lower": 4}, {"bounds": "empty"}, {"upper": 4}], [{"lower": None, "upper": None, "bounds": "()"}]),
        ("card", "08:00:2B:01:02:0A", "08:00:2b:01:02:0a"),
        ("address", "192.0.2.1/32", "192.0.2.1"),
        ("address", "2001:DB8:0::1", "2001:db8::1"),
        ("span", "-PT36H", "-P1DT12H"),
        ("span", "P2W", "P14D"),
        ("amounts", ["1", "+2.5", "-0"], ["1.00", "2.50", "0.00"]),
        ("raw", "", ""),
    ],
)  # fmt: skip
def test_change_answer_equals_later_read(make_client: Open, name: str, given: Any, kept: Any) -> None:
    client = make_client("postgresql")
    created = client.post("/column_types/postgres_rows", json={name: given})
    assert created.json[name] == kept
    assert client.get(created.headers["Location"]).json == created.json


def test_search_column_hidden(make_client: Open) -> None:
    client = make_client("postgresql")
    assert "words" not in client.post("/column_types/postgres_rows", json={"mail": "a@b.c"}).json
    assert "words" not in column_types.schema_of(postgres_rows.PostgresRow)().fields


IN_FORMS = [case for case in CASES if case[2] not in ("image", "raw", "few", "fixed")]


@pytest.mark.parametrize(
    ("engine", "collection", "name", "value"), IN_FORMS, ids=[f"{e}-{n}-{str(v)[:20]}" for e, _, n, v in IN_FORMS]
)
def test_form_value_round_trips(make_client: Open, engine: str, collection: str, name: str, value: Any) -> None:
    columns.assert_in_form(make_client(engine), collection, VERBS[collection].model, name, value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("span", "P1Y"), ("address", "x"), ("numbers", "[1.5]"), ("numbers", "1,2"), ("small", "[1,5)"),
        ("labels", '{"a": 1}'), ("flags", "2"), ("zoned", "12:30"),
    ],
)  # fmt: skip
def test_form_refuses_what_the_field_refuses(make_client: Open, name: str, text: str) -> None:
    with make_client("postgresql").application.test_request_context():
        form = model_form(postgres_rows.PostgresRow, only=[name])(
            formdata=MultiDict({name: text}), meta={"csrf": False}
        )
        assert not form.validate()
        assert len(form.errors[name]) == 1
        assert form[name]._value() == text


# --- every type ---------------------------------------------------------------------------------

ARGUMENTS: dict[type, tuple[Any, ...]] = {
    sa.ARRAY: (sa.Integer,),
    pg.ARRAY: (sa.Integer,),
    pg.DOMAIN: ("d", sa.Integer),
    pg.ENUM: ("a",),
    mysql.ENUM: ("a",),
    mysql.SET: ("a",),
}
#: Not types of columns: bases of types, and what SQLAlchemy uses in expressions.
NO_COLUMNS = {"TypeEngine", "TypeDecorator", "UserDefinedType", "Variant", "TupleType", "NamedType"}
TYPES = {
    found
    for module in (sa.types, pg, mysql, sqlite)
    for name in dir(module)
    if isinstance(found := getattr(module, name), type) and issubclass(found, sa.types.TypeEngine)
    if name not in NO_COLUMNS and not name.startswith("Abstract") and not name.startswith("_")
}
REFUSED_TYPES = {
    sa.PickleType, sa.types.NullType, pg.MONEY, pg.REGCLASS, pg.REGCONFIG, pg.TSQUERY, pg.TSVECTOR, pg.JSONPATH,
}  # fmt: skip


@pytest.mark.parametrize("type_", sorted(TYPES, key=str), ids=lambda type_: f"{type_.__module__}.{type_.__name__}")
def test_types_have_field_or_hint(type_: Any) -> None:
    column = sa.Column("x", type_(*ARGUMENTS.get(type_, ())))
    if type_ in REFUSED_TYPES:
        with pytest.raises(TypeError, match=r"column x of type .* has no field, .* Exclude it, or declare a field"):
            field_class(column)
        return
    cls, arguments = field_class(column)
    field = cls(**arguments)
    assert json_schema(field).keys() & {"type", "$ref", "anyOf"}
    assert field.serialize("x", {"x": None}) is None


@pytest.mark.parametrize("model", [postgres_rows.PostgresRow, postgres_rows.MariaRow])
def test_rows_of_every_type_are_compiled(model: type[Any]) -> None:
    """Compare with marshmallow's dump: a change is answered by it."""
    assert plan(column_types.schema_of(model)(), model) is not None
