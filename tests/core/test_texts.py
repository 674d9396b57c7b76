"""Texts are compared, found and sorted alike on every engine, in columns of every kind."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.crud.listing import Listing
from services import db
from tests.core import winery
from tests.core.winery import Base
from tests.core.winery import Grape
from tests.core.winery import Sort
from tests.core.winery import Wine

LETTERS = ("Madrid", "madrid", "MADRAS", "Madrid ", "Éclair", "éclair", "eclair", "a_b", "a*b", "a[b", "Zug", "ähre")
TEXTS = (*LETTERS, None)


@pytest.fixture
def app(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Flask:
    app = make_app(database_of(engine_name, Base.metadata), [winery.__name__])
    with app.app_context():
        db.session.add_all(Wine(name=text, label=text) for text in TEXTS)
        db.session.commit()
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def found(client: FlaskClient, **asked: str) -> list[Any]:
    answer = client.get("/winery/data/wines", query_string={"sort": "id", "limit": 100, **asked})
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json["items"]]


@pytest.mark.parametrize("column", ["name", "label"])
@pytest.mark.parametrize(
    ("operator", "text", "expected"),
    [
        ("eq", "madrid", ["madrid"]),
        ("eq", "Éclair", ["Éclair"]),
        ("eq", "zug", []),
        ("in", "madrid,ECLAIR,eclair", ["madrid", "eclair"]),
        ("startswith", "madr", ["madrid"]),
        ("startswith", "Madr", ["Madrid", "Madrid "]),
        ("startswith", "é", ["éclair"]),
        ("startswith", "a_", ["a_b"]),
        ("startswith", "a*", ["a*b"]),
        ("startswith", "a[", ["a[b"]),
        ("lt", "Madrid", ["MADRAS"]),
        ("lte", "Madrid", ["Madrid", "MADRAS"]),
        ("gt", "eclair", ["madrid", "Éclair", "éclair", "ähre"]),
        ("gte", "Éclair", ["Éclair", "éclair", "ähre"]),
        ("isnull", "true", [None]),
    ],
)
def test_filter_compares_by_code_point(
    client: FlaskClient, column: str, operator: str, text: str, expected: list[Any]
) -> None:
    assert found(client, **{f"{column}__{operator}" if operator != "eq" else column: text}) == expected


@pytest.mark.parametrize("column", ["name", "label"])
def test_unequal_leaves_other_spellings(client: FlaskClient, column: str) -> None:
    rest = [text for text in TEXTS if text not in ("madrid", None)]
    assert found(client, **{f"{column}__ne": "madrid"}) == rest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("madr", ["Madrid", "madrid", "MADRAS", "Madrid "]),
        ("ÉCL", ["Éclair", "éclair"]),
        ("Ähre", ["ähre"]),
        ("ecl", ["eclair"]),
        ("A_B", ["a_b"]),
    ],
)
def test_search_ignores_case_alone(client: FlaskClient, text: str, expected: list[str]) -> None:
    assert found(client, q=text) == expected


@pytest.mark.parametrize("column", ["name", "label"])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_goes_by_code_point(client: FlaskClient, column: str, descending: bool) -> None:
    texts = sorted(LETTERS, reverse=descending)
    assert found(client, sort=f"{'-' * descending}{column}") == [*texts, None]


@pytest.mark.parametrize("column", ["name", "label"])
def test_cursor_passes_other_spellings(client: FlaskClient, column: str) -> None:
    seen: list[Any] = []
    url: str | None = f"/winery/data/wines?sort={column}&limit=2"
    while url:
        answer = client.get(url)
        seen += [item["name"] for item in answer.json["items"]]
        url = answer.json["links"].get("next")
    assert seen == [*sorted(LETTERS), None]


def test_choice_compares_by_its_name(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        db.session.execute(sa.delete(Wine))
        db.session.add_all(Wine(name=sort.name, sort=sort) for sort in Sort)
        db.session.commit()
    assert found(client, sort="sort") == ["RED", "WHITE", "rose"]
    assert found(client, sort__gt="RED") == ["WHITE", "rose"]
    assert found(client, sort__lt="WHITE") == ["RED"]


def test_key_names_one_spelling(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        db.session.add(Grape(code="Merlot"))
        db.session.commit()
    assert client.get("/winery/data/grapes/Merlot").status_code == 200
    assert client.get("/winery/data/grapes/merlot").status_code == 404
    assert client.delete("/winery/data/grapes/merlot").status_code == 404


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ({"name": "madrid"}, "ix_winery_wine_name"),
        ({"name__startswith": "Madr", "sort": "name"}, "ix_winery_wine_name"),
        ({"name__gte": "x", "sort": "name"}, "ix_winery_wine_name"),
        ({"label": "madrid"}, "ix_winery_wine_label"),
    ],
)
def test_condition_is_served_by_an_index(app: Flask, question: dict[str, str], index: str) -> None:
    with app.app_context():
        db.session.add_all(Wine(name=f"wine {number:04}", label=f"wine {number:04}") for number in range(2000))
        db.session.commit()
        analyze = {"postgresql": "ANALYZE winery_wine", "mysql": "ANALYZE TABLE winery_wine", "sqlite": "ANALYZE"}
        db.session.execute(sa.text(analyze[db.engine.dialect.name]))
        db.session.commit()
        plan = explain(question)
    assert index in plan, plan


def explain(question: dict[str, str]) -> str:
    query = winery.wines.listing.parse(question)
    compiled = winery.wines.statement(query).with_only_columns(Wine.id).compile(db.engine)
    values = {**compiled.params, **winery.wines.listing.values(query)}
    given = tuple(values[name] for name in compiled.positiontup or ()) if compiled.positional else values
    word = "EXPLAIN QUERY PLAN" if db.engine.dialect.name == "sqlite" else "EXPLAIN"
    with db.engine.connect() as connection:
        return str(connection.exec_driver_sql(f"{word} {compiled}", given).all())


@pytest.mark.parametrize(
    "declared", [{"search": ("id",)}, {"search": ("sort",)}, {"filters": {"id": ("eq", "startswith")}}]
)
def test_text_operator_needs_a_text(declared: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="which is no text"):
        Listing(Wine, **declared)
