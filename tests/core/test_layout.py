"""Headers of every answer, and the layout's parts of the pages."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask import redirect
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.http import problems
from core.http.headers import PAGE_POLICY
from services import db
from tests.core import archive
from tests.core import warehouse

#: A page of every kind: method, path, status.
PAGES = [
    ("GET", "/archive/documents", 200),
    ("GET", "/archive/documents?page=0", 400),
    ("GET", "/archive/documents/new", 200),
    ("GET", "/archive/documents/1", 404),
    ("GET", "/away", 302),
    ("POST", "/archive/documents/new", 400),
    ("DELETE", "/archive/documents", 405),
    ("GET", "/nowhere", 404),
    ("GET", "/problems/stale", 200),
    ("GET", "/problems/unknown", 404),
]


@pytest.fixture
def client(make_app: Callable[..., Flask], new_database: Callable[[str], URL]) -> FlaskClient:
    """Return a client of a site with pages, an API and a redirect."""
    app = make_app(new_database("sqlite"), [archive.__name__, warehouse.__name__])
    app.add_url_rule("/away", "away", lambda: redirect("/archive/documents"))
    with app.app_context():
        archive.Base.metadata.create_all(db.engine)
        warehouse.Base.metadata.create_all(db.engine)
    return app.test_client()


@pytest.mark.parametrize(("method", "path", "status"), PAGES)
def test_page_loads_own_site_only(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'self'")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert re.search("no-(cache|store)", answer.headers["Cache-Control"])


@pytest.mark.parametrize(
    "path", ["/archive/documents", "/warehouse/things", "/nowhere", "/static/site.css", "/static/none.css", "/away"]
)
def test_answer_has_nosniff_and_id(client: FlaskClient, path: str) -> None:
    with client.get(path) as first, client.get(path) as second:
        assert first.headers["X-Content-Type-Options"] == "nosniff"
        assert re.fullmatch("[0-9a-f]{16}", first.headers["X-Request-ID"])
        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    with client.get(path, headers={"X-Request-ID": "from-the-proxy.1"}) as asked:
        assert asked.headers["X-Request-ID"] == "from-the-proxy.1"


@pytest.mark.parametrize("sent", ["short", "x" * 65, "with space", 'quote"-<script>', "ümläut-öä"])
def test_harmful_request_id_replaced(client: FlaskClient, sent: str) -> None:
    answer = client.get("/nowhere", headers={"X-Request-ID": sent.encode().decode("latin-1")})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
    assert answer.headers["X-Request-ID"] in answer.text


@pytest.mark.parametrize("host", ["evil", "evil.example.org", "localhost.evil", "127.0.0.1.evil:80", "a b", ""])
@pytest.mark.parametrize("path", ["/archive/documents", "/nowhere", "/static/site.css"])
def test_untrusted_host_gets_neutral_page(client: FlaskClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "Error 400" in answer.text
    assert "//evil" not in answer.text
    assert answer.headers["Content-Security-Policy"] == PAGE_POLICY


@pytest.mark.parametrize("name", problems.KINDS)
def test_problem_kinds_have_page(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/problems/{name}")
    assert answer.status_code == 200
    assert str(problems.KINDS[name].status) in answer.text


@pytest.mark.parametrize("path", ["/archive/documents", "/nowhere"])
@pytest.mark.parametrize("root", ["", "/shop"])
def test_page_finds_files_below_prefix(client: FlaskClient, path: str, root: str) -> None:
    page = client.get(path, environ_overrides={"SCRIPT_NAME": root}).text
    files = re.findall(r'(?:src|<link [^>]*href)="([^"]*)"', page)
    assert len(files) >= 5
    for url in files:
        assert url.startswith(f"{root}/")
        assert "?v=" in url
        with client.get(url.removeprefix(root)) as file:
            assert file.status_code == 200


def test_pages_of_an_application_without_modules(make_app: Callable[..., Flask]) -> None:
    client = make_app(None, []).test_client()
    answer = client.get("/")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "<nav" not in answer.text
    assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
