"""Maintenance mode: its scope, its duration, and its bypass."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.maintenance import closings
from config import ROOT
from services import db
from tests.nginx import NginxSite


@pytest.fixture
def maintenance_file(tmp_path: Path) -> str:
    return str(tmp_path / "instance" / "maintenance.json")


@pytest.fixture
def app(make_app: Callable[..., Flask], maintenance_file: str) -> Flask:
    return make_app(MAINTENANCE_FILE=maintenance_file)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def command(app: Flask, *words: str, exit_code: int = 0) -> str:
    ran = app.test_cli_runner().invoke(args=["maintenance", *words])
    assert ran.exit_code == exit_code, ran.output
    return ran.output


def token_of(output: str) -> str:
    found = re.search(r"bypass_token=(\S+)", output)
    assert found
    return found[1]


def test_page_says_why_and_how_long(app: Flask, client: FlaskClient) -> None:
    command(app, "on", "--message", "New <b>shelves</b>,\n back soon", "--minutes", "30")
    answer = client.get("/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert 29 * 60 <= int(answer.headers["Retry-After"]) <= 30 * 60
    assert answer.headers["Cache-Control"] == "no-store"
    assert "New &lt;b&gt;shelves&lt;/b&gt;, back soon. Expected back by " in answer.text
    assert "Closed for maintenance" in answer.text
    command(app, "off")
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("logs", [False, True])
def test_invalid_request_answered_as_such(make_app: Callable[..., Flask], maintenance_file: str, logs: bool) -> None:
    app = make_app(MAINTENANCE_FILE=maintenance_file, ACCESS_LOG=logs)
    command(app, "on")
    assert app.test_client().get("/", environ_overrides={"QUERY_STRING": "x=\xff"}).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("GET", "/rpc"), ("POST", "/rpc"), ("GET", "/nowhere"), ("POST", "/")])
def test_programs_get_a_problem(app: Flask, client: FlaskClient, method: str, path: str) -> None:
    command(app, "on")
    # Also with a token that does not count, and without that of a form.
    headers = {"Accept": "application/json", "Authorization": "Bearer x"}
    answer = client.open(path, method=method, headers=headers, json={})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert (answer.json["type"], answer.json["detail"]) == ("/problems/maintenance", closings.MESSAGE)
    assert answer.headers["Retry-After"] == "120"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/static/site.css", "/problems/maintenance"])
def test_some_addresses_stay_open(app: Flask, client: FlaskClient, path: str) -> None:
    command(app, "on")
    with client.get(path) as answer:
        assert answer.status_code == 200
    assert client.options("/rpc").status_code == 200
    results = {check["name"]: check["result"] for check in client.get("/health/ready").json["checks"]}
    assert results["maintenance.site_open"] == "warn"


def test_page_needs_no_database(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    command(app, "on")
    monkeypatch.setattr("sqlalchemy.pool.Pool.connect", None)
    client.set_cookie("session", "a copy")
    answer = client.get("/")
    assert (answer.status_code, "Closed for maintenance" in answer.text) == (503, True)
    monkeypatch.undo()
    with app.app_context():
        db.session.execute(db.text("SELECT 1"))


# --- the bypass ---------------------------------------------------------------------------------


def test_bypass_link_lasts_until_end(app: Flask, client: FlaskClient) -> None:
    token = token_of(command(app, "on", "--message", "Soon.", "--bypass"))
    entered = client.get(f"/?a=1&bypass_token={token}&b=2")
    assert (entered.status_code, entered.location) == (303, "/?a=1&b=2")
    assert token not in entered.headers["Set-Cookie"]
    assert "HttpOnly" in entered.headers["Set-Cookie"]
    answer = client.get("/")
    assert answer.status_code == 200
    assert "The site is closed for maintenance: you pass, visitors read “Soon.”" in answer.text
    assert app.test_client().get("/").status_code == 503
    # Said again it stays the same time; a new link takes the place of the old one.
    command(app, "on", "--message", "Later.")
    assert client.get("/").status_code == 200
    command(app, "on", "--bypass")
    assert client.get("/").status_code == 503
    assert client.get(f"/?bypass_token={token}").status_code == 503
    command(app, "off")
    assert "closed for maintenance" not in client.get("/").text


def test_next_maintenance_knows_no_old_link(app: Flask, client: FlaskClient) -> None:
    token = token_of(command(app, "on", "--bypass"))
    assert client.get(f"/?bypass_token={token}").status_code == 303
    command(app, "off")
    command(app, "on")
    assert client.get("/").status_code == 503
    assert client.get(f"/?bypass_token={token}").status_code == 503
    assert client.get("/", headers={"X-Maintenance-Bypass": ""}).status_code == 503


def test_program_passes_by_a_header(app: Flask, client: FlaskClient) -> None:
    token = token_of(command(app, "on", "--bypass"))
    assert client.get("/", headers={"X-Maintenance-Bypass": token}).status_code == 200
    assert client.get("/", headers={"X-Maintenance-Bypass": token[:-1]}).status_code == 503
    assert client.get("/", headers={"X-Maintenance-Bypass": "é"}).status_code == 503


@pytest.mark.parametrize("value", ["", "x", "x.y", "é", "a" * 3000])
def test_foreign_cookie_opens_nothing(app: Flask, value: str) -> None:
    command(app, "on", "--bypass")
    answer = app.test_client(use_cookies=False).get(
        "/", headers={"Cookie": f"maintenance={value}".encode().decode("latin-1")}
    )
    assert answer.status_code == 503


def test_cookie_outlives_a_rotated_secret(app: Flask, make_app: Callable[..., Flask], maintenance_file: str) -> None:
    token = token_of(command(app, "on", "--bypass"))
    cookie = app.test_client().get(f"/?bypass_token={token}").headers["Set-Cookie"].partition(";")[0]
    old = app.config["SECRET_KEY"]
    for fallbacks, status in (([old], 200), ([], 503)):
        rotated = make_app(MAINTENANCE_FILE=maintenance_file, SECRET_KEY="n" * 40, SECRET_KEY_FALLBACKS=fallbacks)
        assert rotated.test_client(use_cookies=False).get("/", headers={"Cookie": cookie}).status_code == status


@pytest.mark.parametrize(
    ("path", "location"),
    [("//example.org/", "/example.org/"), ("/\\example.org", "/"), ("/a?b é", "/a%3Fb%20%C3%A9")],
)
def test_link_leads_to_this_site_only(app: Flask, client: FlaskClient, path: str, location: str) -> None:
    token = token_of(command(app, "on", "--bypass"))
    environ = {"PATH_INFO": path.encode().decode("latin-1")}
    answer = client.open(environ_overrides=environ, query_string=f"bypass_token={token}")
    assert (answer.status_code, answer.location) == (303, location)


@pytest.mark.parametrize("name", ["bypass_token", "bypass%5Ftoken", "%62ypass_token"])
def test_bypass_token_leaves_address(app: Flask, client: FlaskClient, name: str) -> None:
    token = token_of(command(app, "on", "--bypass"))
    assert client.get(f"/?a=%20&{name}={token}").location == "/?a=%20"


# --- the file and the command -------------------------------------------------------------------


def test_unreadable_file_keeps_site_closed(
    app: Flask, client: FlaskClient, maintenance_file: str, caplog: pytest.LogCaptureFixture
) -> None:
    command(app, "on")
    for text in ("", "{", "[]", '{"id": "x"}', '{"since": 3, "until": null}'):
        Path(maintenance_file).write_text(text)
        os.utime(maintenance_file, ns=(hash(text), hash(text)))
        assert client.get("/").status_code == 503
    assert "the site stays closed until `flask maintenance off`" in caplog.text
    command(app, "on", "--message", "Again.")
    assert "Again." in command(app, "status")


def test_file_public_without_secret(app: Flask, maintenance_file: str) -> None:
    token = token_of(command(app, "on", "--bypass"))
    assert token not in Path(maintenance_file).read_text()
    assert os.stat(maintenance_file).st_mode & 0o777 == 0o644
    assert [path.name for path in Path(maintenance_file).parent.iterdir()] == ["maintenance.json"]


def test_many_may_close_it_at_once(maintenance_file: str) -> None:
    """Read whole content meanwhile."""
    broken: list[Any] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = closings.current(maintenance_file)
            if found is not None and not found.id:
                broken.append(found)

    reader = threading.Thread(target=read)
    reader.start()
    writers = [
        threading.Thread(target=lambda: [closings.begin(maintenance_file, "x" * 400, None, True) for _ in range(20)])
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert broken == []
    assert json.loads(Path(maintenance_file).read_text())["message"] == "x" * 400


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--minutes", "0"], "Invalid value for '--minutes'"),
        (["--minutes", "5", "--until", "2999-01-01"], "Give --minutes or --until, not both."),
        (["--until", "2020-01-01T10:00"], "is over"),
        (["--until", "soon"], "is no moment: write 22:30"),
        (["--message", "x" * 501], "The message has 501 characters"),
    ],
)
def test_wrong_words_close_nothing(app: Flask, client: FlaskClient, words: list[str], fault: str) -> None:
    assert fault in command(app, "on", *words, exit_code=2)
    assert client.get("/").status_code == 200


def test_moments_parsed_as_written(app: Flask, maintenance_file: str) -> None:
    before = datetime.now(UTC)
    for text in (f"{datetime.now() - timedelta(minutes=2):%H:%M}", f"{datetime.now() + timedelta(minutes=2):%H:%M}"):
        command(app, "on", "--until", text)
        found = closings.current(maintenance_file)
        assert found is not None
        assert found.until is not None
        assert before < found.until <= before + timedelta(days=1)
    command(app, "on", "--until", "2999-05-01T12:00+02:00")
    assert "by 1 May 2999, 10:00 UTC." in command(app, "status")


def test_longer_maintenance_reported(app: Flask, client: FlaskClient, maintenance_file: str) -> None:
    closings.begin(maintenance_file, None, datetime.now(UTC) - timedelta(hours=1), False)
    assert client.get("/").headers["Retry-After"] == "30"
    assert "That is over." in command(app, "status")
    assert "was open already" not in command(app, "off")
    assert "was open already" in command(app, "off")
    assert command(app, "status") == "The site is open.\n"


def test_unwritable_folder_named(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    app = make_app(MAINTENANCE_FILE=str(tmp_path / "file" / "maintenance.json"))
    assert "maintenance.json cannot be written: " in command(app, "on", exit_code=1)


def test_processes_close_at_once(
    start_nginx: Callable[..., NginxSite], platform: Callable[[str], Any], maintenance_file: str
) -> None:
    url = platform("sqlite").render_as_string(hide_password=False)
    variables = {"DATABASE_URL": url, "MAINTENANCE_FILE": maintenance_file, "WEB_CONCURRENCY": "2"}
    front = start_nginx("run:app", **variables)

    def say(*words: str) -> None:
        environ = {"PATH": os.environ["PATH"], "APP_ENV": "testing", **variables}
        order = [sys.executable, "-m", "flask", "--app", "run", "maintenance", *words]
        subprocess.run(order, cwd=ROOT, env=environ, check=True, capture_output=True, timeout=120)

    def statuses() -> set[int]:
        return {front.ask("/").status for _ in range(12)}

    assert statuses() == {200}
    say("on")
    assert statuses() == {503}
    assert front.ask("/health/live").status == 200
    say("off")
    assert statuses() == {200}
