"""Measure Andamio beside bare Flask and Django REST framework, in depth, and its start; print the tables.

Their place is docs/performance.md.

    python -m benchmarks.run [--rounds 6] [--seconds 1] [--only requests|depth|start|servers] [--write]

All servers run at once, on one core, and are asked in turn, round after round, so that whatever else the
machine does meets all alike: a ratio is that of one round, and the tables give the middle one of the rounds.
"""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import secrets
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from statistics import quantiles
from urllib.parse import urlsplit

import psycopg

from . import depth
from . import load
from . import serving
from . import start
from .cases import EVENT
from .cases import Case
from .cases import check_equal
from .cases import make_cases
from .servers import AUTOCOMMIT
from .servers import BARE
from .servers import DRF
from .servers import EMPTY
from .servers import OURS
from .servers import ROOT
from .servers import SERVERS
from .servers import STARTPROJECT
from .servers import Server
from .servers import running

SERVER_URL = os.environ.get("BENCH_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
DATABASE = "test_andamio_bench"


@dataclass(frozen=True)
class Sample:
    """One measurement.

    :param cpu: the worker's CPU time for one request, in microseconds
    :param rate: requests answered in a second
    """

    cpu: float
    rate: float


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=1, help="of one measurement")
    parser.add_argument("--only", choices=["requests", "depth", "start", "servers"], help="by default all but servers")
    parser.add_argument("--write", action="store_true", help="put the table of the servers into docs/performance.md")
    options = parser.parse_args()
    if not Path("/proc/self/schedstat").exists():
        raise SystemExit("The benchmarks read CPU times from /proc/<pid>/schedstat: they need Linux.")
    with database() as url:
        environ = make_environ(url)
        print(describe(url), end="\n\n")
        if options.only in (None, "requests"):
            print(measure_requests(url, environ, options.rounds, options.seconds), end="\n\n")
        if options.only in (None, "depth"):
            print(depth.measure(url, environ, options.rounds, options.seconds), end="\n\n")
        if options.only in (None, "start"):
            print(start.measure(environ))
        if options.only == "servers":
            print(tables := serving.measure(environ, options.rounds, options.seconds))
            if options.write:
                serving.write(f"{describe(url)}\n\n{tables}")


# --- what stands ready --------------------------------------------------------------------------


@contextlib.contextmanager
def database() -> Iterator[str]:
    """Make the database, migrated and filled with the demo data; drop it at the end.

    :return: its URL
    """
    url = urlsplit(SERVER_URL)._replace(path=f"/{DATABASE}").geturl()
    with psycopg.connect(SERVER_URL, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
        # Or every create measures the disk.
        connection.execute(f"ALTER DATABASE {DATABASE} SET synchronous_commit = off")
    try:
        # Only in development does the command load data.
        environ = {**make_environ(url), "APP_ENV": "development"}
        prepare = [sys.executable, "-m", "flask", "--app", "run", "prepare"]
        subprocess.run(prepare, cwd=ROOT, env=environ, check=True, stdout=subprocess.DEVNULL)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield url
    finally:
        with psycopg.connect(SERVER_URL, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def make_tokens(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Make a user who may create places, and return the credentials for each server."""
    email = "benchmark@example.org"
    flask = [sys.executable, "-m", "flask", "--app", "run", "accounts"]
    made = [*flask, "create-admin", email, "--site", "http://127.0.0.1"]
    subprocess.run(made, cwd=ROOT, env=dict(environ), check=True, stdout=subprocess.DEVNULL)
    wanted = [*flask, "token", email, "--name", "benchmark", "--scope", "api.city.add"]
    done = subprocess.run(wanted, cwd=ROOT, env=dict(environ), check=True, stdout=subprocess.PIPE, text=True)
    with psycopg.connect(url) as connection:
        (theirs,) = connection.execute("SELECT key FROM authtoken_token").fetchone() or ("",)
    ours, django = f"Bearer {done.stdout.strip()}", f"Token {theirs}"
    return dict.fromkeys([one.name for one in (OURS, BARE, AUTOCOMMIT)], ours) | dict.fromkeys(
        [one.name for one in (DRF, STARTPROJECT)], django
    )


def make_environ(url: str) -> dict[str, str]:
    """Return the environment of the servers."""
    # A start is measured with compiled files, as it is where the application is installed.
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"APP_ENV": "production", "DATABASE_URL": url, "LOG_LEVEL": "WARNING", "RATE_LIMITS": "false"}
    return environ | {"SECRET_KEY": secrets.token_urlsafe(48)}


def describe(url: str) -> str:
    """Say on what is measured."""
    with psycopg.connect(url) as connection:
        version = connection.info.server_version // 10000
    names = ("gunicorn", "granian", "flask", "sqlalchemy", "psycopg", "orjson", "django", "djangorestframework")
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    cores = len(os.sched_getaffinity(0))
    python = f"Python {platform.python_version()}"
    return f"{cores} cores, {python}, PostgreSQL {version}, {packages}; load by {load.name()}."


# --- requests -----------------------------------------------------------------------------------


def measure_requests(url: str, environ: Mapping[str, str], rounds: int, seconds: int) -> str:
    """Run the servers and give the table of what they did."""
    with running(SERVERS, environ) as client_core:
        ids = city_ids(url)
        tokens = make_tokens(url, environ)
        check_equal(ids, tokens)
        forget_created(url, ids[-1])
        cases = make_cases(ids, seconds, tokens)
        samples: dict[tuple[str, str], list[Sample]] = {}
        for number in range(rounds + 1):
            for case in cases:
                for server in turned(SERVERS, number):
                    if server.name in case.requests:
                        # The first round warms up: plans, caches, the allocator.
                        requests = case.requests[server.name]()
                        sample = measure(server, requests, seconds if number else 1, client_core)
                        samples.setdefault((case.name, server.name), []).extend([sample] if number else [])
                forget_created(url, ids[-1])
    return table(cases, samples)


def city_ids(url: str) -> list[int]:
    """Read the ids of all places, in order."""
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM api_city ORDER BY id")]


def forget_created(url: str, last: int) -> None:
    """Delete what the creates of a round have left, so that each finds the same tables."""
    created = {
        "api_city": ("DELETE FROM api_city WHERE id > %s", [last]),
        "events_event": ("DELETE FROM events_event WHERE name = %s", [EVENT]),
        "history_change": ("DELETE FROM history_change", []),
        "core_idempotency_key": ("DELETE FROM core_idempotency_key", []),
        "bare_key": ("DELETE FROM bare_key", []),
    }
    with psycopg.connect(url, autocommit=True) as connection:
        for name, (delete, values) in created.items():
            if connection.execute(delete, values).rowcount:
                connection.execute(f"VACUUM {name}")


def turned(servers: Sequence[Server], number: int) -> Sequence[Server]:
    """Begin each round with another one."""
    place = number % len(servers)
    return [*servers[place:], *servers[:place]]


def measure(server: Server, requests: Sequence[bytes], seconds: float, core: int | None) -> Sample:
    """Send requests to a server and read what they cost its worker.

    :raises SystemExit: if not all were answered as they should be
    """
    before = server.cpu_seconds()
    try:
        done = load.send(server.port, requests, seconds, core)
    except load.Failed as error:
        raise SystemExit(f"{server.name}: {error}") from None
    return Sample((server.cpu_seconds() - before) / done.answers * 1_000_000, done.answers / done.seconds)


# --- the table ----------------------------------------------------------------------------------


def table(cases: Sequence[Case], samples: Mapping[tuple[str, str], Sequence[Sample]]) -> str:
    """Write the table: for each request what it costs each server, and how we compare.

    An application's own work is what is left of a request's CPU without that of gunicorn alone, in the same round.
    """
    lines = [
        "| request | server | CPU of a request | its own work | requests/s "
        "| Andamio does, by CPU | by own work | by requests/s |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    empty = [sample.cpu for sample in samples["nothing", EMPTY.name]]
    for case in cases:
        ours = samples.get((case.name, OURS.name), [])
        servers = [server for server in SERVERS if server.name in case.requests]
        for server in servers:
            theirs = samples[case.name, server.name]
            own = [sample.cpu - share for sample, share in zip(theirs, empty, strict=True)]
            cells = [
                case.name if server is servers[0] else "",
                server.name,
                f"{median(sample.cpu for sample in theirs):,.0f} µs",
                "" if server is EMPTY else f"{median(own):,.0f} µs",
                f"{median(sample.rate for sample in theirs):,.0f}",
                *(compared(ours, theirs, empty) if ours and server is not OURS else ("", "", "")),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def compared(ours: Sequence[Sample], theirs: Sequence[Sample], empty: Sequence[float]) -> tuple[str, str, str]:
    """Write how often Andamio does the same, by CPU, by the application's own share of it, and by what came through."""
    rounds = list(zip(ours, theirs, empty, strict=True))
    return (
        ratio([b.cpu / a.cpu for a, b, _ in rounds]),
        ratio([(b.cpu - share) / (a.cpu - share) for a, b, share in rounds]),
        ratio([a.rate / b.rate for a, b, _ in rounds]),
    )


def ratio(values: Sequence[float]) -> str:
    """Write the middle of some ratios, and between what half of them lay."""
    low, middle, high = quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
