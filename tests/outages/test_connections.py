"""Databases that cannot be written for a moment, or are replaced: 503, and all is well by itself after."""

import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL
from sqlalchemy.pool import NullPool

from app.health import examination
from core.access import set_identity_loader
from core.data import cursors
from services import db
from tests.identities import editor

MODULE = """
    from flask import Blueprint
    from core.data import cursors
    from core.http.apis import mark_api
    from services import db

    bp = Blueprint("notes", __name__, url_prefix="/notes")
    mark_api(bp)

    @bp.post("/session")
    def session():
        db.session.execute(db.text("INSERT INTO notes_note VALUES (1)"))
        db.session.commit()
        return {}, 201

    @bp.post("/cursor")
    def cursor():
        cursors.write("INSERT INTO notes_note VALUES (1)")
        return {}, 201

    @bp.get("")
    def index():
        return {"count": db.session.scalar(db.text("SELECT count(*) FROM notes_note"))}
"""

OTHER_USER = 65534

Make = Callable[..., Flask]


@pytest.fixture(autouse=True)
def uncached_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "FRESH_SECONDS", 0.0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose owner is not root."""
    path = Path(tempfile.mkdtemp(prefix="test-writability-"))
    if os.geteuid() == 0:
        os.chown(path, OTHER_USER, -1)
    yield path
    shutil.rmtree(path)


@contextmanager
def owner_of(folder: Path) -> Iterator[None]:
    """Act as the owner of a folder: root may write everything."""
    user = os.geteuid()
    os.seteuid(folder.stat().st_uid)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def make_notes(make_app: Make, write_module: Callable[..., str]) -> Make:
    def make(url: URL) -> Flask:
        app = make_app(url, ["app.health", "app.outages", write_module("notes", init=MODULE)])
        set_identity_loader(app, editor)
        return app

    return make


def make_file(path: Path, rows: int = 0) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes_note (number INTEGER)")
        connection.executemany("INSERT INTO notes_note VALUES (?)", [(1,)] * rows)
        connection.commit()


@contextmanager
def unwritable(*paths: Path) -> Iterator[None]:
    modes = [path.stat().st_mode for path in paths]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield
    for path, mode in zip(paths, modes, strict=True):
        path.chmod(mode)


def writes(client: FlaskClient) -> list[int]:
    return [client.post(f"/notes/{way}").status_code for way in ("session", "cursor")]


def readiness(client: FlaskClient) -> tuple[int, Any]:
    answer = client.get("/health/ready")
    return answer.status_code, {one["name"]: one for one in answer.json["checks"]}["health.writes"]


# --- SQLite -------------------------------------------------------------------------------------


def test_file_that_was_unwritable_recovers(make_notes: Make, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / "notes.db"
    client = make_notes(URL.create("sqlite", database=str(path))).test_client()
    with owner_of(folder):
        make_file(path)
        recover(client, path, caplog)


def recover(client: FlaskClient, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with unwritable(path, path.parent):
        assert client.get("/notes").status_code in (200, 503)
        with caplog.at_level(logging.ERROR):
            refused = client.post("/notes/session")
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert writes(client) == [503, 503]
        status, check = readiness(client)
        assert (status, check["result"]) == (503, "fail")
    assert writes(client) == [201, 201]
    assert client.get("/notes").json == {"count": 2}
    assert readiness(client)[1]["result"] == "pass"
    said = caplog.text
    assert f"{path} cannot be written: it belongs to " in said
    assert "mode 0444" in said
    assert "This process is " in said
    assert "chmod u+w" in said
    assert "disk" not in said


def test_reading_goes_on_meanwhile(make_notes: Make, folder: Path) -> None:
    path = folder / "notes.db"
    client = make_notes(URL.create("sqlite", database=str(path))).test_client()
    with owner_of(folder):
        make_file(path)
        # Another process has it open, so that what is beside it is there.
        with closing(sqlite3.connect(path)) as other:
            other.execute("SELECT * FROM notes_note")
            with unwritable(path):
                assert client.get("/notes").json == {"count": 0}
                assert writes(client) == [503, 503]
                assert client.get("/notes").json == {"count": 0}
            assert writes(client) == [201, 201]


@pytest.mark.parametrize("way", ["moved", "removed first"])
def test_file_that_was_replaced_is_followed(make_notes: Make, tmp_path: Path, way: str) -> None:
    path, backup = tmp_path / "notes.db", tmp_path / "backup.db"
    make_file(path)
    make_file(backup, rows=7)
    client = make_notes(URL.create("sqlite", database=str(path))).test_client()
    assert writes(client) == [201, 201]
    if way == "removed first":
        path.unlink()
        assert client.get("/notes").status_code == 503
        assert writes(client) == [503, 503]
        assert not path.exists(), "an empty one would be in the way"
        assert readiness(client)[0] == 503
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    backup.rename(path)
    assert client.get("/notes").json == {"count": 7}
    assert writes(client) == [201, 201]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM notes_note").fetchone() == (9,)


def test_writer_at_work_leaves_it_ready(make_notes: Make, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    make_file(path)
    client = make_notes(URL.create("sqlite", database=str(path))).test_client()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert readiness(client)[1]["result"] == "pass"


# --- servers ------------------------------------------------------------------------------------


@pytest.fixture
def execute(new_database: Any) -> Callable[..., None]:
    def execute(url: URL, *statements: str) -> None:
        engine = sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    return execute


def test_postgresql_that_was_read_only_recovers(make_notes: Make, new_database: Any, execute: Any) -> None:
    url = new_database("postgresql")
    execute(url, "CREATE TABLE notes_note (number INTEGER)")
    app = make_notes(url)
    client = app.test_client()
    setting = f"ALTER DATABASE {url.database} SET default_transaction_read_only"
    write_again = ("SET default_transaction_read_only = off", f"ALTER DATABASE {url.database} RESET ALL")

    execute(url, f"{setting} = on")
    with app.app_context():
        db.engine.dispose()
    assert writes(client) == [503, 503]
    assert client.get("/notes").json == {"count": 0}
    # Connections keep what they began with.
    execute(url, *write_again)
    found = [writes(client) for _ in range(2)]

    assert found[-1] == [201, 201]
    assert sum(status == 503 for one in found for status in one) <= 1


def test_read_only_postgresql_is_named(make_notes: Make, new_database: Any, execute: Any) -> None:
    url = new_database("postgresql")
    execute(
        url,
        "CREATE TABLE notes_note (number INTEGER)",
        "CREATE TABLE core_idempotency_key (id VARCHAR(64), status SMALLINT)",
        f"ALTER DATABASE {url.database} SET default_transaction_read_only = on",
    )
    client = make_notes(url).test_client()
    status, check = readiness(client)
    assert (status, check["result"], check["hint"]) == (503, "fail", "Let the database be written.")
    execute(url, "SET default_transaction_read_only = off", f"ALTER DATABASE {url.database} RESET ALL")
    # Each check has a connection of its own, and those that began read-only are given up one after the other.
    found = [readiness(client)[1]["result"] for _ in range(10)]
    assert found[-1] == "pass"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1290, "The MariaDB server is running with the --read-only option so it cannot execute this statement"),
        (1792, "Cannot execute statement in a READ ONLY transaction"),
        (1836, "Running in read-only mode"),
    ],
)
def test_read_only_mariadb_gets_503(make_notes: Make, new_database: Any, execute: Any, number: int, words: str) -> None:
    url = new_database("mariadb")
    execute(url, "CREATE TABLE notes_note (number INTEGER)")
    refusal = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = '{words}'"
    execute(url, f"CREATE TRIGGER notes_refuse BEFORE INSERT ON notes_note FOR EACH ROW {refusal}")
    app = make_notes(url)
    client = app.test_client()
    with app.app_context():
        (before,) = cursors.read("SELECT connection_id() AS number")
    assert writes(client) == [503, 503]
    with app.app_context():
        (after,) = cursors.read("SELECT connection_id() AS number")
    assert before != after
    execute(url, "DROP TRIGGER notes_refuse")
    assert writes(client) == [201, 201]


def test_read_only_mariadb_session_is_replaced(make_notes: Make, new_database: Any, execute: Any) -> None:
    url = new_database("mariadb")
    execute(url, "CREATE TABLE notes_note (number INTEGER)")
    app = make_notes(url)
    client = app.test_client()
    with app.app_context(), closing(db.engine.raw_connection()) as connection:
        connection.cursor().execute("SET SESSION TRANSACTION READ ONLY")
    assert writes(client) == [503, 201]
    assert client.get("/notes").json == {"count": 1}
