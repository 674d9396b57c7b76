"""Load the countries and cities that come with the module."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from core.crud import transaction
from services import db

from .models import City
from .models import Country
from .places import fold

DATA = Path(__file__).parent / "data"

#: Rows that one statement inserts.
CHUNK = 1000

#: Called with the number of rows that are done, and of all.
Report = Callable[[int, int], object]


def load(report: Report = lambda done, total: None) -> int:
    """Add the rows that are not there yet, all or none, and commit.

    Existing rows stay as they are, so that no change is lost.

    :return: how many were added
    """
    with transaction():
        countries = _missing(Country.code, _read("countries"))
        cities = _missing(City.id, _read("cities"))
        total = len(countries) + len(cities)
        _insert(Country, countries, lambda done: report(done, total))
        _insert(City, list(map(_complete, cities)), lambda done: report(len(countries) + done, total))
        if cities:
            _move_sequence()
    return total


def _read(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz") as lines:
        return [orjson.loads(line) for line in lines]


def _missing(key: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = set(db.session.scalars(sa.select(key)))
    return [row for row in rows if row[key.key] not in known]


def _complete(city: dict[str, Any]) -> dict[str, Any]:
    return {**city, "search_name": fold(city["name"]), "version": 1}


def _insert(model: type[Any], rows: list[dict[str, Any]], report: Callable[[int], object]) -> None:
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        db.session.connection().execute(sa.insert(model.__table__), chunk)
        report(start + len(chunk))


def _move_sequence() -> None:
    """Let new cities be numbered after the loaded ones; only PostgreSQL does not see to it itself."""
    if db.session.connection().dialect.name == "postgresql":
        sequence = sa.func.pg_get_serial_sequence(City.__tablename__, City.id.key)
        db.session.execute(sa.select(sa.func.setval(sequence, sa.func.max(City.id))))
