"""The rendered site, in the real nginx before the real gunicorn."""

import contextlib
import json
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.nginx import Answer
from tests.nginx import NginxSite
from tests.processes import until
from tests.servers import Missing

ENVIRON = {"APP_ENV": "testing", "SECRET_KEY": "only-for-tests-0123456789-abcdefghij", "DATABASE_URL": "sqlite://"}
ENVIRON |= {"PROXY_HOPS": "1", "HTTPS": "true", "HSTS_SECONDS": "31536000", "LOG_FORMAT": "json"}
JSON = {"Accept": "application/json"}
SECURITY = ("x-content-type-options", "cross-origin-resource-policy", "strict-transport-security")


def start(*options: str) -> NginxSite:
    try:
        return NginxSite("run:app", ENVIRON, *options)
    except Missing as missing:
        require(None, str(missing))
        raise


@pytest.fixture(scope="module")
def nginx() -> Iterator[NginxSite]:
    """Serve the platform; it has no tables. From other addresses one request a second is let in, and two at once."""
    started = start("--rate=1")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def nginx_alone() -> Iterator[NginxSite]:
    """Serve what nginx serves by itself."""
    started = start()
    started.stop_upstream()
    yield started
    started.stop()


def curl(nginx: NginxSite, *words: str) -> str:
    command = ["curl", "--silent", "--show-error", "--cacert", str(nginx.certificate), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def has_line(nginx: NginxSite, **parts: object) -> bool:
    """Wait until nginx has written a line like this: it does so after it has answered."""
    return bool(until(lambda: any(parts.items() <= line.items() for line in nginx.lines()), f"a line with {parts}", 30))


# --- static files -------------------------------------------------------------------------------

FILES = [
    *("/static/site.css", "/static/site.js", "/static/favicon.svg", "/bootstrap/static/css/bootstrap.min.css"),
    *("/accounts/static/passkeys.js", "/docs/static/docs.css"),
]


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("query", ["", "?v=0123456789"])
def test_static_file_has_application_headers(nginx: NginxSite, path: str, query: str) -> None:
    answer, own = nginx.ask(path + query), nginx.ask_upstream(path + query, {"X-Forwarded-Proto": "https"})

    assert has_line(nginx, request_id=answer.headers["x-request-id"], upstream_status="")
    assert (answer.status, answer.text) == (200, own.text)
    same = (*SECURITY, "content-security-policy")
    assert {name: answer.headers[name] for name in same} == {name: own.headers[name] for name in same}
    assert answer.headers["content-type"].split("/")[1] == own.headers["content-type"].split("/")[1]
    caching = {part.strip() for part in answer.headers["cache-control"].split(",")}
    assert caching == ({"public", "max-age=31536000", "immutable"} if query else {"public", "max-age=3600"})
    assert nginx.ask(path, {"If-None-Match": answer.headers["etag"]}).status == 304


@pytest.mark.parametrize("path", ["/static/nothing.css", "/static/", "/static/%2e%2e/__init__.py", "/static../run.py"])
def test_missing_static_file_answered_by_application(nginx: NginxSite, path: str) -> None:
    answer = nginx.ask(path)

    assert (answer.status, "Not found" in answer.text) == (404, True)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert nginx.ask("/static/site.css", method="POST").status == 405


# --- what is sent -------------------------------------------------------------------------------


def test_text_is_compressed(nginx: NginxSite) -> None:
    written = ["--output", "/dev/null", "--write-out", "%{size_download} %header{vary}"]
    for path in ("/", "/static/site.css", "/openapi.json"):
        plain = curl(nginx, *written, url(nginx, path))
        packed = curl(nginx, *written, "--header", "Accept-Encoding: gzip", url(nginx, path))
        assert int(packed.split()[0]) < int(plain.split()[0]) / 2
        assert "Accept-Encoding" in packed
    # Each once, also where both could say it.
    assert nginx.ask("/").headers["strict-transport-security"] == "max-age=31536000"


def url(nginx: NginxSite, path: str) -> str:
    return f"https://localhost:{nginx.https}{path}"


def test_browsers_get_http_2(nginx: NginxSite) -> None:
    assert curl(nginx, "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", url(nginx, "/")) == "2 200"
    assert has_line(nginx, protocol="HTTP/2.0", path="/")


@pytest.mark.parametrize(
    ("version", "is_taken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_of_tls_are_refused(nginx: NginxSite, version: ssl.TLSVersion, is_taken: bool) -> None:
    context = ssl.create_default_context(cafile=nginx.certificate)
    context.minimum_version = context.maximum_version = version
    # Else this side would refuse it already.
    context.set_ciphers("ALL:@SECLEVEL=0")
    refused = contextlib.nullcontext() if is_taken else pytest.raises(ssl.SSLError, match="ALERT")
    with socket.create_connection(("127.0.0.1", nginx.https), 30) as connection, refused:
        context.wrap_socket(connection, server_hostname="localhost").close()


def test_many_ranges_cost_one_file(nginx: NginxSite) -> None:
    whole = nginx.ask("/static/site.css")
    ranges = ",".join(f"{number}-" for number in range(600))

    answer = nginx.ask("/static/site.css", {"Range": f"bytes={ranges}"})

    assert (answer.status, len(answer.text)) == (200, len(whole.text))
    assert nginx.ask("/static/site.css", {"Range": "bytes=0-9"}).status == 206


def test_acme_challenge_served_without_tls(nginx: NginxSite) -> None:
    proofs = nginx.folder / ".well-known" / "acme-challenge"
    proofs.mkdir(parents=True)
    (proofs / "word").write_text("proof")

    answer = nginx.ask_by_http("/.well-known/acme-challenge/word")

    assert (answer.status, answer.text) == (200, "proof")
    redirect = nginx.ask_by_http("/.well-known/other?a=b")
    location = f"https://localhost:{nginx.https}/.well-known/other?a=b"
    assert (redirect.status, redirect.headers["location"]) == (308, location)


def test_plain_http_refused_for_programs(nginx: NginxSite) -> None:
    for path in ("/history/api/v1/changes?limit=1", "/rpc", "/metrics"):
        answer = nginx.ask_by_http(path)
        assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
        assert json.loads(answer.text)["detail"] == "This API is reached by https only."
    assert nginx.ask_by_http("/rpc-of-another").status == 308


# --- what is refused ----------------------------------------------------------------------------


def problem(answer: Answer) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = json.loads(answer.text)
    assert document["status"] == answer.status
    assert document["request_id"] == answer.headers["x-request-id"]
    assert all(name in answer.headers for name in SECURITY)
    assert answer.headers["cache-control"] == "no-store"
    return document


def test_large_body_problem_or_page(nginx: NginxSite) -> None:
    body = b"[" + b" " * 1024 * 1024

    document = problem(nginx.ask("/rpc", {"Content-Type": "application/json"}, "POST", body))
    page = nginx.ask("/", {"Accept": "text/html"}, "POST", body)

    assert (document["type"], document["status"]) == ("/problems/too-large", 413)
    assert (page.status, "<h1>The body is too large</h1>" in page.text) == (413, True)
    assert has_line(nginx, request_id=page.headers["x-request-id"], upstream_status="")


def test_one_address_cannot_take_all(nginx: NginxSite) -> None:
    answers = [nginx.ask("/", source="127.0.0.2") for _ in range(6)]
    files = [nginx.ask("/static/site.css", source="127.0.0.2").status for _ in range(6)]

    refused = [answer for answer in answers if answer.status == 429]
    assert 1 <= len(refused) < 6
    assert "<h1>Too many requests</h1>" in refused[0].text
    assert refused[0].headers["retry-after"] == "1"
    assert problem(nginx.ask("/rpc", source="127.0.0.2"))["type"] == "/problems/too-many-requests"
    assert files == [200] * 6
    # Requests from the machine itself are not counted.
    assert {nginx.ask("/").status for _ in range(6)} == {200}


def test_metrics_are_restricted(nginx: NginxSite) -> None:
    assert nginx.ask("/metrics", source="127.0.0.2").status == 403
    assert has_line(nginx, path="/metrics", status=403, upstream_status="")
    assert nginx.ask("/metrics").status != 403


def test_slow_visitors_delay_no_others(nginx: NginxSite) -> None:
    context = ssl.create_default_context(cafile=nginx.certificate)
    slow = []
    for number in range(60):
        connection = socket.create_connection(("127.0.0.1", nginx.https), 30)
        slow.append(context.wrap_socket(connection, server_hostname="localhost"))
        # Half of a head, or a head and half of a body.
        rest = b"" if number % 2 else b"Content-Length: 100\r\n\r\n[1,"
        slow[-1].sendall(b"POST /rpc HTTP/1.1\r\nHost: localhost\r\n" + rest)

    assert [nginx.ask("/").status for _ in range(5)] == [200] * 5

    assert not [line for line in nginx.lines() if line["path"] == "/rpc" and line["status"] == 499]
    for connection in slow:
        connection.close()


# --- what is logged -----------------------------------------------------------------------------


def test_request_id_same_everywhere(nginx: NginxSite) -> None:
    answer = nginx.ask("/accounts/sign-in", {"X-Request-ID": "chosen-by-a-visitor"}, "POST", b"a=b")

    request_id = answer.headers["x-request-id"]
    assert (len(request_id), answer.status) == (32, 400)
    assert has_line(nginx, request_id=request_id)
    said = [json.loads(line) for line in nginx.log().splitlines() if line.startswith("{")]
    assert [line["logger"] for line in said if line.get("request_id") == request_id]
    assert "chosen-by-a-visitor" not in nginx.log()


def test_log_has_no_secrets(nginx: NginxSite) -> None:
    nginx.ask("/accounts/reset/WyI1Iiwi-secret?token=hidden")
    assert has_line(nginx, path="/accounts/reset/[filtered]")
    nginx.ask("/nowhere?token=hidden", {"User-Agent": 'a"}\\'})
    assert has_line(nginx, path="/nowhere", user_agent='a"}\\')

    text = (nginx.folder / "access.log").read_text()
    assert "WyI1Iiwi" not in text
    assert "hidden" not in text


# --- while the application is down --------------------------------------------------------------


def test_down_page_served_to_browsers(nginx_alone: NginxSite) -> None:
    for path in ("/", "/nowhere", "/static/nothing.css"):
        answer = nginx_alone.ask(path, {"Accept": "text/html,*/*;q=0.8"})
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert "<h1>Not available right now</h1>" in answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert all(name in answer.headers for name in SECURITY)
    assert nginx_alone.ask("/", method="HEAD").status == 503
    assert nginx_alone.ask("/static/site.css").status == 200


@pytest.mark.parametrize(
    ("path", "accept"), [("/history/api/v1/changes", "*/*"), ("/rpc", "text/html"), ("/", "application/json")]
)
def test_down_problem_served_to_programs(nginx_alone: NginxSite, path: str, accept: str) -> None:
    answer = nginx_alone.ask(path, {"Accept": accept}, "POST", b"{}")

    assert problem(answer)["type"] == "/problems/unavailable"
    assert answer.headers["retry-after"] == "5"


def test_nginx_error_page_not_addressable(nginx_alone: NginxSite) -> None:
    assert nginx_alone.ask("/-/down.html").status == 404


@contextlib.contextmanager
def answering(nginx: NginxSite, answer: bytes) -> Iterator[list[bytes]]:
    """Stand in for the application, with one answer to everything; gives what was asked."""
    asked: list[bytes] = []

    def serve(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", nginx.upstream)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        yield asked
        server.shutdown(socket.SHUT_RDWR)


def test_read_retried_write_not(nginx_alone: NginxSite) -> None:
    with answering(nginx_alone, b"") as asked:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            assert nginx_alone.ask("/", method=method, body=b"" if method == "GET" else b"{}").status == 503

    assert [one.partition(b" ")[0] for one in asked] == [b"GET", b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"]


def test_compressed_etag_still_matches(nginx_alone: NginxSite) -> None:
    body = b'"' + b"a" * 2000 + b'"'
    head = b'HTTP/1.1 200 OK\r\nETag: "3.ab"\r\nContent-Type: application/json\r\nConnection: close\r\n'
    with answering(nginx_alone, head + b"Content-Length: %d\r\n\r\n" % len(body) + body) as asked:
        packed = nginx_alone.ask("/", {"Accept-Encoding": "gzip"}).headers["etag"]
        for tag in (packed, '"3.ab"', '"1", "2"', "*"):
            nginx_alone.ask("/", {"If-Match": tag}, "PUT", b"{}")
        nginx_alone.ask("/", method="PUT", body=b"{}")

    assert packed == 'W/"3.ab"'
    sent = [re.search(rb"\r\nIf-Match: ([^\r]*)", one) for one in asked]
    assert [found and found[1] for found in sent] == [None, b'"3.ab"', b'"3.ab"', b'"1", "2"', b"*", None]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_looks_like_the_site(nginx_alone: NginxSite, browser, scheme: str, tmp_path: Path) -> None:
    context = browser.new_context(ignore_https_errors=True, color_scheme=scheme, viewport={"width": 360, "height": 640})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if "503" not in message.text else None)

    page.goto(url(nginx_alone, "/"))

    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(252, 252, 251)" if scheme == "light" else "rgb(15, 21, 20)")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert not [fault for fault in faults if "favicon" not in fault]
    context.close()
