"""Measure Andamio beside bare Flask and Django REST framework, and its start; print the tables of README.md.

    python -m benchmarks.run [--rounds 12] [--seconds 1] [--only requests|start]

All servers run at once, on one core, and are asked in turn, round after round, so that whatever else the
machine does meets all alike: a ratio is that of one round, and the tables give the middle one of the rounds.
"""

import argparse
import contextlib
import http.client
import importlib.metadata
import json
import os
import platform
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from statistics import median
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import psycopg

from . import load
from . import start

ROOT = Path(__file__).resolve().parent.parent
SERVER_URL = os.environ.get("BENCH_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
DATABASE = "test_andamio_bench"

#: Requests of one kind; they are sent in turn, so that no answer is that of a cache.
SAMPLES = 200


@dataclass
class Server:
    """An application under gunicorn.

    :param target: as gunicorn names it
    """

    name: str
    target: str
    environ: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, environ: Mapping[str, str], core: int | None) -> None:
        """Start it on a free port with one worker, and wait until it answers."""
        self.port = free_port()
        options = ["--workers", "1", "--worker-class", "sync", "--no-control-socket", "--log-level", "warning"]
        command = [sys.executable, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{self.port}", self.target]
        self.process = subprocess.Popen(command, cwd=ROOT, env={**environ, **self.environ})
        if core is not None:
            os.sched_setaffinity(self.process.pid, {core})
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.ask("GET", "/api/v1/cities?limit=50")
                return
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not start: see above")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def ask(self, method: str, url: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """Send one request.

        :return: (status, headers, body)
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, url, body or None, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    def cpu_seconds(self) -> float:
        """Read how long the worker has computed so far, for itself and in the kernel."""
        assert self.process is not None  # noqa: S101
        pid = self.process.pid
        worker = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        # In nanoseconds, thread by thread; /proc/<pid>/stat counts in hundredths of a second.
        threads = Path(f"/proc/{worker}/task").glob("*/schedstat")
        return sum(int(file.read_text().split()[0]) for file in threads) / 1e9


OURS = Server("Andamio", "run:app")
BARE = Server("bare Flask", "benchmarks.bare:app")
AUTOCOMMIT = Server("bare Flask, autocommit", "benchmarks.bare:app", {"AUTOCOMMIT": "1"})
DRF = Server("Django REST framework", "benchmarks.drf:app")
SERVERS = (OURS, BARE, AUTOCOMMIT, DRF)


@dataclass(frozen=True)
class Case:
    """One kind of request.

    :param requests: what each server is asked, by its name
    """

    name: str
    requests: Mapping[str, Sequence[bytes]]


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
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=1, help="of one measurement")
    parser.add_argument("--only", choices=["requests", "start"], help="by default both")
    options = parser.parse_args()
    if not Path("/proc/self/schedstat").exists():
        raise SystemExit("The benchmarks read CPU times from /proc/<pid>/schedstat: they need Linux.")
    with database() as url:
        environ = make_environ(url)
        print(describe(url), end="\n\n")
        if options.only != "start":
            print(measure_requests(url, environ, options.rounds, options.seconds), end="\n\n")
        if options.only != "requests":
            print(start.measure(environ))


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


def make_environ(url: str) -> dict[str, str]:
    """Return the environment of the servers."""
    # A start is measured with compiled files, as it is where the application is installed.
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"APP_ENV": "production", "DATABASE_URL": url, "LOG_LEVEL": "WARNING"}
    return environ | {"SECRET_KEY": secrets.token_urlsafe(48)}


def describe(url: str) -> str:
    """Say on what is measured."""
    with psycopg.connect(url) as connection:
        version = connection.info.server_version // 10000
    names = ("gunicorn", "flask", "sqlalchemy", "psycopg", "orjson", "django", "djangorestframework")
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    cores = len(os.sched_getaffinity(0))
    python = f"Python {platform.python_version()}"
    return f"{cores} cores, {python}, PostgreSQL {version}, {packages}; load by {load.name()}."


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- requests -----------------------------------------------------------------------------------


def measure_requests(url: str, environ: Mapping[str, str], rounds: int, seconds: int) -> str:
    """Run the servers and give the table of what they did."""
    cores = sorted(os.sched_getaffinity(0))
    server_core, client_core = (cores[-1], cores[0]) if len(cores) > 1 else (None, None)
    try:
        for server in SERVERS:
            server.start(environ, server_core)
        ids = city_ids(url)
        check_equal(ids)
        cases = make_cases(ids)
        samples: dict[tuple[str, str], list[Sample]] = {}
        for number in range(rounds + 1):
            for case in cases:
                for server in turned(SERVERS, number):
                    if server.name in case.requests:
                        # The first round warms up: plans, caches, the allocator.
                        sample = measure(server, case.requests[server.name], seconds if number else 1, client_core)
                        samples.setdefault((case.name, server.name), []).extend([sample] if number else [])
                forget_created(url, ids[-1])
    finally:
        for server in SERVERS:
            server.stop()
    return table(cases, samples)


def city_ids(url: str) -> list[int]:
    """Read the ids of all places, in order."""
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM api_city ORDER BY id")]


def forget_created(url: str, last: int) -> None:
    """Delete what the creates of a round have left, so that each finds the same table."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("DELETE FROM api_city WHERE id > %s", [last]).rowcount:
            connection.execute("VACUUM api_city")


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


def check_equal(ids: Sequence[int]) -> None:
    """Hold bare Flask to our bytes and to the headers that it is to have; else it would measure something else.

    :raises SystemExit: naming the first difference
    """
    urls = [f"/api/v1/cities/{ids[place]}" for place in range(0, len(ids), len(ids) // 20)]
    urls += [f"/api/v1/cities{query}" for query in ("", "?limit=7")] + pages(OURS)[:: SAMPLES // 20]
    # The list walks forward; a step back is another statement.
    urls.append(json.loads(OURS.ask("GET", urls[-1])[2])["links"]["prev"])
    for url in urls:
        ours, bare = (shown(server.ask("GET", url)) for server in (OURS, BARE))
        if ours != bare:
            raise SystemExit(f"{url} is answered differently:\n{ours}\n{bare}")
    ours, bare = (shown(server.ask("POST", "/api/v1/cities", new_city(0))) for server in (OURS, BARE))
    for answer in (ours, bare):
        answer[2].pop("id")
        answer[1].pop("Location")
    if ours != bare or list(ours[2]) != list(bare[2]):
        raise SystemExit(f"a new place is answered differently:\n{ours}\n{bare}")


def shown(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str], Any]:
    """Keep of an answer what must be equal."""
    status, headers, body = answer
    names = ("Content-Type", "Content-Length", "Link", "ETag", "Location")
    kept = {name: headers[name] for name in names if name in headers}
    return status, kept, json.loads(body) if status == 201 else body


def make_cases(ids: Sequence[int]) -> list[Case]:
    """Return all kinds of requests."""
    chance = random.Random(7)  # noqa: S311 - not for secrets
    items = [load.make_request("GET", f"/api/v1/cities/{key}") for key in chance.sample(ids, SAMPLES)]
    creates = [load.make_request("POST", "/api/v1/cities", new_city(number)) for number in range(SAMPLES)]
    sorts = ("name", "-price", "stock", "-created_at")
    html = [load.make_request("GET", f"/example/products?sort={sort}&page={n}") for sort in sorts for n in range(1, 11)]
    # Django's cursors are not ours: each server is asked for the pages that it links to.
    lists = {server.name: [load.make_request("GET", url) for url in pages(server)] for server in SERVERS}
    return [
        Case("50 places", lists),
        Case("one place", {server.name: items for server in SERVERS}),
        Case("create a place", {server.name: creates for server in SERVERS}),
        Case("20 products, HTML", {OURS.name: html}),
        Case("nothing", {BARE.name: [load.make_request("GET", "/nothing")]}),
    ]


def pages(server: Server) -> list[str]:
    """Follow the links from page to page."""
    found: list[str] = []
    url = "/api/v1/cities?limit=50"
    while len(found) < SAMPLES:
        body = json.loads(server.ask("GET", url)[2])
        url = body["links"]["next"] if "links" in body else body["next"].partition(f":{server.port}")[2]
        found.append(url)
    return found


def new_city(number: int) -> bytes:
    """Return the body of a create."""
    where = {"country_code": "ES", "admin1_code": "51", "latitude": 37.5 + number / 1000, "longitude": -5.25}
    city = {"name": f"Ciudad Nueva n.º {number}", **where, "population": number, "timezone": "Europe/Madrid"}
    return json.dumps(city).encode()


# --- the table ----------------------------------------------------------------------------------


def table(cases: Sequence[Case], samples: Mapping[tuple[str, str], Sequence[Sample]]) -> str:
    """Write the table: for each request what it costs each server, and how we compare."""
    lines = [
        "| request | server | CPU of a request | requests/s | Andamio does, by CPU | by requests/s |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for case in cases:
        ours = samples.get((case.name, OURS.name), [])
        servers = [server for server in SERVERS if server.name in case.requests]
        for server in servers:
            theirs = samples[case.name, server.name]
            cells = [
                case.name if server is servers[0] else "",
                server.name,
                f"{median(sample.cpu for sample in theirs):,.0f} µs",
                f"{median(sample.rate for sample in theirs):,.0f}",
                "" if server is servers[0] else ratio([b.cpu / a.cpu for a, b in zip(ours, theirs, strict=True)]),
                "" if server is servers[0] else ratio([a.rate / b.rate for a, b in zip(ours, theirs, strict=True)]),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ratio(values: Sequence[float]) -> str:
    """Write the middle of some ratios, and between what half of them lay."""
    low, middle, high = quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
