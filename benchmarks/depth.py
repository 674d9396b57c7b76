"""Costs of a page at the beginning, in the middle and at the end of a million places, by cursor."""

import base64
import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import psycopg

from . import load
from .cases import CITIES
from .servers import OURS
from .servers import cpu_seconds
from .servers import running

ROWS = 1_000_000
LIMIT = 50
PARTS = ("worker", "database", "cpu", "wall")

#: Copies of what is there, apart in number, place and people; names stay as they are spelt.
FILL = """
    INSERT INTO api_city
        (name, search_name, country_code, admin1_code, latitude, longitude, population, timezone, version)
    SELECT name || ' ' || n, search_name || ' ' || n, country_code, admin1_code,
           latitude, longitude, (population * random())::int, timezone, 1
    FROM api_city, generate_series(1, %s) AS n
    LIMIT %s
"""

#: The row after so many others.
PLACE = "SELECT population, id FROM api_city ORDER BY population DESC, id DESC OFFSET %s LIMIT 1"


@dataclass(frozen=True)
class Sample:
    """One measurement, per request, in microseconds.

    :param database: CPU time of PostgreSQL's processes for this database
    """

    worker: float
    database: float
    wall: float

    @property
    def cpu(self) -> float:
        """Return what the request costs as a whole."""
        return self.worker + self.database


def measure(url: str, environ: Mapping[str, str], rounds: int, seconds: float) -> str:
    """Fill the table and give the table of what its pages cost."""
    fill(url)
    samples: dict[str, list[Sample]] = {}
    with running([OURS], environ) as client_core:
        pages = make_pages(url)
        for number in range(rounds + 1):
            for name in turned(list(pages), number):
                request = load.make_request("GET", pages[name])
                sample = measure_page(url, request, seconds if number else 1, client_core)
                samples.setdefault(name, []).extend([sample] if number else [])
    return table({name: samples[name] for name in pages})


def fill(url: str) -> None:
    """Bring the table to a million rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        (have,) = connection.execute("SELECT count(*) FROM api_city").fetchone() or (0,)
        connection.execute(FILL, [ROWS // have + 1, ROWS - have])
        connection.execute("VACUUM ANALYZE api_city")


def make_pages(url: str) -> dict[str, str]:
    """Return the URL of each page, all of them as long as the others."""
    first = f"{CITIES}?limit={LIMIT}"
    link = json.loads(OURS.ask("GET", first)[2])["links"]["next"]
    with psycopg.connect(url) as connection:
        places = {
            "in the middle": connection.execute(PLACE, [ROWS // 2 - 1]).fetchone(),
            "the last one": connection.execute(PLACE, [ROWS - LIMIT - 1]).fetchone(),
        }
    pages = {"the first one": first, "the second one": link} | {
        name: move(link, place or ()) for name, place in places.items()
    }
    for name, page in pages.items():
        body = json.loads(OURS.ask("GET", page)[2])
        found = len(body["items"]), "prev" in body["links"], "next" in body["links"]
        if found != (LIMIT, name != "the first one", name != "the last one"):
            raise SystemExit(f"{page} is not {name}")
    return pages


def move(link: str, place: Sequence[int]) -> str:
    """Let the cursor of a link stand at another row, to save walking to the last page."""
    base, _, cursor = link.partition("cursor=")
    *order, _, _ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    moved = base64.urlsafe_b64encode(json.dumps([*order, *place], separators=(",", ":")).encode())
    return f"{base}cursor={moved.rstrip(b'=').decode()}"


def turned(names: Sequence[str], number: int) -> Sequence[str]:
    """Begin each round with another one."""
    place = number % len(names)
    return [*names[place:], *names[:place]]


def measure_page(url: str, request: bytes, seconds: float, core: int | None) -> Sample:
    """Ask for one page over and over, and read what it costs the worker and the database."""
    backends = find_backends(url)
    before = OURS.cpu_seconds(), sum(map(cpu_seconds, backends))
    try:
        done = load.send(OURS.port, [request], seconds, core)
    except load.Failed as error:
        raise SystemExit(f"{OURS.name}: {error}") from None
    after = OURS.cpu_seconds(), sum(map(cpu_seconds, backends))
    worker, database = ((b - a) / done.answers * 1_000_000 for a, b in zip(before, after, strict=True))
    return Sample(worker, database, done.seconds / done.answers * 1_000_000)


def find_backends(url: str) -> list[int]:
    """Return PostgreSQL's processes that serve the application: it must run on this machine."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return [row[0] for row in rows]


def table(samples: Mapping[str, Sequence[Sample]]) -> str:
    """Write the table."""
    lines = [
        f"| page of {ROWS:,} places | CPU of the worker | of PostgreSQL | together | wall time "
        "| CPU, first = 1 | wall time, first = 1 |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    first = next(iter(samples.values()))
    for name, these in samples.items():
        rounds = list(zip(first, these, strict=True))
        cells = [
            name,
            *(f"{median(getattr(one, part) for one in these):,.0f} µs" for part in PARTS),
            f"{median(b.cpu / a.cpu for a, b in rounds):.2f}",
            f"{median(b.wall / a.wall for a, b in rounds):.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
