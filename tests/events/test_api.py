"""Events are sent and listed, asked as other sites ask."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.events.api import EXAMPLE
from services import db

Send = Callable[..., dict[str, Any]]
MakeEvent = Callable[..., dict[str, Any]]


def ids(client: FlaskClient, query: str = "") -> list[str]:
    answer = client.get(f"/events?{query}")
    assert answer.status_code == 200, answer.text
    return [event["id"] for event in answer.json["items"]]


def keep_contract(app: Flask, endpoint: str, answer: Any) -> None:
    assert app.view_functions[endpoint].contract.answer.validate(answer) == {}


# --- what comes in ------------------------------------------------------------------------------


def test_event_returned_as_sent(app: Flask, client: FlaskClient, make_event: MakeEvent) -> None:
    occurred = "2026-01-31T12:34:56.123456+00:00"
    event = make_event(subject="/Café 😀 ", visitor="v1", value=0.1, occurred_at=occurred)
    answer = client.post("/events", json=event)
    assert (answer.status_code, answer.json) == (200, {"received": 1, "stored": 1})
    body = client.get("/events").json
    keep_contract(app, "events.index", body)
    (item,) = body["items"]
    received = datetime.fromisoformat(item.pop("received_at"))
    assert item == event
    assert timedelta(0) <= datetime.now(UTC) - received < timedelta(seconds=60)


def test_moment_is_kept_in_utc(client: FlaskClient, send_event: Send) -> None:
    send_event(occurred_at="2026-01-31T12:00:00+02:00")
    assert client.get("/events").json["items"][0]["occurred_at"] == "2026-01-31T10:00:00+00:00"


def test_event_without_moment_uses_arrival(client: FlaskClient, send_event: Send) -> None:
    send_event()
    (item,) = client.get("/events").json["items"]
    assert item["occurred_at"] == item["received_at"]
    assert (item["visitor"], item["value"]) == (None, None)


def test_beacon_sends_json_as_plain_text(client: FlaskClient, make_event: MakeEvent) -> None:
    text = json.dumps([make_event(), make_event()])
    answer = client.post("/events", data=text, content_type="text/plain;charset=UTF-8")
    assert answer.json == {"received": 2, "stored": 2}


def test_repeated_event_stored_once(client: FlaskClient, send_event: Send, make_event: MakeEvent) -> None:
    known = send_event(subject="/first")
    again = {**known, "subject": "/second"}
    twice = make_event()
    answer = client.post("/events", json=[again, twice, twice, make_event()])
    assert answer.json == {"received": 4, "stored": 2}
    assert len(ids(client)) == 3
    (stored,) = (item for item in client.get("/events").json["items"] if item["id"] == known["id"])
    assert stored["subject"] == "/first"


def test_id_equal_in_any_spelling(client: FlaskClient, send_event: Send, make_event: MakeEvent) -> None:
    known = send_event()
    assert client.post("/events", json=make_event(id=known["id"].upper())).json["stored"] == 0


def test_batch_limited_to_hundred(client: FlaskClient, make_event: MakeEvent) -> None:
    assert client.post("/events", json=[make_event() for _ in range(100)]).json == {"received": 100, "stored": 100}
    for count in (0, 101):
        answer = client.post("/events", json=[make_event() for _ in range(count)])
        assert (answer.status_code, answer.json["type"]) == (422, "/problems/invalid")
    assert len(ids(client, "limit=100")) == 100


def test_batch_with_fault_refused_whole(client: FlaskClient, make_event: MakeEvent) -> None:
    answer = client.post("/events", json=[make_event(), make_event(kind="plane"), 7])
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json["errors"]} == {"#/1/kind", "#/2"}
    assert ids(client) == []


def test_concurrent_duplicates_stored_once(app: Flask, client: FlaskClient, make_event: MakeEvent) -> None:
    batch = [make_event() for _ in range(50)]
    receipts: list[Any] = []

    def call(number: int) -> None:
        # In both orders: batches that cross must not end in a deadlock.
        sent = batch if number % 2 else batch[::-1]
        receipts.append(app.test_client().post("/events", json=sent).json)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [receipt["received"] for receipt in receipts] == [50] * 6
    assert sum(receipt["stored"] for receipt in receipts) == 50
    assert len(ids(client, "limit=100")) == 50


#: A field and a value that it refuses.
WRONG = [
    ("id", "no-uuid"),
    ("id", 7),
    ("id", None),
    ("kind", "plane"),
    ("kind", ["page"]),
    ("name", "View"),
    ("name", ""),
    ("name", "a" * 61),
    ("name", "view\n"),
    ("subject", ""),
    ("subject", " "),
    ("subject", "a" * 256),
    ("subject", "nul\0"),
    ("subject", {"a": 1}),
    ("visitor", ""),
    ("visitor", 7),
    ("visitor", "v" * 65),
    ("value", "1"),
    ("value", True),
    ("value", 1e13),
    ("value", 10**30),
    ("value", [1]),
    ("occurred_at", "2026-01-31T12:00:00"),
    ("occurred_at", "9999-12-31T23:59:59-14:00"),
    ("occurred_at", 1763721600000),
    ("occurred_at", None),
    ("received_at", "2026-01-31T12:00:00Z"),
    ("unknown", 1),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_value_refused_by_name(
    sqlite_client: FlaskClient, make_event: MakeEvent, name: str, value: object
) -> None:
    # The client's own JSON refuses some of them.
    text = json.dumps(make_event(**{name: value}))
    answer = sqlite_client.post("/events", data=text, content_type="application/json")
    assert (answer.status_code, answer.json["type"]) == (422, "/problems/invalid")
    assert [error["pointer"] for error in answer.json["errors"]] == [f"#/{name}"]
    assert ids(sqlite_client) == []


@pytest.mark.parametrize("name", ["id", "kind", "name", "subject"])
def test_field_that_is_missing_is_named(sqlite_client: FlaskClient, make_event: MakeEvent, name: str) -> None:
    event = make_event()
    del event[name]
    answer = sqlite_client.post("/events", json=event)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, f"#/{name}")


def test_clock_may_run_a_little_ahead(client: FlaskClient, send_event: Send) -> None:
    ahead = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    send_event(occurred_at=ahead)
    assert client.get("/events").json["items"][0]["occurred_at"] == ahead


@pytest.mark.parametrize(
    "moment", ["1999-12-31T23:59:59Z", "1000-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
)
def test_event_with_wrong_clock_uses_arrival(client: FlaskClient, send_event: Send, moment: str) -> None:
    send_event(occurred_at=moment)
    (item,) = client.get("/events").json["items"]
    assert item["occurred_at"] == item["received_at"]


#: A body that is no event, its content type, and the answer's status.
BODIES = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"NaN", "application/json", 400),
    (b'{"value": Infinity}', "text/plain", 400),
    (b'{"id": 1, "id": 2}', "application/json", 400),
    (b'{"subject": "\xff"}', "text/plain", 400),
    (b'{"subject": "\\ud800"}', "text/plain", 400),
    (b'{"value": 1' + b"0" * 400 + b"}", "text/plain", 400),
    (b"[" * 100_000, "text/plain", 400),
    (b"[" * 500 + b"]" * 500, "application/json", 422),
    (b"[[]]", "application/json", 422),
    (b"[]", "application/json", 422),
    (b"7", "application/json", 422),
    (b"null", "text/plain", 422),
    (b'"text"', "text/plain", 422),
    (b"{}", "application/x-www-form-urlencoded", 415),
    (b"{}", "text/html", 415),
    (b"{}", "", 415),
]


@pytest.mark.parametrize(("body", "media", "status"), BODIES)
def test_invalid_body_refused(sqlite_client: FlaskClient, body: bytes, media: str, status: int) -> None:
    answer = sqlite_client.post("/events", data=body, content_type=media)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_large_body_refused(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.post("/events", data=b" " * (1024 * 1024 + 1), content_type="text/plain")
    assert (answer.status_code, answer.json["type"]) == (413, "/problems/too-large")


def test_documented_example_can_be_sent(sqlite_client: FlaskClient) -> None:
    assert sqlite_client.post("/events", json=EXAMPLE).json["stored"] == 1


def test_beacon_with_cookies_needs_no_token(sqlite_client: FlaskClient, make_event: MakeEvent) -> None:
    sqlite_client.set_cookie("session", "whatever")
    answer = sqlite_client.post("/events", data=json.dumps(make_event()), content_type="text/plain")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


# --- the list -----------------------------------------------------------------------------------


def test_list_goes_newest_first_and_back(client: FlaskClient, send_event: Send) -> None:
    # Several in the same moment: the id decides.
    sent = [send_event(occurred_at=f"2026-01-0{1 + number // 3}T00:00:00Z") for number in range(8)]
    order = [event["id"] for event in sorted(sent, key=lambda e: (e["occurred_at"], e["id"]), reverse=True)]
    assert ids(client) == order
    url, pages = "/events?limit=3", []
    while url:
        last = client.get(url)
        pages.append([event["id"] for event in last.json["items"]])
        url = last.json["links"].get("next")
    assert pages == [order[:3], order[3:6], order[6:]]
    back = client.get(last.json["links"]["prev"])
    assert [event["id"] for event in back.json["items"]] == order[3:6]
    assert back.headers["Link"] == ", ".join(f'<{url}>; rel="{name}"' for name, url in back.json["links"].items())
    first = client.get(back.json["links"]["prev"])
    assert [event["id"] for event in first.json["items"]] == order[:3]
    assert set(first.json["links"]) == {"next"}


def test_list_of_all_has_no_links(client: FlaskClient, send_event: Send) -> None:
    send_event()
    answer = client.get("/events?limit=1")
    assert answer.json["links"] == {}
    assert "Link" not in answer.headers


def test_list_is_filtered(client: FlaskClient, send_event: Send) -> None:
    old = send_event(occurred_at="2026-01-01T00:00:00Z", name="click")["id"]
    new = send_event(occurred_at="2026-01-02T00:00:00Z", kind="product")["id"]
    assert ids(client, "kind=page") == [old]
    assert ids(client, "name=view") == [new]
    assert ids(client, "kind=page&name=view") == []
    assert ids(client, "from=2026-01-02T00:00:00Z") == [new]
    assert ids(client, "to=2026-01-02T00:00:00Z") == [old]
    assert ids(client, "to=2026-01-02T00:00:00.000001Z&from=2026-01-01T00:00:00Z") == [new, old]


def test_links_keep_the_filters(client: FlaskClient, send_event: Send) -> None:
    for name in ("click", "view", "click", "view"):
        send_event(name=name)
    answer = client.get("/events?name=click&limit=1")
    following = client.get(answer.json["links"]["next"])
    assert [event["name"] for event in (*answer.json["items"], *following.json["items"])] == ["click", "click"]
    assert "next" not in following.json["links"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=1&limit=2",
        "cursor=x",
        "cursor=after.1.2",
        "cursor=after.999999999999999999.5f0c3f8e-6f0a-4b52-9d5e-0d9f6c1c2a11",
        "cursor=after.1.5f0c3f8e-6f0a-4b52-9d5e-0d9f6c1c2a11%0a",
        "kind=plane",
        "name=%27%20OR%201=1",
        "from=yesterday",
        "to=2026-01-01",
        "to=",
        "unknown=1",
        "since=2026-01-01T00:00:00Z",
    ],
)
def test_question_that_is_not_understood(sqlite_client: FlaskClient, query: str) -> None:
    answer = sqlite_client.get(f"/events?{query}")
    assert (answer.status_code, answer.json["type"]) == (400, "/problems/bad-query")
    assert answer.json["errors"][0]["parameter"] == query.partition("=")[0]


def test_cursor_past_end_empty(sqlite_client: FlaskClient) -> None:
    for side in ("after", "before"):
        body = sqlite_client.get(f"/events?cursor={side}.1.{uuid.uuid4()}").json
        assert body == {"items": [], "links": {}}


PLANS = {
    "sqlite": ("EXPLAIN QUERY PLAN ", "USE TEMP B-TREE"),
    "postgresql": ("EXPLAIN ", "Sort"),
    "mysql": ("EXPLAIN ", "filesort"),
}


@pytest.mark.parametrize("filters", ["", "kind = 'page'", "name = 'view'", "kind = 'page' AND name = 'view'"])
def test_page_is_read_off_an_index(app: Flask, filters: str) -> None:
    """Without a sort of all that matches: a page costs the same at every depth."""
    with app.app_context():
        explain, sorts = PLANS[db.engine.dialect.name]
        where = " AND ".join(filter(None, [filters, "occurred_at <= 9", "(occurred_at, id) < (9, 'x')"]))
        sql = f"{explain}SELECT * FROM events_event WHERE {where} ORDER BY occurred_at DESC, id DESC LIMIT 21"
        with db.engine.begin() as connection:
            if db.engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")
            plan = str(connection.exec_driver_sql(sql).fetchall())
    assert "ix_events_event" in plan
    assert sorts not in plan


# --- the contract of the house ------------------------------------------------------------------


def test_methods_that_are_not_served(sqlite_client: FlaskClient) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        answer = sqlite_client.open("/events", method=method)
        assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
        assert set(answer.allow) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_caller_who_reads_no_json(sqlite_client: FlaskClient, make_event: MakeEvent) -> None:
    headers = {"Accept": "text/html"}
    assert sqlite_client.get("/events", headers=headers).status_code == 406
    assert sqlite_client.post("/events", json=make_event(), headers=headers).status_code == 406
    assert ids(sqlite_client) == []


def test_session_is_not_touched(sqlite_client: FlaskClient, make_event: MakeEvent) -> None:
    for answer in (sqlite_client.get("/events"), sqlite_client.post("/events", json=make_event())):
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")


def test_limit_counts_each_event(sqlite_client: FlaskClient, make_event: MakeEvent) -> None:
    answer = sqlite_client.post("/events", json=[make_event(), make_event()])
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("1000", "998")
    assert "X-RateLimit-Limit" not in sqlite_client.get("/events").headers
