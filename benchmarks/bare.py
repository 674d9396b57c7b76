"""The places as one would write them by hand: Flask, psycopg and SQL, and no layer between.

It answers the list, the item, the new item, one method of JSON-RPC and the events with the same bytes and the same
``Link``, ``ETag`` and ``Location`` as Andamio, from the same tables. What Andamio has besides (filters, search,
sorting, security headers, request ids, batches, retries, other databases) it does not have: it is the floor, not a
rival.
"""

import base64
import math
import os
import time
import unicodedata
import uuid
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Flask
from flask import Response
from flask import request
from psycopg import conninfo
from psycopg.errors import ForeignKeyViolation
from psycopg.errors import UniqueViolation
from psycopg_pool import ConnectionPool

COLUMNS = ("id", "name", "country_code", "admin1_code", "latitude", "longitude", "population", "timezone", "version")
PLACE = ("id", "name", "country_code", "latitude", "longitude", "population", "timezone")
COUNTRY = ("code", "iso3", "name", "capital", "continent", "population", "area_km2", "currency_code")
FOUND = f"SELECT {', '.join(PLACE)} FROM api_city WHERE id = %s"  # noqa: S608 - of our own names
ONE = f"SELECT {', '.join(COLUMNS)} FROM api_city WHERE id = %s"  # noqa: S608 - of our own names
INSERT = """
    INSERT INTO api_city
        (name, search_name, country_code, admin1_code, latitude, longitude, population, timezone, owner_key, version)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 1)
    RETURNING id, name, country_code, admin1_code, latitude, longitude, population, timezone, version
"""
ORDER = "-population,-id"

#: Owner of the token, and whether it may add places: by its role, with a token without scopes.
OWNER = """
    SELECT person.key, 'api.city.add' = ANY (string_to_array(token.scopes, ' ')) AND EXISTS (
        SELECT FROM accounts_user_role held
        JOIN accounts_role role ON role.id = held.role_id
        LEFT JOIN accounts_role_permission granted ON granted.role_id = role.id
        WHERE held.user_id = person.id AND (role.name = 'administrator' OR granted.permission = 'api.city.add')
    )
    FROM accounts_token token
    JOIN accounts_user person ON person.id = token.user_id
    WHERE token.digest = %s AND token.expires_at > now() AND person.active
"""

#: The keys that were used, and what they were answered.
KEYS = """
    CREATE TABLE IF NOT EXISTS bare_key (
        key text PRIMARY KEY, fingerprint bytea NOT NULL, answer bytea NOT NULL, place text NOT NULL,
        made float NOT NULL
    )
"""
ADD_KEY = "INSERT INTO bare_key (key, fingerprint, answer, place, made) VALUES (%s, %s, %s, %s, %s)"
FIND_KEY = "SELECT fingerprint, answer, place FROM bare_key WHERE key = %s"
ADD_EVENT = """
    INSERT INTO events_event (id, kind, name, subject, visitor, value, occurred_at, received_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING
"""

#: Texts: how long at most, and whether they must be there (else they may be null).
TEXTS = {"name": (200, True), "country_code": (2, True), "admin1_code": (20, False), "timezone": (40, True)}
DEGREES = {"latitude": 90, "longitude": 180}

app = Flask(__name__)
# AUTOCOMMIT=1 saves the BEGIN and the COMMIT around each statement; a pool's default does not.
pool = ConnectionPool(
    conninfo.make_conninfo(os.environ["DATABASE_URL"]),
    min_size=1,
    max_size=5,
    kwargs={"autocommit": bool(os.environ.get("AUTOCOMMIT"))},
    open=True,
)
with pool.connection() as connection:
    connection.execute(KEYS)


class Refused(Exception):
    """The request is at fault; the text says how."""

    status = 422


class Unauthenticated(Refused):
    """There is no token, or none that counts."""

    status = 401


class Forbidden(Refused):
    """The token is for something else."""

    status = 403


@app.errorhandler(Refused)
def answer_refused(error: Refused) -> Response:
    """Answer with the reason."""
    return Response(orjson.dumps({"error": str(error)}), error.status, mimetype="application/json")


@app.get("/nothing")
def answer_nothing() -> Response:
    """Answer with nothing: what is left is the server's own work and Flask's."""
    return Response()


@dataclass(frozen=True)
class Shape:
    """Fields of the cities, and the statements that read them.

    :param names: the columns in JSON; the population and the id follow behind them in each row
    :param related: how many columns of the country follow behind those
    """

    names: tuple[str, ...]
    related: bool
    first: str
    next: str
    previous: str


@lru_cache(100)
def make_shape(fields: str | None, include: str | None) -> Shape:
    """Make the statements for some fields."""
    wanted = set(fields.split(",")) if fields else set(COLUMNS)
    if not wanted <= set(COLUMNS) or include not in (None, "country"):
        raise Refused("unknown field or relation")
    names = tuple(name for name in COLUMNS if name in wanted)
    read = [f"c.{name}" for name in (*names, "population", "id")]
    tables = "api_city c"
    if include:
        read += [f"n.{name}" for name in COUNTRY]
        tables += " JOIN api_country n ON n.code = c.country_code"
    select = f"SELECT {', '.join(read)} FROM {tables}"  # noqa: S608 - of our own names
    down, up = "ORDER BY c.population DESC, c.id DESC LIMIT %s", "ORDER BY c.population, c.id LIMIT %s"
    return Shape(
        names,
        bool(include),
        f"{select} {down}",
        f"{select} WHERE (c.population, c.id) < (%s, %s) {down}",
        f"{select} WHERE (c.population, c.id) > (%s, %s) {up}",
    )


@app.get("/api/v1/cities")
def list_cities() -> Response:
    """Answer with one page by cursor."""
    args = request.args
    if set(args) - {"limit", "cursor", "fields", "include"}:
        raise Refused("unknown parameter")
    limit = args.get("limit", 20, type=int)
    if not 1 <= limit <= 100:
        raise Refused("limit must be from 1 to 100")
    shape = make_shape(args.get("fields"), args.get("include"))
    cursor = args.get("cursor")
    back, population, key = read_cursor(cursor) if cursor else (False, 0, 0)
    with pool.connection() as connection:
        if cursor:
            sql = shape.previous if back else shape.next
            rows = connection.execute(sql, (population, key, limit + 1)).fetchall()
        else:
            rows = connection.execute(shape.first, (limit + 1,)).fetchall()
    more = len(rows) > limit
    del rows[limit:]
    if back:
        rows.reverse()
    place = len(shape.names)
    links = {}
    if rows and (back or more):
        links["next"] = page_url(rows[-1][place], rows[-1][place + 1], back=False)
    if rows and (more if back else cursor):
        links["prev"] = page_url(rows[0][place], rows[0][place + 1], back=True)
    return answer_page(items(rows, shape), links)


def items(rows: list[tuple[Any, ...]], shape: Shape) -> list[dict[str, Any]]:
    """Give rows as JSON shows them."""
    # Rows behind the last name are left out.
    if not shape.related:
        return [dict(zip(shape.names, row, strict=False)) for row in rows]
    place = len(shape.names) + 2
    return [
        {**dict(zip(shape.names, row, strict=False)), "country": dict(zip(COUNTRY, row[place:], strict=True))}
        for row in rows
    ]


def answer_page(items: list[dict[str, Any]], links: dict[str, str]) -> Response:
    """Answer with a page and its ETag."""
    body = orjson.dumps({"items": items, "links": links})
    response = Response(body, mimetype="application/json")
    response.headers["ETag"] = f'"{sha256(body).hexdigest()[:16]}"'
    if links:
        response.headers["Link"] = ", ".join(f'<{url}>; rel="{name}"' for name, url in links.items())
    return response.make_conditional(request) if "If-None-Match" in request.headers else response


def read_cursor(text: str) -> tuple[bool, int, int]:
    """Read a cursor: its direction, and the population and id that it stands at."""
    try:
        order, back, population, key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError):
        raise Refused("not a cursor") from None
    if order != ORDER or type(back) is not bool or type(population) is not int or type(key) is not int:
        raise Refused("not a cursor")
    return back, population, key


def page_url(population: int, key: int, *, back: bool) -> str:
    """Return the URL of the page that begins at this row."""
    cursor = base64.urlsafe_b64encode(orjson.dumps([ORDER, back, population, key])).rstrip(b"=").decode()
    kept = urlencode({name: text for name, text in request.args.items() if name != "cursor"})
    return f"{request.path}?{kept}{'&' if kept else ''}cursor={cursor}"


def city(row: tuple[Any, ...]) -> dict[str, Any]:
    """Give a row as JSON shows it."""
    return {
        "id": row[0],
        "name": row[1],
        "country_code": row[2],
        "admin1_code": row[3],
        "latitude": row[4],
        "longitude": row[5],
        "population": row[6],
        "timezone": row[7],
        "version": row[8],
    }


@app.get("/api/v1/cities/<int:key>")
def show_city(key: int) -> Response:
    """Answer with one city and its ETag."""
    with pool.connection() as connection:
        row = connection.execute(ONE, (key,)).fetchone()
    if row is None:
        return Response(b'{"error":"not found"}', 404, mimetype="application/json")
    response = Response(orjson.dumps(city(row)), mimetype="application/json")
    response.headers["ETag"] = f'"{row[8]}"'
    return response.make_conditional(request) if "If-None-Match" in request.headers else response


@app.post("/api/v1/cities")
def create_city() -> Response:
    """Add a city; once for each ``Idempotency-Key``."""
    owner = find_owner()
    data = read_city()
    values = (
        data["name"],
        search_name(data["name"]),
        data["country_code"],
        data.get("admin1_code"),
        float(data["latitude"]),
        float(data["longitude"]),
        data.get("population", 0),
        data["timezone"],
        owner,
    )
    key = request.headers.get("Idempotency-Key")
    try:
        with pool.connection() as connection:
            row = connection.execute(INSERT, values).fetchone()
            assert row is not None  # noqa: S101 - INSERT … RETURNING gives one
            body, place = orjson.dumps(city(row)), f"{request.path}/{row[0]}"
            if key:
                connection.execute(ADD_KEY, (key, fingerprint(), body, place, time.time()))
    except ForeignKeyViolation:
        raise Refused("there is no such country") from None
    except UniqueViolation:
        return repeat(str(key))
    return answer_created(body, place)


def find_owner() -> str:
    """Return who may add a city by the token that was sent."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("a token is needed")
    with pool.connection() as connection:
        row = connection.execute(OWNER, (sha256(token.encode()).hexdigest(),)).fetchone()
    if row is None:
        raise Unauthenticated("the token does not count")
    if not row[1]:
        raise Forbidden("the token is for something else")
    owner: str = row[0]
    return owner


def repeat(key: str) -> Response:
    """Answer as the first time."""
    with pool.connection() as connection:
        found = connection.execute(FIND_KEY, (key,)).fetchone()
    if found is None or found[0] != fingerprint():
        raise Refused("this key was used for something else")
    response = answer_created(found[1], found[2])
    response.headers["Idempotency-Replayed"] = "true"
    return response


def fingerprint() -> bytes:
    """Return a text that identifies this request."""
    return sha256(request.full_path.encode() + b"\0" + request.get_data()).digest()


def answer_created(body: bytes, place: str) -> Response:
    """Answer 201."""
    response = Response(body, 201, mimetype="application/json")
    response.headers["ETag"] = '"1"'
    response.headers["Location"] = place
    return response


def read_city() -> dict[str, Any]:
    """Read and check the body."""
    data = read_object()
    if set(data) - {*TEXTS, *DEGREES, "population"}:
        raise Refused("unknown field")
    for name, (longest, required) in TEXTS.items():
        check_text(name, data.get(name), longest, required)
    for name, highest in DEGREES.items():
        value = data.get(name)
        if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > highest:
            raise Refused(f"{name} must be a number from -{highest} to {highest}")
    population = data.get("population", 0)
    if type(population) is not int or not 0 <= population < 2**31:
        raise Refused("population must be a whole number")
    return data


def read_object() -> dict[str, Any]:
    """Read the body."""
    try:
        data = orjson.loads(request.get_data())
    except ValueError:
        raise Refused("not JSON") from None
    if not isinstance(data, dict):
        raise Refused("not an object")
    return data


def check_text(name: str, value: Any, longest: int, required: bool) -> None:
    """Check one text of the body."""
    if value is None and not required:
        return
    if not isinstance(value, str) or len(value) > longest or "\0" in value or (required and not value.strip()):
        raise Refused(f"{name} must be a text of at most {longest} characters")


def search_name(name: str) -> str:
    """Return the name without accents and case."""
    apart = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()[:200]


@app.post("/rpc")
def call() -> Response:
    """Answer a call of the one method there is."""
    data = read_object()
    if data.get("jsonrpc") != "2.0" or data.get("method") != "api.city" or "id" not in data:
        raise Refused("no call of this method")
    params = data.get("params")
    if not isinstance(params, dict) or set(params) != {"id"} or type(params["id"]) is not int:
        raise Refused("id must be a whole number")
    with pool.connection() as connection:
        row = connection.execute(FOUND, (params["id"],)).fetchone()
    if row is None:
        raise Refused("there is no such city")
    body = orjson.dumps({"jsonrpc": "2.0", "result": dict(zip(PLACE, row, strict=True)), "id": data["id"]})
    return Response(body, mimetype="application/json")


@app.post("/events")
def collect() -> Response:
    """Store an event."""
    event = read_object()
    if set(event) - {"id", "kind", "name", "subject", "visitor", "value"}:
        raise Refused("unknown field")
    for name, longest, required in (("name", 60, True), ("subject", 255, True), ("visitor", 64, False)):
        check_text(name, event.get(name), longest, required)
    value = event.get("value")
    if event.get("kind") not in ("page", "product") or (value is not None and type(value) not in (int, float)):
        raise Refused("kind or value is wrong")
    try:
        key = str(uuid.UUID(event["id"]))
    except (KeyError, ValueError, AttributeError, TypeError):
        raise Refused("id must be a UUID") from None
    now = time.time_ns() // 1000
    values = (key, event["kind"], event["name"], event["subject"], event.get("visitor"), value, now, now)
    with pool.connection() as connection:
        stored = connection.execute(ADD_EVENT, values).rowcount
    return Response(orjson.dumps({"received": 1, "stored": stored}), mimetype="application/json")
