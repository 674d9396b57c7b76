"""Trusted proxies in front, and requests that the servers themselves refuse."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.core import responses
from tests.nginx import Answer
from tests.nginx import NginxSite

#: Headers that a visitor may forge.
SPOOFS = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil.example",
    "X-Real-IP": "192.0.2.66",
    "X-Original-URL": "/nowhere",
    "X-Rewrite-URL": "/nowhere",
    "X-HTTP-Method-Override": "DELETE",
    "X-Forwarded-Ssl": "on",
    "Forwarded": "for=192.0.2.66;host=evil.example;proto=http",
    "Script-Name": "/evil",
    "Path-Info": "/nowhere",
}


@pytest.fixture
def make_client(make_app: Callable[..., Flask]) -> Callable[[int], FlaskClient]:
    return lambda hops: make_app(None, [responses.__name__], PROXY_HOPS=hops).test_client()


@pytest.mark.parametrize(
    ("hops", "sent", "caller", "scheme"),
    [
        (0, {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}, "127.0.0.1", "http"),
        (1, {}, "127.0.0.1", "http"),
        (1, {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}, "192.0.2.1", "https"),
        (1, {"X-Forwarded-For": "192.0.2.66, 192.0.2.1", "X-Forwarded-Proto": "http, https"}, "192.0.2.1", "https"),
        (1, {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https, http"}, "192.0.2.1", "http"),
        (2, {"X-Forwarded-For": "192.0.2.66, 192.0.2.1, 192.0.2.2"}, "192.0.2.1", "http"),
        # It came past the first proxy: what there is of the headers is the visitor's own, or that of the second.
        (2, {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}, "127.0.0.1", "http"),
    ],
)
def test_configured_hops_trusted(
    make_client: Callable[[int], FlaskClient], hops: int, sent: dict[str, str], caller: str, scheme: str
) -> None:
    answer = make_client(hops).get("/responses/echo", headers=sent)
    assert answer.json == {
        "caller": caller, "url": f"{scheme}://localhost/responses/echo", "root": "", "secure": scheme == "https"
    }  # fmt: skip


@pytest.mark.parametrize("hops", [0, 1, 2])
@pytest.mark.parametrize("name", SPOOFS)
def test_other_proxy_headers_ignored(make_client: Callable[[int], FlaskClient], hops: int, name: str) -> None:
    guest = make_client(hops)
    plain = guest.get("/responses/echo")
    assert guest.get("/responses/echo", headers={name: SPOOFS[name]}).json == plain.json
    assert guest.get("/responses/echo", headers={name: f"{SPOOFS[name]}, {SPOOFS[name]}"}).json == plain.json


@pytest.mark.parametrize(
    ("allowed", "peer", "is_believed"),
    [
        (["127.0.0.1", "::1"], "127.0.0.1", True),
        (["127.0.0.1", "::1"], "::1", True),
        (["127.0.0.1", "::1"], "::ffff:127.0.0.1", True),
        (["127.0.0.1", "::1"], "10.0.0.7", False),
        (["127.0.0.1", "::1"], "", True),
        (["127.0.0.1", "::1"], "unknown", False),
        (["10.0.0.0/8"], "10.200.3.4", True),
        (["10.0.0.0/8"], "::ffff:10.200.3.4", True),
        (["10.0.0.0/8"], "11.0.0.1", False),
        (["10.0.0.0/8"], "127.0.0.1", False),
        (["2001:db8::/32"], "2001:db8:1::7", True),
        (["2001:db8::/32"], "10.0.0.7", False),
        (["*"], "203.0.113.9", True),
        (["*"], "unknown", False),
    ],
)
def test_unknown_proxy_not_trusted(
    make_app: Callable[..., Flask], allowed: list[str], peer: str, is_believed: bool
) -> None:
    guest = make_app(None, [responses.__name__], PROXY_HOPS=1, FORWARDED_ALLOW_IPS=allowed).test_client()
    sent = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
    found = guest.get("/responses/echo", headers=sent, environ_overrides={"REMOTE_ADDR": peer}).json
    assert (found["caller"], found["secure"]) == (("192.0.2.1", True) if is_believed else (peer or None, False))


@pytest.mark.parametrize("scheme", ["javascript", "http, javascript", "", "HTTPS", "wss"])
def test_unknown_scheme_ignored(make_client: Callable[[int], FlaskClient], scheme: str) -> None:
    sent = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": scheme}
    found = make_client(1).get("/responses/echo", headers=sent).json
    assert (found["caller"], found["url"]) == ("192.0.2.1", "http://localhost/responses/echo")


def test_unknown_proxy_logged_once(make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture) -> None:
    guest = make_app(None, [responses.__name__], PROXY_HOPS=1).test_client()
    for _ in range(3):
        sent = {"X-Forwarded-For": "192.0.2.1"}
        guest.get("/responses/echo", headers=sent, environ_overrides={"REMOTE_ADDR": "172.18.0.3"})
    (line,) = [record.getMessage() for record in caplog.records if record.name == "core.http.proxies"]
    assert "172.18.0.3" in line
    assert "FORWARDED_ALLOW_IPS" in line


# --- nginx before gunicorn ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def nginx(start_nginx: Callable[..., NginxSite]) -> NginxSite:
    """Serve the module of the tests as a site is served, with one proxy in front."""
    return start_nginx(
        f"core.factory:create_app(installed_apps=['app.deploy', {responses.__name__!r}])", DATABASE_URL="sqlite://"
    )


def echo(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text)
    return found


def test_proxy_passes_address_and_scheme(nginx: NginxSite) -> None:
    # A port that is not the scheme's own would stand in TRUSTED_HOSTS.
    url = "https://localhost/responses/echo"
    assert echo(nginx.ask("/responses/echo")) == {"caller": "127.0.0.1", "url": url, "root": "", "secure": True}


@pytest.mark.parametrize(
    "sent",
    [
        {"X-Forwarded-For": "192.0.2.66"},
        {"X-Forwarded-For": "192.0.2.66, 192.0.2.67, 192.0.2.68"},
        {"X-Forwarded-Proto": "http"},
        {"X-Forwarded-Proto": "javascript"},
        *({name: value} for name, value in SPOOFS.items()),
        # gunicorn believes these of a proxy on its own machine; nginx drops names with an underscore.
        {"SCRIPT_NAME": "/evil"},
        {"PATH_INFO": "/nowhere"},
        {"X_FORWARDED_FOR": "192.0.2.66"},
    ],
)
def test_visitor_cannot_speak_for_the_proxy(nginx: NginxSite, sent: dict[str, str]) -> None:
    assert echo(nginx.ask("/responses/echo", sent)) == echo(nginx.ask("/responses/echo"))


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:443"])
def test_foreign_host_refused_behind_proxy(nginx: NginxSite, host: str) -> None:
    answer = nginx.ask("/responses/echo", {"Host": host})
    assert (answer.status, "evil.example/" in answer.text) == (400, False)


@pytest.mark.parametrize("path", ["/responses/page", "/nowhere", "/static/site.css", "/responses/broken"])
def test_no_answer_names_what_serves_it(nginx: NginxSite, path: str) -> None:
    answer = nginx.ask(path)
    assert answer.headers["server"] == "nginx"
    said = json.dumps(answer.headers).lower() + answer.text.lower()
    assert not [word for word in ("gunicorn", "werkzeug", "flask", "python", "1.22", "x-powered-by") if word in said]


def test_server_alone_names_no_version(nginx: NginxSite) -> None:
    assert nginx.ask_upstream("/responses/page").headers["server"] == "gunicorn"


def test_https_redirect_and_hsts(nginx: NginxSite) -> None:
    answer = nginx.ask_by_http("/responses/page?a=b")
    assert (answer.status, answer.headers["location"]) == (308, f"https://localhost:{nginx.https}/responses/page?a=b")
    assert nginx.ask("/responses/page").headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in nginx.ask_upstream("/responses/page").headers


@pytest.mark.parametrize(
    ("path", "sent", "by_nginx", "by_gunicorn"),
    [
        (f"/responses/page?{'a' * 3000}", {}, 200, 200),
        (f"/responses/page?{'a' * 5000}", {}, 414, 414),
        (f"/responses/page?{'a' * 9000}", {}, 414, 414),
        ("/responses/page", {"X-Long": "a" * 9000}, 400, 431),
        ("/responses/page", {"Cookie": "a=" + "b" * 9000}, 400, 431),
        ("/responses/page", {f"X-Number-{number}": "1" for number in range(200)}, 431, 431),
    ],
    ids=["line", "long line", "longer line", "header", "cookie", "headers"],
)
def test_headers_have_limits(
    nginx: NginxSite, path: str, sent: dict[str, str], by_nginx: int, by_gunicorn: int
) -> None:
    assert nginx.ask(path, sent).status == by_nginx
    assert nginx.ask_upstream(path, sent).status == by_gunicorn


def test_body_limited_behind_proxy(nginx: NginxSite) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert nginx.ask("/responses/fields", headers, "POST", b"a=b").status == 200
    answer = nginx.ask("/responses/fields", headers, "POST", b"a" * 1_100_000)
    assert (answer.status, answer.headers["x-frame-options"]) == (413, "DENY")
    # Headers beyond nginx's limits never reach the application.
    assert nginx.ask("/responses/fields", headers, "POST", b"a" * 4_300_000).status == 413
