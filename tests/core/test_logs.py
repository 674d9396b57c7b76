"""Lines of the log: their request's id, their look, and what they do not show."""

import json
import logging
import subprocess
import sys
import time
from datetime import UTC
from datetime import datetime
from datetime import timedelta

import pytest

from config import ROOT
from core.logs import redact
from core.logs import request_id


@pytest.fixture
def make_bare_app(make_app, new_database):
    """An application of no modules, on an empty database of an engine."""
    return lambda engine_name="sqlite", **config: make_app(new_database(engine_name), [], **config)


# --- the request's id ---------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["a" * 8, "a" * 64, "0192f3c4-8a7e.7b1a_x:y"])
def test_request_id_echoed(make_bare_app, sent):
    assert make_bare_app().test_client().get("/", headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "short", "a" * 65, "with space", "<script>", "täglich1", "a;b=12345"])
def test_invalid_request_id_replaced(make_bare_app, sent):
    made = make_bare_app().test_client().get("/", headers={"X-Request-ID": sent}).headers["X-Request-ID"]

    assert made != sent
    assert len(made) == 16


def test_each_request_has_its_own_id(make_bare_app):
    client = make_bare_app().test_client()

    assert len({client.get("/").headers["X-Request-ID"] for _ in range(20)}) == 20


def test_request_id_only_within_request(make_bare_app):
    app = make_bare_app()
    app.add_url_rule("/ids", view_func=lambda: f"{request_id()} {request_id()}")
    response = app.test_client().get("/ids")

    assert response.text.split() == [response.headers["X-Request-ID"]] * 2
    assert request_id() is None


@pytest.mark.parametrize("style", ["text", "json"])
def test_request_id_in_log_lines(make_bare_app, style, capsys):
    app = make_bare_app(LOG_FORMAT=style)
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
def test_log_time_in_utc(make_bare_app, style, capsys, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        make_bare_app(LOG_FORMAT=style)
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
        "GET /cities?q=github_pat_hunter2 404",
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
from core.logs import redact
for word in ("session", "session-", "a-", "://", "://a:", "password=", 'token="\\\\', "cookie : "):
    redact(word * (50_000 // len(word)))
"""


def test_long_lines_redacted_quickly():
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
def test_json_line_valid_for_anything(make_bare_app, extra, capsys):
    make_bare_app(LOG_FORMAT="json")
    logging.getLogger("shop").error('say "%s" password="a hunter2"', "hello\n", extra=extra)

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["level"] == "ERROR"
    assert "hunter2" not in line


def test_json_exception_line_without_secrets(make_bare_app, capsys):
    make_bare_app(LOG_FORMAT="json")
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
def test_text_log_escapes_line_breaks(make_bare_app, end, capsys):
    make_bare_app(LOG_FORMAT="text")
    logging.getLogger("shop").error("Exception on %s [GET]", f"/boom{end}{FORGED}")

    written = capsys.readouterr().err
    assert written.endswith(f"{FORGED} [GET]\n")
    assert written[:-1].isprintable()


def test_text_log_indents_tracebacks(make_bare_app, capsys):
    app = make_bare_app(LOG_FORMAT="text")

    @app.get("/boom/<rest>")
    def boom(rest):
        raise ValueError(rest)

    assert app.test_client().get(f"/boom/a%0A{FORGED}%1b[1mb").status_code == 500

    first, *others = capsys.readouterr().err.splitlines()
    assert f"Exception on /boom/a\\n{FORGED}" in first
    assert "  Traceback (most recent call last):" in others
    assert len(others) > 4
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def test_secret_before_control_character_redacted(make_bare_app, capsys):
    make_bare_app(LOG_FORMAT="text")
    logging.getLogger("shop").error("password=hun\x01ter2")

    assert "ter2" not in capsys.readouterr().err


@pytest.mark.parametrize("style", ["text", "json"])
def test_colours_are_not_logged(make_bare_app, style, capsys):
    make_bare_app(LOG_FORMAT=style)
    logging.getLogger("werkzeug").warning('"\x1b[31m\x1b[1mGET /nothing\x1b[0m" 404')

    (line,) = capsys.readouterr().err.splitlines()
    message = json.loads(line)["message"] if style == "json" else line.partition("werkzeug: ")[2]
    assert message == '"GET /nothing" 404'


def test_lower_level_not_logged(make_bare_app, capsys):
    make_bare_app(LOG_LEVEL="ERROR")
    logging.getLogger("shop").warning("nearly")

    assert capsys.readouterr().err == ""
