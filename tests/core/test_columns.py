"""Every type of column that all engines have, there and back."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import URL

from core.crud import Crud
from core.fields import Text
from core.fields.columns import field_class
from core.fields.schemas import ModelSchema
from core.rest.dump import plan
from tests.core import column_types
from tests.core import columns

Open = Callable[[str], FlaskClient]
BASES = dict.fromkeys(("sqlite", "postgresql", "mariadb"), (column_types.Common,))
MODULES = [column_types.__name__]
VERBS: dict[str, type[Crud]] = {"common_rows": column_types.CommonRows}


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


COMMON: list[tuple[str, Any]] = [
    ("name", "é漢😀"),
    ("text", "x" * 1000),
    ("mint", "ab"),
    ("metal", "lead"),
    ("alloy", "GOLD"),
    ("uid", "0f7c3d38-9a4b-4c6d-8e1f-000000000001"),
    ("image", "AAEC/w=="),
    ("image", ""),
    ("clock", "12:30:59"),
    ("local", "2026-01-31T12:00:00"),
    ("span", "P1DT2H"),
    ("span", "-P99999DT23H59M59S"),
    ("span", "P99999D"),
    ("span", "PT0S"),
    ("weight", 1.5),
    ("single", 0.25),
    ("whole", "9999"),
    ("data", {"a": [1, None, "x"]}),
]
CASES = [
    *((engine, "common_rows", name, value) for engine in BASES for name, value in COMMON),
    ("postgresql", "common_rows", "since", "2026-01-31T12:00:00+00:00"),
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
    ("common_rows", "mint", ["aa", "ab", "zz"]),
    ("common_rows", "clock", ["00:00:00", "12:00:00", "23:59:59"]),
    ("common_rows", "span", ["-P1D", "PT0S", "PT1S", "P2D"]),
    ("common_rows", "uid", [f"0f7c3d38-9a4b-4c6d-8e1f-00000000000{n}" for n in range(3)]),
    ("common_rows", "since", [f"2026-01-31T12:00:0{n}+00:00" for n in range(3)]),
    ("common_rows", "whole", ["-1", "2", "10"]),
]
ORDERS = [(engine, *case) for case in SORTED for engine in BASES]


@pytest.mark.parametrize(("engine", "collection", "name", "values"), ORDERS)
def test_cursor_moves_through_values(
    make_client: Open, engine: str, collection: str, name: str, values: list[Any]
) -> None:
    columns.assert_in_order(make_client(engine), collection, name, values)


REFUSED: list[tuple[str, str, list[Any]]] = [
    ("common_rows", "name", ["x" * 21, "\0", 1]),
    ("common_rows", "mint", ["a", "abc", "a ", ""]),
    ("common_rows", "metal", ["Gold", 1, ["gold"], ""]),
    ("common_rows", "alloy", ["Au", "gold", "__class__", 0]),
    ("common_rows", "uid", ["0f7c3d389a4b4c6d8e1f000000000001", "{0f7c3d38-9a4b-4c6d-8e1f-000000000001}", 1, ""]),
    ("common_rows", "image", ["AAECAwQ=", "AAEC/w", "AAEC_w==", "AB==", "A===", "AA==\n", " AA==", 1, [0]]),
    (
        "common_rows",
        "clock",
        ["24:00:00", "12:30:60", "12", "12:30:00Z", "12:30:00.1234567", "T12:30", "１2:30", 45000],
    ),
    (
        "common_rows",
        "since",
        ["2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-02-30T12:00:00Z", "2026-W05-6T12:00:00Z"],
    ),
    ("common_rows", "since", ["2026-01-31T12:00:00.1234567Z", "0999-12-31T00:00:00Z", "1000-01-01T00:00:00+01:00"]),
    ("common_rows", "since", ["9999-12-31T23:59:59-01:00", "2026-01-31T12:00:00+24:00", 1769860800]),
    ("common_rows", "local", ["2026-01-31T12:00:00Z", "2026-01-31", "2025-02-29T00:00:00", "0999-01-01T00:00:00"]),
    (
        "common_rows",
        "span",
        ["P", "PT", "P1Y", "P1M", "1 day", "P1H", "PT1D", "P1DT", "P1.5D", "PT1.1234567S", "P100000D", "P1W1D"],
    ),
    ("common_rows", "span", [3600, "-P", "+P1D", "p1d", "P１D", "PT9999999H", "P1D\n"]),
    ("common_rows", "single", [3.5e38, -3.5e38, "1", True]),
    ("common_rows", "whole", ["10000", "1.5", 1, 1.0, "1e3", "", "NaN", "１", " 1"]),
    ("common_rows", "double", [1, None]),
]
ONE_OF_EACH = [("postgresql", *case) for case in REFUSED]


@pytest.mark.parametrize(
    ("engine", "collection", "name", "values"), ONE_OF_EACH, ids=[f"{n}-{str(v)[:20]}" for _, _, n, v in ONE_OF_EACH]
)
def test_what_does_not_fit_is_refused(
    make_client: Open, engine: str, collection: str, name: str, values: list[Any]
) -> None:
    columns.assert_refused(make_client(engine), collection, name, values)


@pytest.mark.parametrize("engine", BASES)
def test_moment_shown_with_zone(make_client: Open, engine: str) -> None:
    client = make_client(engine)
    created = client.post("/column_types/common_rows", json={"since": "2026-01-31T13:00:00+01:00"})
    shown = client.get(created.headers["Location"]).json["since"]
    assert shown == created.json["since"] == "2026-01-31T12:00:00+00:00"


def test_computed_column_is_only_shown(make_client: Open) -> None:
    client = make_client("sqlite")
    assert client.post("/column_types/common_rows", json={"name": "abc"}).json["double"] == 3


IN_FORMS = [case for case in CASES if case[2] not in ("image", "raw", "few", "fixed")]


@pytest.mark.parametrize(
    ("engine", "collection", "name", "value"), IN_FORMS, ids=[f"{e}-{n}-{str(v)[:20]}" for e, _, n, v in IN_FORMS]
)
def test_form_value_round_trips(make_client: Open, engine: str, collection: str, name: str, value: Any) -> None:
    columns.assert_in_form(make_client(engine), collection, VERBS[collection].model, name, value)


def test_refused_column_excluded_or_declared() -> None:
    class Own(orm.DeclarativeBase):
        pass

    class Odd(Own):
        __tablename__ = "column_types_odd"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        thing: orm.Mapped[Any] = orm.mapped_column(sa.PickleType)

    with pytest.raises(TypeError, match="could run any code"):
        column_types.schema_of(Odd)

    class Without(ModelSchema):
        class Meta:
            model = Odd
            exclude = ("thing",)

    class Declared(ModelSchema):
        thing = Text()

        class Meta:
            model = Odd

    assert (list(Without().fields), list(Declared().fields)) == (["id"], ["thing", "id"])


@pytest.mark.parametrize("type_", [pg.INET, pg.INT4RANGE, pg.HSTORE], ids=lambda type_: type_.__name__)
def test_type_without_field_names_hint(type_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.fields.columns._ADDED", [])
    with pytest.raises(TypeError, match=r"no field, .* Exclude it, or declare a field"):
        field_class(sa.Column("x", type_()))


def test_rows_of_every_type_are_compiled() -> None:
    """Compare with marshmallow's dump: a change is answered by it."""
    assert plan(column_types.schema_of(column_types.CommonRow)(), column_types.CommonRow) is not None
