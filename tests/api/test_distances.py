"""Nearby cities: compared with a scan of all of them, at the poles and beyond the antimeridian too."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app.api import distances
from app.api.models import City
from services import db

#: (latitude, longitude)
PLACES = [
    (40.4, -3.7),
    (0.0, 0.0),
    (90.0, 0.0),
    (-90.0, 77.0),
    (89.99, -120.0),
    (-17.0, 180.0),
    (-17.0, -180.0),
    (65.0, 179.999),
    (52.0, -179.5),
    (-45.0, 0.0),
]


@pytest.fixture
def call(client: FlaskClient) -> Callable[..., Any]:
    """Call a method and give its response object."""

    def ask(method: str, **params: Any) -> Any:
        return client.post("/rpc", json={"jsonrpc": "2.0", "method": f"api.{method}", "params": params, "id": 1}).json

    return ask


def insert(app: Flask, places: list[tuple[float, float]]) -> list[tuple[int, float, float]]:
    shared = {"country_code": "ES", "population": 1, "timezone": "Etc/UTC", "version": 1}
    rows = [
        {"id": key, "name": f"City {key}", "search_name": f"city {key}", "latitude": north, "longitude": east, **shared}
        for key, (north, east) in enumerate(places, 1)
    ]
    with app.app_context():
        db.session.execute(sa.insert(City), rows)
        db.session.commit()
    return [(row["id"], row["latitude"], row["longitude"]) for row in rows]


@pytest.fixture
def cities(app: Flask, make_city: Callable[..., int]) -> list[tuple[int, float, float]]:
    """Return (id, latitude, longitude) of cities all over the globe, some where the degrees end."""
    chance = random.Random(5)
    edges = [(90.0, 0.0), (-90.0, 0.0), (-17.0, 180.0), (-17.1, -180.0), (-16.9, 179.9), (65.0, -179.9), (52.0, 179.9)]
    places = edges + [(chance.uniform(-90, 90), chance.uniform(-180, 180)) for _ in range(200)]
    return insert(app, places)


@pytest.mark.parametrize("many", [distances.MANY, 20, 1])
def test_nearest_match_full_scan(
    cities: Any, call: Callable[..., Any], many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if there were so many cities that not all of a box are read at once.
    monkeypatch.setattr(distances, "MANY", many)
    for latitude, longitude in PLACES:
        by_distance = sorted((distances.distance_km(latitude, longitude, *place), key) for key, *place in cities)
        found = call("nearest_cities", latitude=latitude, longitude=longitude, limit=15)["result"]
        assert [one["id"] for one in found] == [key for _, key in by_distance[:15]], (latitude, longitude)
        assert [one["distance_km"] for one in found] == [round(km, 3) for km, _ in by_distance[:15]]


@pytest.mark.parametrize("place", [(-90.0, 0.0), (-75.0, 10.0), (0.0, -150.0), (12.0, 100.0)])
def test_search_reads_bounded_rows(
    app: Flask, make_city: Callable[..., int], monkeypatch: pytest.MonkeyPatch, place: tuple[float, float]
) -> None:
    chance = random.Random(7)
    crowded = [(chance.uniform(-56, 70), chance.uniform(-130, 179)) for _ in range(6000)] + [(15.0, 120.0)] * 1000
    cities = insert(app, crowded)
    exact = distances.distance_km
    by_distance = sorted((exact(*place, *city), key) for key, *city in cities)
    read = []
    monkeypatch.setattr(distances, "distance_km", lambda *places: read.append(places) or exact(*places))
    with app.app_context():
        found = distances.nearest(*place, 100)
    assert [one.city.id for one in found] == [key for _, key in by_distance[:100]]
    assert len(read) <= 750


def test_crowd_beside_the_circle_is_passed(
    app: Flask, make_city: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distances, "MANY", 5)
    # In the corner of every box that holds it.
    places = [(3.0, 3.0)] * 100 + [(0.0, 1.0), (0.0, -1.0), (4.2, 0.0)]
    insert(app, places)
    with app.app_context():
        assert [one.city.id for one in distances.nearest(0.0, 0.0, 4)] == [101, 102, 103, 1]


def test_fewer_cities_all_found(cities: Any, app: Flask) -> None:
    with app.app_context():
        assert len(distances.nearest(12.0, 34.0, 1000)) == len(cities)


def test_empty_region_finds_nothing(call: Callable[..., Any]) -> None:
    assert call("nearest_cities", latitude=0, longitude=0)["result"] == []


@pytest.mark.parametrize(
    ("here", "there", "km"),
    [
        ((40.4168, -3.7038), (41.3874, 2.1686), 505.1),  # Madrid, Barcelona
        ((51.5074, -0.1278), (40.7128, -74.0060), 5570.2),  # London, New York
        ((0, 179.5), (0, -179.5), 111.2),
        ((90, 0), (-90, 120), 20015.1),
        ((10, 20), (10, 20), 0),
    ],
)
def test_distance_is_along_the_surface(here: tuple[float, float], there: tuple[float, float], km: float) -> None:
    assert distances.distance_km(*here, *there) == pytest.approx(km, abs=0.1)


def test_search_reads_an_index(sqlite_app: Flask) -> None:
    # On SQLite, which does not look at how many rows there are.
    with sqlite_app.app_context():
        select = sa.select(City.id).where(distances.covering(40.4, -3.7, 50.0))
        text = select.compile(db.engine, compile_kwargs={"literal_binds": True})
        plan = " ".join(row[-1] for row in db.session.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")))
    assert "ix_api_city_latitude_longitude (latitude>? AND latitude<?)" in plan


def test_city_is_found_by_its_id(call: Callable[..., Any], make_city: Callable[..., int]) -> None:
    key = make_city(name="Macondo", population=20_000)
    assert call("city", id=key)["result"] == {
        "id": key,
        "name": "Macondo",
        "country_code": "ES",
        "latitude": 40.4165,
        "longitude": -3.70256,
        "population": 20_000,
        "timezone": "Europe/Madrid",
    }
    assert call("city", id=key + 1)["error"]["code"] == -32001


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("city", {"id": 0}, "id"),
        ("city", {"id": 2**31}, "id"),
        ("city", {"id": "1"}, "id"),
        ("nearest_cities", {"latitude": 90.1, "longitude": 0}, "latitude"),
        ("nearest_cities", {"latitude": 0, "longitude": -180.1}, "longitude"),
        ("nearest_cities", {"latitude": "0", "longitude": 0}, "latitude"),
        ("nearest_cities", {"latitude": 0, "longitude": 0, "limit": 0}, "limit"),
        ("nearest_cities", {"latitude": 0, "longitude": 0, "limit": 101}, "limit"),
    ],
)
def test_what_is_nowhere_is_refused(call: Callable[..., Any], method: str, params: dict[str, Any], field: str) -> None:
    error = call(method, **params)["error"]
    assert (error["code"], [one["field"] for one in error["data"]["errors"]]) == (-32602, [field])
