from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from app.api.places import cities
from app.api.places import fold
from core.crud.listing import Cursor
from services import db


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("São Paulo", "sao paulo"),
        ("İstanbul", "istanbul"),
        ("Tromsø", "tromso"),
        ("Đà Nẵng", "da nang"),
        ("Łódź", "lodz"),
        ("Weißenfels", "weissenfels"),
        ("‘Ajmān", "'ajman"),
        ("Αθήνα", "αθηνα"),
        ("東京", "東京"),
        ("\u0301", "\u0301"),
        ("", ""),
    ],
)
def test_fold(name, folded):
    assert fold(name) == folded


def test_fold_of_a_fold_is_itself():
    folded = fold("Þórshöfn–Åré Ǻ ŉ")
    assert fold(folded) == folded


@pytest.mark.parametrize("place", [None, (50_000, 7)])
@pytest.mark.parametrize("sort", ["-population", "population", "name", "-name"])
@pytest.mark.parametrize("filters", [{}, {"country_code": "ES"}])
def test_page_is_read_off_an_index(sqlite_app: Flask, sort, filters, place):
    query = cities.listing.parse({"sort": sort, **filters})
    if place is not None:
        query = replace(query, cursor=Cursor(place if "population" in sort else ("Madrid", 7)))
    with sqlite_app.app_context():
        select = cities.statement(query)
        sql = select.params(cities.listing.values(query)).compile(db.engine, compile_kwargs={"literal_binds": True})
        plan = [row.detail for row in db.session.execute(sa.text(f"EXPLAIN QUERY PLAN {sql}"))]
    # One step, so nothing is sorted; with a place, it is where the reading begins.
    assert len(plan) == 1
    assert "USING INDEX ix_api_city_" in plan[0]
    column = sort.removeprefix("-")
    assert place is None or f"{column}>?" in plan[0] or f"{column}<?" in plan[0]
