import json
import logging
import os
import subprocess
import sys
import time
from datetime import UTC
from datetime import datetime
from datetime import timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy import text

import services
from config import ROOT
from services import db
from services import redact
from services import request_id

SERVERS = ("postgresql", "mariadb")
CONNECTION_ID = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}


@pytest.fixture
def bare(make_app, new_database):
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


# --- the request's id ---------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["a" * 8, "a" * 64, "0192f3c4-8a7e.7b1a_x:y"])
def test_request_id_of_the_caller_is_answered(bare, sent):
    assert bare().test_client().get("/", headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "short", "a" * 65, "with space", "<script>", "täglich1", "a;b=12345"])
def test_request_id_that_is_none_is_replaced(bare, sent):
    made = bare().test_client().get("/", headers={"X-Request-ID": sent}).headers["X-Request-ID"]

    assert made != sent
    assert len(made) == 16


def test_each_request_has_its_own_id(bare):
    client = bare().test_client()

    assert len({client.get("/").headers["X-Request-ID"] for _ in range(20)}) == 20


def test_request_id_is_one_within_a_request_and_none_outside(bare):
    app = bare()
    app.add_url_rule("/ids", view_func=lambda: f"{request_id()} {request_id()}")
    response = app.test_client().get("/ids")

    assert response.text.split() == [response.headers["X-Request-ID"]] * 2
    assert request_id() is None


@pytest.mark.parametrize("style", ["text", "json"])
def test_request_id_stands_in_each_log_line(bare, style, capsys):
    app = bare(LOG_FORMAT=style)
    app.add_url_rule("/log", view_func=lambda: logging.getLogger("shop").warning("sold out") or "")
    app.test_client().get("/log", headers={"X-Request-ID": "request-0001"})
    logging.getLogger("shop").warning("closed")

    inside, outside = capsys.readouterr().err.splitlines()
    if style == "json":
        assert json.loads(inside).items() >= {"request_id": "request-0001", "message": "sold out"}.items()
        assert json.loads(outside)["request_id"] == "-"
    else:
        assert "[request-0001] shop: sold out" in inside
        assert "[-] shop: closed" in outside


@pytest.mark.parametrize("style", ["text", "json"])
def test_log_line_says_its_moment_in_utc(bare, style, capsys, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        bare(LOG_FORMAT=style)
        before = datetime.now(UTC)
        logging.getLogger("shop").warning("sold out")
    finally:
        monkeypatch.undo()
        time.tzset()
    line = capsys.readouterr().err

    moment = json.loads(line)["time"] if style == "json" else line.partition(" ")[0]
    assert moment.endswith("Z")
    assert abs(datetime.fromisoformat(moment) - before) < timedelta(seconds=5)


# --- what stands in a log -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "password=hunter2",
        "password = hunter2",
        "new_password: 'hunter2'",
        '{"password": "hunter2"}',
        '{"password": "correct hunter2 battery"}',
        '{"password": "a\\"hunter2"}',
        "{'token': 'a hunter2'}",
        "Authorization: Bearer hunter2",
        "Authorization: Basic hunter2==",
        "authorization: Token hunter2",
        "Proxy-Authorization: hunter2",
        "Cookie: session=hunter2",
        "Set-Cookie: session=hunter2; Path=/",
        "X-Api-Key: hunter2",
        "https://example.org/?api_key=hunter2&page=2",
        "csrf_token=hunter2",
        "SECRET_KEY=hunter2",
        "postgresql://site:hunter2@db/site",
        "postgresql://site:p@hunter2@db/site",
        "redis://:hunter2@db/0",
        "GET /cities/andamio_pat_hunter2 404",
    ],
)
def test_a_secret_is_redacted(line):
    assert "hunter2" not in redact(line)
    assert "[filtered]" in redact(line)


@pytest.mark.parametrize(
    "line",
    [
        "GET /products?page=2 200",
        "SECRET_KEY is missing: set it",
        "https://example.org:8000/a@b",
        "the session of 12:30 is over",
        "4 tokens were taken",
    ],
)
def test_what_is_no_secret_stays(line):
    assert redact(line) == line


def test_what_stands_around_a_secret_stays():
    assert redact("GET /?api_key=hunter2&page=2 200") == "GET /?api_key=[filtered]&page=2 200"


LONG_LINES = """
from services import redact
for word in ("session", "session-", "a-", "://", "://a:", "password=", 'token="\\\\', "cookie : "):
    redact(word * (50_000 // len(word)))
"""


def test_long_lines_are_redacted_in_no_time():
    # A visitor chooses the path, and the path is logged: 7,000 letters once took ten minutes. In a
    # process of its own, because a regular expression cannot be interrupted.
    subprocess.run([sys.executable, "-c", LONG_LINES], cwd=ROOT, timeout=120, check=True)


@pytest.mark.parametrize(
    "extra",
    [
        {"token": 5},
        {"session": {"a": 1}},
        {"password": None},
        {"tokens": ["a", "b"]},
        {"body": {"password": 'hunter2"', "list": ["token=hunter2"]}},
        {"path": "C:\\password=hunter2\\"},
        {"text": "line\nbreak \u2028 \x00 \ud800"},
    ],
)
def test_a_json_line_is_json_whatever_is_logged(bare, extra, capsys):
    bare(LOG_FORMAT="json")
    logging.getLogger("shop").error('say "%s" password="a hunter2"', "hello\n", extra=extra)

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["level"] == "ERROR"
    assert "hunter2" not in line


def test_an_exception_is_one_json_line_without_its_secrets(bare, capsys):
    bare(LOG_FORMAT="json")
    try:
        raise ValueError("postgresql://site:hunter2@db/site")
    except ValueError:
        logging.getLogger("shop").exception("failed")

    (line,) = capsys.readouterr().err.splitlines()
    assert "Traceback" in json.loads(line)["exc_info"]
    assert "hunter2" not in line


FORGED = "2026-01-01 00:00:00,000 ERROR   [-] shop: robbed"


@pytest.mark.parametrize(
    "end", ["\n", "\r", "\x0b", "\x85", "\u2028", "\x1b[2K\x1b[1G", "\x1b]0;", "\x9b", "\x00", "\u202e"]
)
def test_what_is_logged_as_text_starts_no_line_of_its_own(bare, end, capsys):
    bare(LOG_FORMAT="text")
    logging.getLogger("shop").error("Exception on %s [GET]", f"/boom{end}{FORGED}")

    written = capsys.readouterr().err
    assert written.endswith(f"{FORGED} [GET]\n")
    assert written[:-1].isprintable()


def test_an_exception_logged_as_text_keeps_its_lines_away_from_the_margin(bare, capsys):
    app = bare(LOG_FORMAT="text")

    @app.get("/boom/<rest>")
    def boom(rest):
        raise ValueError(rest)

    assert app.test_client().get(f"/boom/a%0A{FORGED}%1b[1mb").status_code == 500

    first, *others = capsys.readouterr().err.splitlines()
    assert f"Exception on /boom/a\\n{FORGED}" in first
    assert "  Traceback (most recent call last):" in others
    assert len(others) > 4
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def test_a_secret_before_a_control_character_is_redacted_whole(bare, capsys):
    bare(LOG_FORMAT="text")
    logging.getLogger("shop").error("password=hun\x01ter2")

    assert "ter2" not in capsys.readouterr().err


@pytest.mark.parametrize("style", ["text", "json"])
def test_colours_are_not_logged(bare, style, capsys):
    bare(LOG_FORMAT=style)
    logging.getLogger("werkzeug").warning('"\x1b[31m\x1b[1mGET /nothing\x1b[0m" 404')

    (line,) = capsys.readouterr().err.splitlines()
    message = json.loads(line)["message"] if style == "json" else line.partition("werkzeug: ")[2]
    assert message == '"GET /nothing" 404'


def test_a_level_below_the_configured_is_not_logged(bare, capsys):
    bare(LOG_LEVEL="ERROR")
    logging.getLogger("shop").warning("nearly")

    assert capsys.readouterr().err == ""


# --- SQLite -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 1), ("foreign_keys", 1), ("busy_timeout", 5000)],
)
def test_each_sqlite_connection_is_safe(bare, pragma, value):
    with bare().app_context():
        assert db.session.scalar(text(f"PRAGMA {pragma}")) == value


COUNT_UP = """
from config import load
from core import create_app
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


def test_sqlite_loses_no_update_of_several_processes(bare):
    with bare().app_context():
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


def test_a_reader_on_sqlite_does_not_wait_for_a_writer(bare):
    app = bare()
    app.add_url_rule("/count", view_func=lambda: str(db.session.scalar(text("SELECT count(*) FROM counter"))))
    with app.app_context():
        db.session.execute(text("CREATE TABLE counter (count INTEGER)"))
        db.session.commit()
        with db.engine.begin() as writer:
            writer.execute(text("INSERT INTO counter VALUES (1)"))
            assert app.test_client().get("/count").text == "0"

    assert app.test_client().get("/count").text == "1"


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
def test_each_connection_to_a_server_is_set(bare, engine_name, question, value):
    with bare(engine_name).app_context():
        assert db.session.scalar(text(question)) == value


@pytest.mark.parametrize("engine_name", SERVERS)
def test_a_connection_that_the_server_ended_is_replaced_unseen(bare, engine_name, monkeypatch):
    app = bare(engine_name)
    app.add_url_rule("/id", view_func=lambda: str(db.session.scalar(text(CONNECTION_ID[engine_name]))))
    monkeypatch.setattr(services, "PING_AFTER_SECONDS", 0)
    ended = app.test_client().get("/id").text
    end_connection(app, engine_name, ended)

    response = app.test_client().get("/id")

    assert response.status_code == 200
    assert response.text != ended


@pytest.mark.parametrize("engine_name", SERVERS)
def test_a_connection_that_ends_in_use_costs_one_answer(bare, engine_name):
    app = bare(engine_name)
    app.add_url_rule("/id", view_func=lambda: str(db.session.scalar(text(CONNECTION_ID[engine_name]))))
    ended = app.test_client().get("/id").text
    end_connection(app, engine_name, ended)

    # It rested for less than PING_AFTER_SECONDS: this answer finds out, and the next is well again.
    assert app.test_client().get("/id").status_code == 503
    assert app.test_client().get("/id").status_code == 200


@pytest.mark.parametrize("engine_name", SERVERS)
def test_a_connection_that_is_dead_at_the_end_costs_no_answer(bare, engine_name):
    app = bare(engine_name)

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
from core import create_app
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
def test_a_forked_process_leaves_the_connections_to_its_parent(new_database, engine_name):
    before, of_child, of_parent = answer(run(FORK, new_database(engine_name), CONNECTION_ID[engine_name])).split()

    assert of_child != before
    assert of_parent == before
