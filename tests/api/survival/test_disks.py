"""A disk is full: nothing is half stored, and what only reads goes on."""

import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import URL

from core import migrations
from tests import tokens
from tests.conftest import require

from .conftest import add_country


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of eight megabytes, which takes root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, text=True)
    require(mounted.returncode == 0, f"no disk can be mounted here: {mounted.stderr}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def app(make_app: Callable[..., Flask], small_disk: Path) -> Flask:
    url = URL.create("sqlite", database=str(small_disk / "test.db"))
    migrations.upgrade(url)
    app = make_app(url, RATE_LIMITS=False)
    add_country(app)
    return app


def test_full_disk_is_answered_with_503(app: Flask, small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    client, token = app.test_client(), tokens.authorization(tokens.issue(app))
    city = {"country_code": "ES", "latitude": 40.4, "longitude": -3.7, "timezone": "Europe/Madrid"}

    def create(name: str) -> int:
        answer = client.post("/api/v1/cities", json={**city, "name": name}, headers=token)
        if answer.status_code == 503:
            assert answer.json["type"] == "/problems/unavailable"
            assert int(answer.headers["Retry-After"]) > 0
        return answer.status_code

    assert create("before") == 201
    filling = small_disk / "filling"
    with filling.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    # The space that SQLite has reserved takes a few more.
    statuses = [create(f"city {number} {'x' * 90}") for number in range(60)]
    assert statuses[-1] == 503
    assert set(statuses) <= {201, 503}
    assert "look at its disk" in caplog.text
    assert client.get("/api/v1/cities?limit=1").status_code == 200
    filling.unlink()
    assert create("after") == 201
    kept = client.get("/api/v1/cities?limit=100").json["items"]
    assert len(kept) == 2 + statuses.count(201)
