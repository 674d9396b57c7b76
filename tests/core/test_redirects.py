"""Redirects of a visitor: nowhere but to a path of this site."""

from collections.abc import Callable

import pytest
from flask import Blueprint
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from core.http.apis import mark_api
from core.http.headers import DATA_POLICY
from core.http.redirects import MOST_CHARACTERS
from core.http.redirects import is_own_path
from core.http.redirects import safe_next
from tests.core import responses

OWN = ["/", "/a", "/a/b?c=d&e=/f#g", "/a//b", "/?next=//example.org", "/%C3%BC?q=%20", "/a:b@c", "/#/x", "/a?b=%5C%0A"]

FOREIGN = [
    "",
    " ",
    "a",
    "?a",
    "#a",
    "//example.org",
    "///example.org",
    "/\\example.org",
    "\\\\example.org",
    "\\/example.org",
    "/a\\..\\b",
    "https://example.org",
    "https:/example.org",
    "https:example.org",
    "HTTPS://localhost/",
    "http://localhost/",
    "javascript:alert(1)",
    "data:text/html,x",
    "@example.org",
    "user:password@example.org",
    " //example.org",
    "\t//example.org",
    "/\t/example.org",
    "/\n/example.org",
    "/\r\nSet-Cookie: a=b",
    "/a\0",
    "/\x0b/example.org",
    "/%2F/example.org",
    "/%2fexample.org",
    "/%5Cexample.org",
    "/%5cexample.org",
    "/%09/example.org",
    "/a%0D%0ASet-Cookie:%20a=b",
    "/a%00",
    "/a b",
    "/\u3000a\ud800",
    "/\u2028",
    "/" + "a" * MOST_CHARACTERS,
]


@pytest.mark.parametrize("url", OWN)
def test_local_path_is_next_page(url: str) -> None:
    assert safe_next(url, "/start") == url


@pytest.mark.parametrize("url", [None, *FOREIGN])
def test_foreign_target_uses_default(url: str | None) -> None:
    assert safe_next(url, "/start") == "/start"


#: URLs that parsers disagree about.
_TRICKS = st.lists(
    st.sampled_from(
        [
            *"/\\@:?#.%; \t\n\r\0\x0b\u2028\uff0f\u2044\u3002",
            *("//", "/\\", "..", "%2f", "%5C", "%00", "%2e", "evil.example", "localhost", "[::1]", "a"),
            *("http:", "https:", "javascript:", "data:"),
        ]
    ),
    max_size=8,
).map("".join)
_URLS = st.one_of(_TRICKS, _TRICKS.map(lambda text: f"/{text}"), st.text(max_size=12))


def test_accepted_target_stays_on_site(page: Page) -> None:
    """The judge is Chromium's own parser of URLs."""
    page.goto("about:blank")
    origin = "https://home.example"

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.one_of(_TRICKS, _TRICKS.map(lambda text: f"/{text}"), st.text(max_size=12)), min_size=20, max_size=60
        )
    )
    def hold(urls: list[str]) -> None:
        taken = [url for url in urls if is_own_path(url)]
        reached = page.evaluate(
            "([urls, origin]) => urls.map(url => new URL(url, origin + '/sign-in?next=x').origin)", [taken, origin]
        )
        assert set(reached) <= {origin}, taken

    hold()


# --- the router's own redirects -----------------------------------------------------------------


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    """Return a client of a site that answers to any host."""
    app = make_app(None, [responses.__name__], TRUSTED_HOSTS=None)
    app.add_url_rule("/old/", "old", redirect_to="/responses/page")
    app.add_url_rule("/moved/", "moved", redirect_to="https://elsewhere.example/")
    return app.test_client()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost", "user@evil.example", ""])
@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/responses/slash", "", "/responses/slash/"),
        ("/responses/slash?a=%2F%2Fb&c", "", "/responses/slash/?a=%2F%2Fb&c"),
        ("/responses//slash", "", "/responses/slash/"),
        ("//evil.example/..//responses/slash/", "", None),
        ("/responses/slash", "/shop", "/shop/responses/slash/"),
        ("/old/", "", "/responses/page"),
    ],
)
def test_router_stays_on_host(client: FlaskClient, host: str, path: str, root: str, expected: str | None) -> None:
    answer = client.get(path, headers={"Host": host}, environ_overrides={"SCRIPT_NAME": root})
    place = answer.headers.get("Location")
    assert place == expected or (expected is None and (place is None or is_own_path(place)))
    assert "evil.example" not in answer.text.replace("/evil.example/", "")


def test_rule_to_other_site_allowed(client: FlaskClient) -> None:
    assert client.get("/moved/").headers["Location"] == "https://elsewhere.example/"


# --- a slash too many ---------------------------------------------------------------------------


shop = Blueprint("shop", __name__, url_prefix="/shop")
api = Blueprint("api", __name__, url_prefix="/store")
mark_api(api)


@shop.get("/things")
@shop.get("/things/<name>")
@shop.post("/orders")
@api.route("/things", methods=["GET", "POST"])
@api.get("/things/<name>")
@api.get("/folder/")
def things(name: str = "") -> str:
    return name or "all"


@pytest.fixture
def module_client(make_app: Callable[..., Flask]) -> FlaskClient:
    """Return a client of a site that answers to any host."""
    return make_app(None, [__name__], TRUSTED_HOSTS=None).test_client()


@pytest.mark.parametrize("root", ["", "/site"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/shop/things/", "/shop/things"),
        ("/shop/things/?a=%2F%2Fb&c", "/shop/things?a=%2F%2Fb&c"),
        ("/shop/things//", "/shop/things"),
        ("/shop//things/", "/shop/things"),
        ("/shop/things%2F", "/shop/things"),
        ("/shop/things/a%3Fb%23c%5Cd/", "/shop/things/a%3Fb%23c%5Cd"),
        ("/shop/things/%C3%BC/", "/shop/things/%C3%BC"),
    ],
)
def test_page_redirects_without_the_slash(
    module_client: FlaskClient, path: str, expected: str, method: str, root: str
) -> None:
    headers = {"Host": "evil.example"}
    answer = module_client.open(path, method=method, headers=headers, environ_overrides={"SCRIPT_NAME": root})

    assert (answer.status_code, answer.headers["Location"]) == (308, root + expected)
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("path", "expected"),
    [("//shop/things/", "/shop/things"), ("//evil.example/", None), ("//", None), ("/\\evil.example/", None)],
)
def test_two_slashes_name_no_host(module_client: FlaskClient, path: str, expected: str | None) -> None:
    assert module_client.get("/", environ_overrides={"PATH_INFO": path}).headers.get("Location") == expected


@pytest.mark.parametrize("path", ["/shop/nothing/", "/", "/shop/", "/shop/things/a/b/"])
def test_unknown_address_stays_unknown(module_client: FlaskClient, path: str) -> None:
    answer = module_client.get(path)

    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "leave out the slash" not in answer.text


def test_form_is_not_redirected(module_client: FlaskClient) -> None:
    answer = module_client.post("/shop/orders/", data={"a": "b"})

    assert answer.status_code == 404
    assert "There is nothing at /shop/orders/, but at /shop/orders: leave out the slash at the end." in answer.text


@pytest.mark.parametrize("root", ["", "/site"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/store/things"), ("POST", "/store/things"), ("GET", "/store/things/a")]
)
def test_api_names_the_address(module_client: FlaskClient, method: str, path: str, root: str) -> None:
    answer = module_client.open(f"{path}/", method=method, environ_overrides={"SCRIPT_NAME": root})

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    known = f"There is nothing at {root}{path}/, but at {root}{path}: leave out the slash at the end."
    assert answer.json["detail"] == known


def test_api_redirects_without_a_page(module_client: FlaskClient) -> None:
    answer = module_client.get("/store/folder?a=b")

    assert (answer.status_code, answer.headers["Location"], answer.data) == (308, "/store/folder/?a=b", b"")
    assert "Content-Type" not in answer.headers
    assert answer.headers["Content-Security-Policy"] == DATA_POLICY
