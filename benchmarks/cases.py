"""Cases of the benchmark: the kinds of requests, and that bare Flask answers them as Andamio does."""

import json
import random
import uuid
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import load
from .servers import AUTOCOMMIT
from .servers import BARE
from .servers import DRF
from .servers import EMPTY
from .servers import OURS
from .servers import STARTPROJECT
from .servers import Server

CITIES = "/api/v1/cities"

#: Requests of one kind; they are sent in turn, so that no answer is that of a cache.
SAMPLES = 200
#: Requests that may be sent once only, made for each second that a server is asked.
FRESH = 4000

#: Headers of every request, after which further ones may stand.
_ACCEPT = b"\r\nAccept: */*\r\n"

#: The name of the events that are sent here, by which they are found again.
EVENT = "benchmark"


@dataclass(frozen=True)
class Case:
    """One kind of request.

    :param requests: requests for each server, by its name; made again for each measurement
    """

    name: str
    requests: Mapping[str, Callable[[], Sequence[bytes]]]


#: Credentials for creating places in each server, by its name: the value of ``Authorization``.
Tokens = Mapping[str, str]


def make_cases(ids: Sequence[int], seconds: float, tokens: Tokens) -> list[Case]:
    """Return all kinds of requests."""
    chance = random.Random(7)  # noqa: S311 - not for secrets
    items = [load.make_request("GET", f"{CITIES}/{key}") for key in chance.sample(ids, SAMPLES)]
    calls = [load.make_request("POST", "/rpc", call(key)) for key in chance.sample(ids, SAMPLES)]
    creates = [load.make_request("POST", CITIES, new_city(number)) for number in range(SAMPLES)]
    authorized = {name: [authorize(request, token) for request in creates] for name, token in tokens.items()}
    sorts = ("name", "-price", "stock", "-created_at")
    html = [load.make_request("GET", f"/example/products?sort={sort}&page={n}") for sort in sorts for n in range(1, 11)]
    everyone = (OURS, BARE, AUTOCOMMIT, DRF, STARTPROJECT)
    fresh = round(FRESH * max(seconds, 1))
    return [
        Case("50 places", walk(everyone, "limit=50")),
        Case("50 places with their countries", walk((OURS, BARE, DRF), "limit=50&include=country")),
        Case("50 places, two fields", walk((OURS, BARE, DRF), "limit=50&fields=id,name")),
        Case("one place", same(everyone, lambda: items)),
        Case("one place by JSON-RPC", same((OURS, BARE), lambda: calls)),
        Case("create a place", {server.name: lambda made=authorized[server.name]: made for server in everyone}),
        Case(
            "create a place, Idempotency-Key",
            {server.name: lambda made=authorized[server.name]: keyed(made, fresh) for server in (OURS, BARE)},
        ),
        Case("store an event", same((OURS, BARE, DRF), lambda: new_events(fresh))),
        Case("20 products, HTML", same((OURS,), lambda: html)),
        Case("nothing", same((EMPTY, BARE), lambda: [load.make_request("GET", "/nothing")])),
    ]


def same(
    servers: Sequence[Server], requests: Callable[[], Sequence[bytes]]
) -> dict[str, Callable[[], Sequence[bytes]]]:
    """Ask all of them the same."""
    return {server.name: requests for server in servers}


def walk(servers: Sequence[Server], query: str) -> dict[str, Callable[[], Sequence[bytes]]]:
    """Ask each server for the pages that it links to: Django's cursors are not ours."""
    found = {server.name: [load.make_request("GET", url) for url in pages(server, query)] for server in servers}
    return {name: lambda requests=requests: requests for name, requests in found.items()}


def pages(server: Server, query: str = "limit=50") -> list[str]:
    """Follow the links from page to page."""
    found: list[str] = []
    url = f"{CITIES}?{query}"
    while len(found) < SAMPLES:
        body = json.loads(server.ask("GET", url)[2])
        url = body["links"]["next"] if "links" in body else body["next"].partition(f":{server.port}")[2]
        found.append(url)
    return found


def authorize(request: bytes, token: str) -> bytes:
    """Say by a token who sends a request."""
    return request.replace(_ACCEPT, _ACCEPT + b"Authorization: %s\r\n" % token.encode(), 1)


def keyed(requests: Sequence[bytes], count: int) -> list[bytes]:
    """Give each request a key of its own, as each first attempt has."""
    texts = (requests[number % len(requests)] for number in range(count))
    line = b"Idempotency-Key: %s\r\n"
    return [text.replace(_ACCEPT, _ACCEPT + line % uuid.uuid4().hex.encode(), 1) for text in texts]


def new_events(count: int) -> list[bytes]:
    """Make the requests for so many events."""
    return [load.make_request("POST", "/events", new_event(number)) for number in range(count)]


def new_event(number: int) -> bytes:
    """Return the body of a new event."""
    event = {"id": str(uuid.uuid4()), "kind": "page", "name": EVENT, "subject": f"/page/{number % 50}", "value": 12.5}
    return json.dumps(event).encode()


def new_city(number: int) -> bytes:
    """Return the body of a create."""
    where = {"country_code": "ES", "admin1_code": "51", "latitude": 37.5 + number / 1000, "longitude": -5.25}
    city = {"name": f"Ciudad Nueva n.º {number}", **where, "population": number, "timezone": "Europe/Madrid"}
    return json.dumps(city).encode()


def call(key: int) -> bytes:
    """Return the body of a call."""
    return json.dumps({"jsonrpc": "2.0", "id": key, "method": "api.city", "params": {"id": key}}).encode()


# --- equal work ---------------------------------------------------------------------------------


def check_equal(ids: Sequence[int], tokens: Tokens) -> None:
    """Hold bare Flask to our bytes and to the headers that it is to have; else it would measure something else.

    :raises SystemExit: naming the first difference
    """
    urls = [f"{CITIES}/{ids[place]}" for place in range(0, len(ids), len(ids) // 20)]
    urls += [f"{CITIES}{query}" for query in ("", "?limit=7")]
    for query in ("limit=50", "limit=50&include=country", "limit=50&fields=id,name"):
        urls += pages(OURS, query)[:: SAMPLES // 20]
        # The list walks forward; a step back is another statement.
        urls.append(json.loads(OURS.ask("GET", urls[-1])[2])["links"]["prev"])
    for url in urls:
        compare(url, *(shown(server.ask("GET", url)) for server in (OURS, BARE)))
    compare("a call", *(shown(server.ask("POST", "/rpc", call(ids[0]))) for server in (OURS, BARE)))
    compare("an event", *(shown(server.ask("POST", "/events", new_event(0))) for server in (OURS, BARE)))
    check_creates({}, tokens)
    check_creates({"Idempotency-Key": "benchmark"}, tokens)


def check_creates(headers: Mapping[str, str], tokens: Tokens) -> None:
    """Compare what a new place is answered, but for its number.

    :raises SystemExit: if it is answered differently, or a request without a token succeeds
    """
    for server in (OURS, BARE, AUTOCOMMIT, DRF, STARTPROJECT):
        if server.ask("POST", CITIES, new_city(0))[0] not in (401, 403):
            raise SystemExit(f"{server.name} lets anonymous visitors create a place")
    answers = []
    for server in (OURS, BARE):
        key = {name: f"{text}-{server.port}" for name, text in headers.items()}
        key["Authorization"] = tokens[server.name]
        first = server.ask("POST", CITIES, new_city(0), key)
        if headers and server.ask("POST", CITIES, new_city(0), key)[2] != first[2]:
            raise SystemExit(f"{server.name} does not repeat its answer for the same Idempotency-Key")
        status, kept, body = shown(first)
        kept.pop("Location")
        kept.pop("Content-Length")
        body.pop("id")
        answers.append((status, kept, body, list(body)))
    compare("a new place", *answers)


def compare(what: str, ours: Any, bare: Any) -> None:
    """Compare two answers.

    :raises SystemExit: if they differ
    """
    if ours != bare:
        raise SystemExit(f"{what} is answered differently:\n{ours}\n{bare}")


def shown(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, dict[str, str], Any]:
    """Keep of an answer what must be equal."""
    status, headers, body = answer
    names = ("Content-Type", "Content-Length", "Link", "ETag", "Location")
    kept = {name: headers[name] for name in names if name in headers}
    return status, kept, json.loads(body) if status == 201 else body
