"""The files of the core that a reader must open to follow a request to the places."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from tests.request_files import files_of


def test_list_touches_few_files(sqlite_app: Flask, make_sqlite_city: Callable[..., int]) -> None:
    make_sqlite_city()
    client = sqlite_app.test_client()
    found = files_of(lambda: client.get("/api/v1/cities"))

    assert len(found) <= 25, sorted(found)


def test_post_touches_few_files(
    sqlite_app: Flask, make_sqlite_city: Callable[..., int], city_data: dict[str, Any]
) -> None:
    client = sqlite_app.test_client()
    found = files_of(lambda: client.post("/api/v1/cities", json=city_data))

    assert len(found) <= 37, sorted(found)
