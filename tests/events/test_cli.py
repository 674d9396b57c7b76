from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.events import events


def test_purge_keeps_what_is_younger(
    app: Flask, client: FlaskClient, send_event: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (1, 29, 31, 40, 400):
        send_event(occurred_at=(datetime.now(UTC) - timedelta(days=days)).isoformat(), subject=f"/{days}")
    result = app.test_cli_runner().invoke(args=["events", "purge", "--older-than", "30"])
    assert (result.exit_code, result.output) == (0, "3 events deleted.\n")
    assert [item["subject"] for item in client.get("/events").json["items"]] == ["/1", "/29"]


def test_purge_deletes_in_parts(app: Flask, send_event: Callable[..., Any]) -> None:
    for _ in range(5):
        send_event()
    with app.app_context():
        assert events.delete_before(datetime.now(UTC), at_once=2) == 5


def test_purge_needs_its_days(sqlite_app: Flask) -> None:
    for args in ([], ["--older-than", "0"], ["--older-than", "x"]):
        assert sqlite_app.test_cli_runner().invoke(args=["events", "purge", *args]).exit_code == 2
