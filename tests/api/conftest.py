from collections.abc import Callable
from typing import Any

import factory
import pytest
from factory.alchemy import SQLAlchemyModelFactory
from flask import Flask
from flask.testing import FlaskClient

from app.api.models import City
from app.api.models import Country
from app.api.places import fold
from core.access import Identity
from services import db
from tests.identities import editor


class CountryFactory(SQLAlchemyModelFactory):
    class Meta:
        model = Country
        sqlalchemy_session = db.session
        sqlalchemy_session_persistence = "commit"

    code = "ES"
    iso3 = factory.LazyAttribute(lambda country: f"{country.code}X")
    name = factory.LazyAttribute(lambda country: f"Land of {country.code}")
    continent = "EU"
    population = 47_000_000
    area_km2 = 500_000


class CityFactory(SQLAlchemyModelFactory):
    class Meta:
        model = City
        sqlalchemy_session = db.session
        sqlalchemy_session_persistence = "commit"

    name = factory.Sequence(lambda number: f"City {number:03}")
    search_name = factory.LazyAttribute(lambda city: fold(city.name))
    country_code = "ES"
    latitude = 40.4165
    longitude = -3.70256
    population = factory.Sequence(lambda number: 20_000 + number)
    timezone = "Europe/Madrid"


#: Makes rows: give the values that matter to the test.
Maker = Callable[..., Any]


def city_maker(app: Flask) -> Maker:
    with app.app_context():
        CountryFactory()

    def make(**values: Any) -> int:
        with app.app_context():
            city: City = CityFactory(**values)
            return city.id

    return make


@pytest.fixture
def make_city(app: Flask) -> Maker:
    """Make cities of Spain, which is there, in the database of ``client``; each call gives an id."""
    return city_maker(app)


@pytest.fixture
def make_country(app: Flask) -> Maker:
    """Make countries in the database of ``client``; each call gives a code."""

    def make(**values: Any) -> str:
        with app.app_context():
            country: Country = CountryFactory(**values)
            return country.code

    return make


@pytest.fixture
def list_names(client: FlaskClient) -> Callable[[str], list[str]]:
    """Return the names in the list of cities for a query string."""

    def ask(query: str) -> list[str]:
        answer = client.get(f"/api/v1/cities?{query}")
        assert answer.status_code == 200, answer.text
        return [item["name"] for item in answer.json["items"]]

    return ask


@pytest.fixture
def city_data() -> dict[str, Any]:
    """Return the body of a city that may be created."""
    return {
        "name": "Macondo",
        "country_code": "ES",
        "latitude": 10.59,
        "longitude": -74.19,
        "timezone": "America/Bogota",
    }


@pytest.fixture
def make_sqlite_city(sqlite_app: Flask) -> Maker:
    """Make cities as ``make_city`` does, in the database of ``site``."""
    return city_maker(sqlite_app)


@pytest.fixture
def sender() -> Callable[[], Identity]:
    """Let an identity send the requests that may do everything."""
    return editor
