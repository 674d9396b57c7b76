"""Sums of events, by hour and by day, and the top of them."""

from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

Send = Callable[..., dict[str, Any]]

DAY = "from=2026-01-31T00:00:00Z&to=2026-02-01T00:00:00Z"


def ask(client: FlaskClient, path: str) -> Any:
    answer = client.get(f"/events/{path}")
    assert answer.status_code == 200, answer.text
    endpoint = f"events.{path.partition('?')[0]}"
    schema = client.application.view_functions[endpoint].contract.answer
    assert schema.validate(answer.json) == {}
    return answer.json


def test_hours_without_events_are_zero(client: FlaskClient, send_event: Send) -> None:
    for moment, values in (
        ("10:00:00", {"visitor": "a", "value": 1.5}),
        ("10:59:59.999999", {"visitor": "a", "value": 2}),
        ("12:00:00", {"visitor": "b"}),
    ):
        send_event(occurred_at=f"2026-01-31T{moment}Z", **values)
    body = ask(client, "hours?from=2026-01-31T09:00:00Z&to=2026-01-31T13:00:00Z&window=2")
    assert (body["from"], body["to"]) == ("2026-01-31T09:00:00+00:00", "2026-01-31T13:00:00+00:00")
    assert [row["start"][11:13] for row in body["items"]] == ["09", "10", "11", "12"]
    assert [row["events"] for row in body["items"]] == [0, 2, 0, 1]
    assert [row["visitors"] for row in body["items"]] == [0, 1, 0, 1]
    assert [row["value"] for row in body["items"]] == [0, 3.5, 0, 0]
    assert [row["moving_average"] for row in body["items"]] == [0, 1, 1, 0.5]


def test_moving_average_begins_before_the_period(client: FlaskClient, send_event: Send) -> None:
    for _ in range(3):
        send_event(occurred_at="2026-01-31T08:30:00Z")
    (row,) = ask(client, "hours?from=2026-01-31T10:00:00Z&to=2026-01-31T11:00:00Z&window=3")["items"]
    assert (row["events"], row["moving_average"]) == (0, 1)
    (row,) = ask(client, "hours?from=2026-01-31T10:00:00Z&to=2026-01-31T11:00:00Z&window=2")["items"]
    assert row["moving_average"] == 0


def test_period_in_whole_hours_and_days(client: FlaskClient, send_event: Send) -> None:
    send_event(occurred_at="2026-01-31T10:10:00Z")
    body = ask(client, "hours?from=2026-01-31T10:30:00Z&to=2026-01-31T11:00:00.000001Z")
    assert [row["events"] for row in body["items"]] == [1, 0]
    body = ask(client, "days?from=2026-01-31T10:30:00Z&to=2026-01-31T10:31:00Z&window=1")
    assert (body["from"], body["to"]) == ("2026-01-31T00:00:00+00:00", "2026-02-01T00:00:00+00:00")
    assert [row["events"] for row in body["items"]] == [1]


def test_summaries_are_filtered(client: FlaskClient, send_event: Send) -> None:
    send_event(occurred_at="2026-01-31T10:00:00Z", kind="product")
    send_event(occurred_at="2026-01-31T10:00:00Z", name="click")
    for query, count in (("kind=product", 1), ("name=click", 1), ("kind=product&name=click", 0), ("", 2)):
        (row,) = ask(client, f"days?{DAY}&{query}")["items"]
        assert row["events"] == count
        assert len(ask(client, f"top?{DAY}&{query}&by=kind")["items"]) == count


def test_period_defaults_day_and_month(client: FlaskClient, send_event: Send) -> None:
    send_event()
    for path, count, window in (("hours", 24, 24), ("days", 30, 7)):
        body = ask(client, path)
        assert (len(body["items"]), body["window"], body["links"]) == (count, window, {})
        assert datetime.fromisoformat(body["to"]) > datetime.now(UTC) - timedelta(seconds=1)
        assert sum(row["events"] for row in body["items"]) == 1
    assert [row["events"] for row in ask(client, "top")["items"]] == [1]


def test_slightly_early_event_counted(client: FlaskClient, send_event: Send) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=4)
    send_event(occurred_at=ahead.isoformat())
    body = ask(client, f"hours?to={quote((ahead + timedelta(minutes=1)).isoformat())}")
    assert sum(row["events"] for row in body["items"]) == 1


@pytest.mark.parametrize("path", ["hours", "days"])
def test_long_period_is_given_in_parts(client: FlaskClient, send_event: Send, path: str) -> None:
    for moment in ("2025-12-20T10:00:00Z", "2025-12-01T10:00:00Z"):
        send_event(occurred_at=moment)
    url = f"{path}?from=2022-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&name=view&window=168"
    answer = client.get(f"/events/{url}")
    body = ask(client, url)
    assert len(body["items"]) == 750
    assert answer.headers["Link"] == f'<{body["links"]["prev"]}>; rel="prev"'
    earlier = client.get(body["links"]["prev"]).json
    assert earlier["to"] == body["from"]
    parts = [body, earlier]
    while len(parts) < 60 and "prev" in parts[-1]["links"]:
        parts.append(client.get(parts[-1]["links"]["prev"]).json)
    assert parts[-1]["from"] == "2022-01-01T00:00:00+00:00"
    assert sum(row["events"] for part in parts for row in part["items"]) == 2


@pytest.mark.parametrize("path", ["hours", "days", "top"])
def test_period_without_time_is_empty(client: FlaskClient, send_event: Send, path: str) -> None:
    send_event()
    for query in (
        "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=9999-12-31T23:59:59Z",
        "to=1000-01-01T00:00:00Z",
        "from=9999-12-31T23:59:59Z&to=1000-01-01T00:00:00Z",
    ):
        body = ask(client, f"{path}?{query}")
        assert body["items"] == []
        assert body["from"] == body["to"]


@pytest.mark.parametrize("path", ["hours", "days", "top"])
def test_period_beyond_all_times_ends_now(client: FlaskClient, send_event: Send, path: str) -> None:
    send_event()
    body = ask(client, f"{path}?from=1000-01-01T00:00:00Z&to=9999-12-31T23:59:59.999999Z")
    assert datetime.fromisoformat(body["to"]) < datetime.now(UTC) + timedelta(days=2)
    assert sum(row["events"] for row in body["items"]) == 1


def test_top_ranks_with_shares(client: FlaskClient, send_event: Send) -> None:
    for subject, count in (("/a", 4), ("/B", 2), ("/b", 2), ("/c", 1), ("/d", 1)):
        for number in range(count):
            send_event(subject=subject, visitor=f"v{number % 2}", value=0.5, occurred_at="2026-01-31T10:00:00Z")
    body = ask(client, f"top?{DAY}&limit=4")
    rows = [(row["rank"], row["what"], row["events"], row["visitors"], row["share"]) for row in body["items"]]
    # Equals have the same rank; of them, which are shown is decided by their text.
    assert rows == [(1, "/a", 4, 2, 0.4), (2, "/B", 2, 2, 0.2), (2, "/b", 2, 2, 0.2), (4, "/c", 1, 1, 0.1)]
    assert [row["value"] for row in body["items"]] == [2, 1, 1, 0.5]
    assert body["by"] == "subject"


def test_top_of_names_and_kinds(client: FlaskClient, send_event: Send) -> None:
    send_event(name="click", kind="product", occurred_at="2026-01-31T10:00:00Z")
    assert [row["what"] for row in ask(client, f"top?{DAY}&by=name")["items"]] == ["click"]
    assert [row["what"] for row in ask(client, f"top?{DAY}&by=kind")["items"]] == ["product"]


def test_largest_values_add_up(client: FlaskClient, send_event: Send) -> None:
    for value in (1e12, 1e12, -1e12):
        send_event(value=value, occurred_at="2026-01-31T10:00:00Z")
    assert ask(client, f"days?{DAY}")["items"][0]["value"] == 1e12
    assert ask(client, f"top?{DAY}")["items"][0]["value"] == 1e12


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("hours?window=0", "window"),
        ("hours?window=169", "window"),
        ("days?limit=1", "limit"),
        ("days?from=now", "from"),
        ("top?by=visitor", "by"),
        ("top?by=1;--", "by"),
        ("top?limit=101", "limit"),
        ("top?cursor=x", "cursor"),
    ],
)
def test_question_that_is_not_understood(sqlite_client: FlaskClient, path: str, name: str) -> None:
    answer = sqlite_client.get(f"/events/{path}")
    assert (answer.status_code, answer.json["type"]) == (400, "/problems/bad-query")
    assert [error["parameter"] for error in answer.json["errors"]] == [name]


def test_summaries_answer_without_events(app: Flask, client: FlaskClient) -> None:
    assert {row["events"] for row in ask(client, "hours")["items"]} == {0}
    assert ask(client, "top")["items"] == []
