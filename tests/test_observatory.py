"""Grades of Mozilla's HTTP Observatory for the public pages, served by nginx and gunicorn.

The rules are those of https://github.com/mdn/mdn-http-observatory, algorithm version 5 (``src/grader/charts.js``,
``src/analyzer/tests``): 100 to begin with, penalties and bonuses, the latter only where 90 are left without them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask import url_for
from sqlalchemy.engine import URL

from core.platform import platform_of
from tests.nginx import Answer
from tests.nginx import NginxSite

SIX_MONTHS = 15_552_000
BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
UNSAFE = BROAD | {"'unsafe-inline'", "data:"}
PRIVATE = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}


@dataclass
class Scan:
    """Answer that the Observatory looks at.

    :param answer: of the page, by https
    :param plain: of the same page by http
    :param cross: of the page, asked from another origin
    """

    answer: Answer
    plain: Answer
    cross: Answer


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.found.append(dict(attrs))


def policy(scan: Scan) -> dict[str, set[str]]:
    header = scan.answer.headers.get("content-security-policy", "")
    parts = [part.split() for part in header.lower().split(";") if part.strip()]
    assert len({name for name, *_ in parts}) == len(parts), "a directive stands there twice"
    return {name: set(values) or {"'none'"} for name, *values in parts}


def of_policy(scan: Scan) -> int:
    csp = policy(scan)
    if not csp:
        return -25
    script, style, objects = (
        csp.get(name) or csp.get("default-src") or {"*"} for name in ("script-src", "style-src", "object-src")
    )
    if script & UNSAFE or objects & BROAD:
        return -20
    if any(source.startswith(("http:", "ftp:")) for sources in csp.values() for source in sources):
        return -20
    if "'unsafe-eval'" in script | style:
        return -10
    if style & UNSAFE:
        return 0
    return 10 if csp.get("default-src") == {"'none'"} else 5


def of_cookies(scan: Scan) -> int:
    worst = 5 if scan.answer.cookies else 0
    for cookie in scan.answer.cookies:
        name = cookie.partition("=")[0].lower()
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        is_session = "sess" in name or "login" in name
        if is_session and "httponly" not in flags:
            worst = min(worst, -30)
        if "secure" not in flags:
            worst = min(worst, -10 if is_session else -5)
        site = next((flag for flag in flags if flag.startswith("samesite")), None)
        if site is None and "csrf" not in name:
            worst = min(worst, 0)
        elif site not in ("samesite=lax", "samesite=strict"):
            worst = min(worst, -20)
    return worst


def of_sharing(scan: Scan) -> int:
    return -50 if scan.cross.headers.get("access-control-allow-credentials") == "true" else 0


def of_redirection(scan: Scan) -> int:
    place = urlsplit(scan.plain.headers.get("location", ""))
    if scan.plain.status not in (301, 302, 303, 307, 308) or place.scheme != "https":
        return -20
    return 0 if place.hostname == "localhost" else -5


def of_referrer(scan: Scan) -> int:
    value = scan.answer.headers.get("referrer-policy")
    return 0 if value is None else 5 if value in PRIVATE else -5


def of_transport(scan: Scan) -> int:
    found = re.fullmatch(
        "max-age=([0-9]+)(; includeSubDomains)?", scan.answer.headers.get("strict-transport-security", "")
    )
    return -20 if not found else 0 if int(found[1]) >= SIX_MONTHS else -10


def of_integrity(scan: Scan) -> int:
    scripts = _Scripts()
    scripts.feed(scan.answer.text)
    for script in scripts.found:
        source = script.get("src") or ""
        if source.startswith(("//", "http:")):
            return -20 if script.get("integrity") else -50
        if source.startswith("https:") and not script.get("integrity"):
            return -5
    return 0


def of_sniffing(scan: Scan) -> int:
    return 0 if scan.answer.headers.get("x-content-type-options") == "nosniff" else -5


def of_framing(scan: Scan) -> int:
    if "frame-ancestors" in policy(scan):
        return 5
    return 0 if scan.answer.headers.get("x-frame-options") in ("DENY", "SAMEORIGIN") else -20


def of_embedding(scan: Scan) -> int:
    values = {None: 0, "same-origin": 10, "same-site": 10, "cross-origin": 0}
    return values.get(scan.answer.headers.get("cross-origin-resource-policy"), -5)


TESTS = (
    of_policy,
    of_cookies,
    of_sharing,
    of_redirection,
    of_referrer,
    of_transport,
    of_integrity,
    of_sniffing,
    of_framing,
    of_embedding,
)


def score(scan: Scan) -> int:
    """Return the points; from 100 on the grade is A+."""
    points = {test.__name__: test(scan) for test in TESTS}
    without_bonus = 100 + sum(value for value in points.values() if value < 0)
    return max(0, 100 + sum(points.values()) if without_bonus >= 90 else without_bonus)


# --- what is served -----------------------------------------------------------------------------


@pytest.fixture
def sign_in_path(sqlite_app: Flask) -> str:
    with sqlite_app.test_request_context():
        return url_for(platform_of(sqlite_app).sign_in_endpoint)


@pytest.fixture
def scan_page(start_nginx: Callable[..., NginxSite], platform: Callable[[str], URL]) -> Callable[[str], Scan]:
    front = start_nginx("run:app", DATABASE_URL=platform("sqlite").render_as_string(hide_password=False))

    def scan(path: str) -> Scan:
        return Scan(front.ask(path), front.ask_by_http(path), front.ask(path, {"Origin": "https://elsewhere.example"}))

    return scan


def test_public_pages_graded_a_plus(scan_page: Callable[[str], Scan], sign_in_path: str) -> None:
    home, door = scan_page("/"), scan_page(sign_in_path)
    assert (home.answer.status, door.answer.status) == (200, 200)
    # The form's token makes a session, whose cookie is judged as well.
    assert (len(home.answer.cookies), len(door.answer.cookies)) == (0, 1)
    assert (score(home), score(door)) == (130, 135)


@pytest.fixture
def good_scan() -> Scan:
    headers = {
        "content-security-policy": "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
        "referrer-policy": "same-origin",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
    }
    cookies = ["__Host-session=x; Secure; HttpOnly; Path=/; SameSite=Lax"]
    answer = Answer(200, headers, '<script src="/static/site.js"></script>', cookies)
    return Scan(answer, Answer(308, {"location": "https://localhost/"}, "", []), answer)


def test_arithmetic_of_a_good_page(good_scan: Scan) -> None:
    assert score(good_scan) == 135


@pytest.mark.parametrize(
    ("name", "value", "points"),
    [
        ("content-security-policy", "", 55),
        ("content-security-policy", "default-src 'self'; frame-ancestors 'none'", 130),
        ("content-security-policy", "default-src 'none'; script-src 'self' 'unsafe-inline'", 60),
        ("content-security-policy", "script-src 'self'", 60),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'", 125),
        ("content-security-policy", "default-src 'none'; img-src http://a.example; frame-ancestors 'none'", 80),
        ("content-security-policy", "default-src 'none'", 80),
        ("referrer-policy", "unsafe-url", 125),
        ("strict-transport-security", "max-age=0", 125),
        ("strict-transport-security", "", 80),
        ("x-content-type-options", "", 130),
        ("cross-origin-resource-policy", "cross-origin", 125),
        ("cross-origin-resource-policy", "none", 120),
    ],
)
def test_bad_header_lowers_score(good_scan: Scan, name: str, value: str, points: int) -> None:
    assert (
        score(replace(good_scan, answer=replace(good_scan.answer, headers={**good_scan.answer.headers, name: value})))
        == points
    )


def test_arithmetic_of_cookies_scripts_and_redirects(good_scan: Scan) -> None:
    def scored(**changes: object) -> int:
        return score(replace(good_scan, answer=replace(good_scan.answer, **changes)))

    assert scored(cookies=["session=x; HttpOnly; SameSite=Lax"]) == 120
    assert scored(cookies=["session=x; Secure; SameSite=Lax"]) == 70
    assert scored(cookies=["session=x; Secure; HttpOnly"]) == 130
    assert scored(cookies=["csrf=x; Secure"]) == 80
    assert scored(text='<script src="https://cdn.example/x.js"></script>') == 130
    assert scored(text='<script src="//cdn.example/x.js"></script>') == 50
    assert score(replace(good_scan, plain=Answer(200, {}, "", []))) == 80
    assert score(replace(good_scan, plain=Answer(302, {"location": "https://www.example.org/"}, "", []))) == 130
