"""Headers of every answer, from any source, and those that a page can ask for beyond that."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser
from playwright.sync_api import Page
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from core.http.headers import DATA_POLICY
from core.http.headers import PAGE_POLICY
from core.http.headers import PERMISSIONS_POLICY
from core.http.headers import csp
from services import db
from tests.core import responses
from tests.core import warehouse

EVERY = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
PAGE = {
    **EVERY,
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
DATA = {**EVERY, "Content-Security-Policy": DATA_POLICY}
HSTS = "Strict-Transport-Security"
NAMES = {*PAGE, HSTS}

#: Method, path, headers of the request; status, and what the answer is.
ANSWERS: list[tuple[str, str, dict[str, str], int, dict[str, str]]] = [
    ("GET", "/responses/page", {}, 200, PAGE),
    ("HEAD", "/responses/page", {}, 200, PAGE),
    ("GET", "/responses/slash", {}, 308, PAGE),
    ("GET", "/responses/away", {}, 302, PAGE),
    ("GET", "/responses/broken", {}, 500, PAGE),
    ("GET", "/responses/page?q=%ff", {}, 400, PAGE),
    ("GET", "/responses/page", {"Host": "evil.example.org"}, 400, PAGE),
    ("DELETE", "/responses/page", {}, 405, PAGE),
    ("POST", "/responses/page", {}, 405, PAGE),
    ("GET", "/nowhere", {}, 404, PAGE),
    ("GET", "/nowhere", {"Accept": "application/json"}, 404, DATA),
    ("GET", "/static/none.css", {}, 404, PAGE),
    ("OPTIONS", "/responses/page", {}, 200, DATA),
    ("GET", "/responses/words", {}, 200, DATA),
    ("GET", "/static/site.css", {}, 200, DATA),
    ("GET", "/static/favicon.svg", {}, 200, DATA),
    ("GET", "/static/site.css", {"Range": "bytes=0-1"}, 206, DATA),
    ("GET", "/static/site.css", {"Range": "bytes=999999-"}, 416, PAGE),
    ("GET", "/warehouse/things", {}, 200, DATA),
    ("GET", "/warehouse/things/1", {}, 404, DATA),
    ("GET", "/warehouse/things?wrong=1", {}, 400, DATA),
    ("POST", "/warehouse/things", {"Content-Type": "text/plain"}, 415, DATA),
    ("OPTIONS", "/warehouse/things", {}, 200, DATA),
    ("DELETE", "/warehouse/things", {}, 405, DATA),
    ("GET", "/warehouse/nowhere", {}, 404, DATA),
]


@pytest.fixture
def make_client(make_app: Callable[..., Flask], new_database: Callable[[str], URL]) -> Callable[..., FlaskClient]:
    def make(**config: Any) -> FlaskClient:
        app = make_app(new_database("sqlite"), [warehouse.__name__, responses.__name__], **config)
        with app.app_context():
            warehouse.Base.metadata.create_all(db.engine)
        return app.test_client()

    return make


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client of a site with pages, files and an API."""
    return make_client()


def security(answer: TestResponse) -> dict[str, str]:
    """Return the headers that are about security, each of which stands there once."""
    names = [name for name, _ in answer.headers if name in NAMES]
    assert len(names) == len(set(names))
    return {name: answer.headers[name] for name in names}


@pytest.mark.parametrize(("method", "path", "sent", "status", "expected"), ANSWERS)
def test_answer_headers_by_kind(
    client: FlaskClient, method: str, path: str, sent: dict[str, str], status: int, expected: dict[str, str]
) -> None:
    with client.open(path, method=method, headers=sent) as answer:
        assert answer.status_code == status
        assert security(answer) == expected
        assert "no-cache" in answer.headers["Cache-Control"] or "no-store" in answer.headers["Cache-Control"]
        assert not {"Server", "X-Powered-By"} & set(answer.headers.keys())


def test_large_body_refused_with_headers(make_client: Callable[..., FlaskClient]) -> None:
    guest = make_client(MAX_CONTENT_LENGTH=100)
    page = guest.post("/responses/form", data={"name": "x" * 200})
    assert (page.status_code, security(page)) == (413, PAGE)
    document = guest.post("/warehouse/things", data="x" * 200, content_type="application/json")
    assert (document.status_code, security(document)) == (413, DATA)


@pytest.mark.parametrize("path", ["/static/site.css", "/warehouse/tags/a"])
def test_not_modified_keeps_headers(client: FlaskClient, path: str) -> None:
    client.post("/warehouse/tags", json={"code": "a", "title": "A"})
    with client.get(path) as first, client.get(path, headers={"If-None-Match": first.headers["ETag"]}) as again:
        assert (first.status_code, again.status_code) == (200, 304)
        assert security(again) == EVERY
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]


# --- https --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/responses/page", "/warehouse/things", "/static/site.css", "/nowhere", "/responses/away"]
)
@pytest.mark.parametrize(("subdomains", "expected"), [(False, "max-age=9"), (True, "max-age=9; includeSubDomains")])
def test_hsts_sent_over_https(
    make_client: Callable[..., FlaskClient], path: str, subdomains: bool, expected: str
) -> None:
    guest = make_client(HSTS_SECONDS=9, HSTS_SUBDOMAINS=subdomains)
    with guest.get(path, base_url="https://localhost") as secure, guest.get(path) as plain:
        assert secure.headers[HSTS] == expected
        assert HSTS not in plain.headers
    with guest.get("/static/site.css", base_url="https://localhost") as first:
        sent = {"If-None-Match": first.headers["ETag"]}
    with guest.get("/static/site.css", base_url="https://localhost", headers=sent) as unchanged:
        assert (unchanged.status_code, unchanged.headers[HSTS]) == (304, expected)


def test_hsts_can_be_disabled(client: FlaskClient) -> None:
    assert HSTS not in client.get("/responses/page", base_url="https://localhost").headers


# --- who may keep it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "sent", "expected"),
    [
        ("/responses/page", {}, "private, no-cache"),
        ("/responses/words", {}, "private, no-cache"),
        ("/responses/page", {"Cookie": "session=x"}, "no-store"),
        ("/responses/words", {"Cookie": "session=x"}, "no-store"),
        ("/responses/page", {"Authorization": "Bearer x"}, "no-store"),
        ("/responses/remembers", {}, "no-store"),
        ("/responses/public", {}, "public, max-age=60"),
        ("/responses/public", {"Cookie": "session=x"}, "public, max-age=60"),
        ("/nowhere", {}, "no-store"),
    ],
)
def test_private_page_not_cached(client: FlaskClient, path: str, sent: dict[str, str], expected: str) -> None:
    plain = client.application.test_client(use_cookies=False)
    answer = plain.get(path, headers=sent)
    assert answer.headers["Cache-Control"] == expected


@pytest.mark.parametrize(
    "path", ["/responses/page", "/responses/public", "/responses/remembers", "/responses/own", "/nowhere"]
)
def test_page_varies_by_cookie(client: FlaskClient, path: str) -> None:
    assert ", ".join(client.get(path).headers.getlist("Vary")).lower().split(", ").count("cookie") == 1


def test_fingerprinted_file_immutable(client: FlaskClient) -> None:
    with client.get("/static/site.css?v=0123456789") as kept, client.get("/static/site.css") as asked_again:
        assert set(kept.headers["Cache-Control"].split(", ")) == {"public", "max-age=31536000", "immutable"}
        assert asked_again.headers["Cache-Control"] == "no-cache"


def test_sign_out_empties_the_cache(client: FlaskClient) -> None:
    assert client.get("/responses/signed-out").headers["Clear-Site-Data"] == '"cache"'


def test_view_headers_kept(client: FlaskClient) -> None:
    answer = client.get("/responses/own")
    assert security(answer) == {
        **PAGE,
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Frame-Options": "SAMEORIGIN",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


# --- what a page may ask for --------------------------------------------------------------------


def policy_of(answer: TestResponse) -> dict[str, list[str]]:
    """Return the directives of a page's policy."""
    parts = [part.split(" ") for part in answer.headers["Content-Security-Policy"].split("; ")]
    return {name: values for name, *values in parts}


def test_nonce_is_for_one_page_once(client: FlaskClient) -> None:
    first, second = client.get("/responses/inline"), client.get("/responses/inline")
    nonces = [re.findall('nonce="([^"]+)"', answer.text) for answer in (first, second)]
    assert nonces[0][0] == nonces[0][1] != nonces[1][0]
    assert re.fullmatch(r"[\w-]{22}", nonces[0][0])
    sources = ["'self'", f"'nonce-{nonces[0][0]}'"]
    expected = {**policy_of(client.get("/responses/page")), "script-src": sources, "style-src": sources}
    assert policy_of(first) == expected


def test_declared_sources_allowed(client: FlaskClient) -> None:
    expected = policy_of(client.get("/responses/page"))
    expected["img-src"] = ["'self'", "data:", "https://tiles.example.org"]
    expected["frame-src"] = ["https://player.example.org/embed/"]
    assert policy_of(client.get("/responses/map")) == expected
    assert [source[:7] for source in policy_of(client.get("/responses/map?nonce=1"))["script-src"]] == [
        "'self'",
        "'nonce-",
    ]


@pytest.mark.parametrize(
    ("directive", "source"),
    [
        ("script_src", "'unsafe-inline'"),
        ("script_src", "'unsafe-eval'"),
        ("script_src", "'unsafe-hashes'"),
        ("script_src", "'strict-dynamic'"),
        ("style_src", "'unsafe-inline'"),
        ("script_src", "https:"),
        ("script_src", "*"),
        ("script_src", "https://*"),
        ("script_src", "https://*.org"),
        ("script_src", "data:"),
        ("style_src", "data:"),
        ("frame_src", "data:"),
        ("img_src", "http://example.org"),
        ("img_src", "example.org"),
        ("img_src", "https://example.org;script-src"),
        ("img_src", "https://example.org,x"),
        ("default_src", "'self'"),
        ("object_src", "'self'"),
        ("base_uri", "'self'"),
        ("frame_ancestors", "https://example.org"),
        ("sandbox", "allow-scripts"),
        ("report_uri", "https://example.org"),
    ],
)
def test_page_cannot_be_made_unsafe(directive: str, source: str) -> None:
    with pytest.raises(ValueError, match=directive.replace("_", "-")):
        csp(**{directive: source})


@pytest.mark.parametrize(
    ("directive", "source"),
    [
        ("script_src", "https://cdn.example.org:8443/lib/a.js"),
        ("script_src", "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"),
        ("img_src", "https://*.tile.example.org blob:"),
        ("connect_src", "wss://feed.example.org"),
        ("worker_src", "'self'"),
    ],
)
def test_sources_that_are_named_are_taken(directive: str, source: str) -> None:
    csp(**{directive: source})


# --- in a browser -------------------------------------------------------------------------------


def test_only_nonce_scripts_run(
    client: FlaskClient, live_server: Callable[[Flask], str], page: Page, browser: Browser
) -> None:
    url = live_server(client.application)
    page.goto(f"{url}/responses/inline")
    assert page.title() == "ran"
    assert page.locator("p").evaluate("one => getComputedStyle(one).color") == "rgb(1, 2, 3)"
    # The console is to say something here, which fails a test that has it from the fixture.
    context = browser.new_context()
    refused: list[str] = []
    smuggled = context.new_page()
    smuggled.on("console", lambda message: refused.append(message.text))
    smuggled.goto(f"{url}/responses/smuggled")
    assert smuggled.title() == "Responses"
    assert len([text for text in refused if "Content Security Policy" in text]) == 2
    context.close()


def test_browser_understands_every_header(client: FlaskClient, live_server: Callable[[Flask], str], page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{live_server(client.application)}/responses/page")
    assert said == []
    features = page.evaluate("document.featurePolicy.allowedFeatures()")
    assert "publickey-credentials-get" in features
    assert not {"camera", "microphone", "geolocation", "payment", "usb"} & set(features)
