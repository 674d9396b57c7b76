from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL

from app.api import demo
from app.api import loading
from app.api.models import City
from app.api.models import Country
from app.api.places import cities
from services import db

DATA = Path(loading.__file__).parent / "data"


@pytest.mark.parametrize("engine_name", ["sqlite", "postgresql"])
def test_load(make_app: Callable[..., Flask], platform: Callable[[str], URL], engine_name, city_data):
    app = make_app(platform(engine_name))
    steps: list[tuple[int, int]] = []
    with app.app_context():
        added = loading.load(lambda done, total: steps.append((done, total)))
        assert added == 250 + 34_006
        assert steps[-1] == (added, added)
        assert loading.load() == 0
        madrid = db.session.get_one(City, 3117735)
        assert (madrid.name, madrid.country_code, madrid.search_name) == ("Madrid", "ES", "madrid")
        # Behind those of GeoNames, on every engine.
        assert cities.create(city_data).id > 13_000_000


def test_load_adds_only_what_is_missing(sqlite_app: Flask):
    with sqlite_app.app_context():
        loading.load()
        db.session.execute(sa.delete(City).where(City.id == 3117735))
        db.session.execute(sa.update(Country).where(Country.code == "ES").values(name="España"))
        db.session.commit()
        assert loading.load() == 1
        assert db.session.get_one(Country, "ES").name == "España"


def test_demo_leaves_data_alone(sqlite_app: Flask, make_sqlite_city):
    make_sqlite_city()
    with sqlite_app.app_context():
        assert demo.load() == 0
        assert db.session.scalar(sa.select(sa.func.count(City.id))) == 1


def test_data_file_small_without_date():
    files = list(DATA.glob("*.gz"))
    assert len(files) == 2
    assert sum(file.stat().st_size for file in files) < 2_000_000
    # Bytes 4 to 8 of a gzip file are its time (RFC 1952, section 2.3).
    assert {file.read_bytes()[4:8] for file in files} == {bytes(4)}


def test_readme_names_source_and_licence():
    text = (DATA / "README.md").read_text()
    for word in ("geonames.org", "creativecommons.org/licenses/by/4.0", "34,006", "250"):
        assert word in text
