"""Engines: each connection is set, tried before use, and left to its process."""

import os
import subprocess
import sys

import pytest
from sqlalchemy import create_engine
from sqlalchemy import text

from config import ROOT
from core.data import engines
from services import db

SERVERS = ("postgresql", "mariadb")
CONNECTION_ID = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}


@pytest.fixture
def make_bare_app(make_app, new_database):
    """An application of no modules, on an empty database of an engine."""
    return lambda engine_name="sqlite", **config: make_app(new_database(engine_name), [], **config)


def run(script: str, url, *arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "DATABASE_URL": url.render_as_string(hide_password=False), "SECRET_KEY": "x" * 40}
    command = [sys.executable, "-c", script, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, text=True)


def answer(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output


# --- SQLite -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 1), ("foreign_keys", 1), ("busy_timeout", 5000)],
)
def test_each_sqlite_connection_is_safe(make_bare_app, pragma, value):
    with make_bare_app().app_context():
        assert db.session.scalar(text(f"PRAGMA {pragma}")) == value


COUNT_UP = """
from config import load
from core.factory import create_app
from services import db
from sqlalchemy import text
with create_app(load(), []).app_context():
    print("ready", flush=True)
    input()
    for _ in range(100):
        count = db.session.scalar(text("SELECT count FROM counter"))
        db.session.execute(text("UPDATE counter SET count = :count"), {"count": count + 1})
        db.session.commit()
"""


def test_sqlite_processes_lose_no_update(make_bare_app):
    with make_bare_app().app_context():
        db.session.execute(text("CREATE TABLE counter (count INTEGER)"))
        db.session.execute(text("INSERT INTO counter VALUES (0)"))
        db.session.commit()
        processes = [run(COUNT_UP, db.engine.url) for _ in range(3)]
        # They start to count together, or they might never meet.
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            answer(process)

        assert db.session.scalar(text("SELECT count FROM counter")) == 300


def test_sqlite_reader_does_not_wait(make_bare_app):
    app = make_bare_app()
    app.add_url_rule("/count", view_func=lambda: str(db.session.scalar(text("SELECT count(*) FROM counter"))))
    with app.app_context():
        db.session.execute(text("CREATE TABLE counter (count INTEGER)"))
        db.session.commit()
        with db.engine.begin() as writer:
            writer.execute(text("INSERT INTO counter VALUES (1)"))
            assert app.test_client().get("/count").text == "0"

    assert app.test_client().get("/count").text == "1"


END = """
import gc
import run
from services import db
from sqlalchemy import text
with run.app.app_context():
    db.session.execute(text("CREATE TABLE counter (count INTEGER)"))
    db.session.commit()
print(gc.isenabled(), gc.get_freeze_count() > 10_000)
"""


def test_sqlite_log_merged_at_end(new_database, tmp_path):
    url = new_database("sqlite").set(database=str(tmp_path / "one.db"))

    assert answer(run(END, url)) == "True True\n"
    assert [path.name for path in tmp_path.glob("one.db*")] == ["one.db"]


# --- servers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine_name", "question", "value"),
    [
        ("postgresql", "SHOW timezone", "UTC"),
        ("postgresql", "SHOW lock_timeout", "5s"),
        ("mariadb", "SELECT @@time_zone", "+00:00"),
        ("mariadb", "SELECT @@innodb_lock_wait_timeout", 5),
    ],
)
def test_server_connections_configured(make_bare_app, engine_name, question, value):
    with make_bare_app(engine_name).app_context():
        assert db.session.scalar(text(question)) == value


@pytest.mark.parametrize("engine_name", SERVERS)
def test_ended_connection_replaced_unseen(make_bare_app, engine_name, monkeypatch):
    app = make_bare_app(engine_name)
    app.add_url_rule("/id", view_func=lambda: str(db.session.scalar(text(CONNECTION_ID[engine_name]))))
    monkeypatch.setattr(engines, "PING_AFTER_SECONDS", 0)
    ended = app.test_client().get("/id").text
    end_connection(app, engine_name, ended)

    response = app.test_client().get("/id")

    assert response.status_code == 200
    assert response.text != ended


@pytest.mark.parametrize("engine_name", SERVERS)
def test_connection_ended_in_use_costs_answer(make_bare_app, engine_name):
    app = make_bare_app(engine_name)
    app.add_url_rule("/id", view_func=lambda: str(db.session.scalar(text(CONNECTION_ID[engine_name]))))
    ended = app.test_client().get("/id").text
    end_connection(app, engine_name, ended)

    # It rested for less than PING_AFTER_SECONDS: this answer finds out, and the next is well again.
    assert app.test_client().get("/id").status_code == 503
    assert app.test_client().get("/id").status_code == 200


@pytest.mark.parametrize("engine_name", SERVERS)
def test_connection_dead_at_end_harmless(make_bare_app, engine_name):
    app = make_bare_app(engine_name)

    @app.get("/last")
    def last():
        end_connection(app, engine_name, db.session.scalar(text(CONNECTION_ID[engine_name])))
        return "said"

    before = dict(db.session.registry.registry)
    for _ in range(2):
        assert app.test_client().get("/last").text == "said"
        assert db.session.registry.registry == before


def end_connection(app, engine_name: str, number: str) -> None:
    statement = {"postgresql": f"SELECT pg_terminate_backend({number}, 5000)", "mariadb": f"KILL {number}"}
    with app.app_context():
        engine = create_engine(db.engine.url)
    with engine.begin() as other:
        other.execute(text(statement[engine_name]))
    engine.dispose()


FORK = """
import os, sys
from config import load
from core.factory import create_app
from services import db
from sqlalchemy import text
number = lambda: db.session.scalar(text(sys.argv[1]))
with create_app(load(), []).app_context():
    print(number(), flush=True)
    db.session.remove()
    if child := os.fork():
        os.waitpid(child, 0)
    print(number(), flush=True)
    if not child:
        os._exit(0)
"""


@pytest.mark.parametrize("engine_name", SERVERS)
def test_forked_process_leaves_connections(new_database, engine_name):
    before, of_child, of_parent = answer(run(FORK, new_database(engine_name), CONNECTION_ID[engine_name])).split()

    assert of_child != before
    assert of_parent == before
