"""The places as one would write them by hand: Flask, psycopg and SQL, and no layer between.

It answers the list, the item and the new item with the same bytes and the same ``Link``, ``ETag`` and
``Location`` as Andamio, from the same tables. What Andamio has besides (filters, search, sorting,
security headers, request ids, other databases) it does not have: it is the floor, not a rival.
"""

import base64
import math
import os
import unicodedata
from typing import Any

import orjson
from flask import Flask
from flask import Response
from flask import request
from psycopg import conninfo
from psycopg.errors import ForeignKeyViolation
from psycopg_pool import ConnectionPool

SELECT = "SELECT id, name, country_code, admin1_code, latitude, longitude, population, timezone, version FROM api_city"
FIRST = f"{SELECT} ORDER BY population DESC, id DESC LIMIT %s"
NEXT = f"{SELECT} WHERE population <= %s AND (population, id) < (%s, %s) ORDER BY population DESC, id DESC LIMIT %s"
PREVIOUS = f"{SELECT} WHERE population >= %s AND (population, id) > (%s, %s) ORDER BY population, id LIMIT %s"
ONE = f"{SELECT} WHERE id = %s"
INSERT = """
    INSERT INTO api_city
        (name, search_name, country_code, admin1_code, latitude, longitude, population, timezone, version)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 1)
    RETURNING id, name, country_code, admin1_code, latitude, longitude, population, timezone, version
"""
ORDER = "-population,-id"

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


class Refused(Exception):
    """The request is at fault; the text says how."""


@app.errorhandler(Refused)
def answer_refused(error: Refused) -> Response:
    """Answer 422 with the reason."""
    return Response(orjson.dumps({"error": str(error)}), 422, mimetype="application/json")


@app.get("/nothing")
def answer_nothing() -> Response:
    """Answer with nothing: what is left is the server's own work and Flask's."""
    return Response()


@app.get("/api/v1/cities")
def list_cities() -> Response:
    """Answer with one page by cursor."""
    args = request.args
    if set(args) - {"limit", "cursor"}:
        raise Refused("unknown parameter")
    limit = args.get("limit", 20, type=int)
    if not 1 <= limit <= 100:
        raise Refused("limit must be from 1 to 100")
    cursor = args.get("cursor")
    back, population, key = read_cursor(cursor) if cursor else (False, 0, 0)
    with pool.connection() as connection:
        if cursor:
            sql = PREVIOUS if back else NEXT
            rows = connection.execute(sql, (population, population, key, limit + 1)).fetchall()
        else:
            rows = connection.execute(FIRST, (limit + 1,)).fetchall()
    more = len(rows) > limit
    del rows[limit:]
    if back:
        rows.reverse()
    links = {}
    if rows and (back or more):
        links["next"] = page_url(rows[-1], back=False)
    if rows and (more if back else cursor):
        links["prev"] = page_url(rows[0], back=True)
    body = orjson.dumps({"items": [city(row) for row in rows], "links": links})
    response = Response(body, mimetype="application/json")
    if links:
        response.headers["Link"] = ", ".join(f'<{url}>; rel="{name}"' for name, url in links.items())
    return response


def read_cursor(text: str) -> tuple[bool, int, int]:
    """Read a cursor: its direction, and the population and id that it stands at."""
    try:
        order, back, population, key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError):
        raise Refused("not a cursor") from None
    if order != ORDER or type(back) is not bool or type(population) is not int or type(key) is not int:
        raise Refused("not a cursor")
    return back, population, key


def page_url(row: tuple[Any, ...], *, back: bool) -> str:
    """Return the URL of the page that begins at this row."""
    cursor = base64.urlsafe_b64encode(orjson.dumps([ORDER, back, row[6], row[0]])).rstrip(b"=").decode()
    limit = request.args.get("limit")
    return f"{request.path}?{f'limit={limit}&' if limit else ''}cursor={cursor}"


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
    """Add a city."""
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
    )
    try:
        with pool.connection() as connection:
            row = connection.execute(INSERT, values).fetchone()
    except ForeignKeyViolation:
        raise Refused("there is no such country") from None
    assert row is not None  # noqa: S101 - INSERT … RETURNING gives one
    response = Response(orjson.dumps(city(row)), 201, mimetype="application/json")
    response.headers["ETag"] = f'"{row[8]}"'
    response.headers["Location"] = f"{request.path}/{row[0]}"
    return response


def read_city() -> dict[str, Any]:
    """Read and check the body."""
    try:
        data = orjson.loads(request.get_data())
    except ValueError:
        raise Refused("not JSON") from None
    if not isinstance(data, dict):
        raise Refused("not an object")
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
