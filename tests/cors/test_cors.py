from collections.abc import Callable

import flask_restful
import pytest
from flask import Blueprint
from flask import Flask
from flask import Response
from flask import jsonify
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from core.api.limits import limited
from core.configuration import ConfigError
from core.http.apis import mark_api
from core.rest import Api
from core.rest import ModelResource
from tests.core import warehouse

LOCAL = URL.create("sqlite")
SITE = "https://site.example"
OTHER = "https://other.example"

shop = Blueprint("shop", __name__, url_prefix="/shop")
v1 = Blueprint("v1", __name__, url_prefix="/v1")
admin_api = Blueprint("admin-api", __name__, url_prefix="/shop/v1/admin")
plain = Blueprint("plain", __name__, url_prefix="/plain")
pages = Blueprint("pages", __name__, url_prefix="/pages")
mark_api(admin_api)
api = Api(v1)


class ThingResource(ModelResource):
    verbs = warehouse.things
    schema = warehouse.ThingSchema


class Plain(flask_restful.Resource):
    def get(self) -> dict[str, str]:
        return {}

    def delete(self) -> None:
        flask_restful.abort(409)


@v1.get("/one")
def one() -> dict[str, str]:
    return {}


@v1.get("/varies")
def varies() -> Response:
    response = jsonify({})
    response.headers.add("Vary", "Accept-Encoding")
    response.headers.add("Vary", "Accept")
    return response


@v1.get("/rare")
@limited("1 per hour")
def rare() -> dict[str, str]:
    return {}


@v1.get("/broken")
def broken() -> str:
    raise RuntimeError


@admin_api.get("/one")
def kiosk_one() -> dict[str, str]:
    return {}


@pages.get("/one")
def page() -> str:
    return "one"


ThingResource.register(api, "/things")
shop.register_blueprint(v1)
flask_restful.Api(plain).add_resource(Plain, "/one")


@pytest.fixture
def make_client(make_app: Callable[..., Flask]) -> Callable[..., FlaskClient]:
    """Make clients of applications of this module: ``make_shop(CORS_ORIGINS=[…])``."""
    return lambda **overrides: make_app(
        LOCAL, ["app.bulk", __name__, "app.cors", "app.limits", "app.deprecation"], **overrides
    ).test_client()


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client(CORS_ORIGINS=[SITE, "http://localhost:*", "http://[::1]:*"])


def allowed(answer: TestResponse) -> str | None:
    (found,) = answer.headers.getlist("Access-Control-Allow-Origin") or [None]
    return found


def granted(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("Access-Control-")}


def preflight(client: FlaskClient, url: str, method: str, origin: str = SITE, headers: str = "") -> TestResponse:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return client.options(url, headers={**asked, "Access-Control-Request-Headers": headers} if headers else asked)


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [SITE, "http://localhost:8001", "http://localhost", "http://[::1]:5173"])
def test_allowed_origin_may_read(client, origin):
    answer = client.get("/shop/v1/one", headers={"Origin": origin})

    assert allowed(answer) == origin
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"ETag", "Link", "Location", "Retry-After", "X-Request-ID", "X-RateLimit-Reset"} <= exposed
    assert {"Deprecation", "Sunset", "Idempotency-Replayed", "X-RateLimit-Limit", "X-RateLimit-Remaining"} <= exposed
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers.getlist("Vary") == ["Origin"]


@pytest.mark.parametrize(
    "origin",
    [
        OTHER,
        "null",
        "",
        "*",
        "http://site.example",
        "https://site.example:8443",
        "https://site.example.evil.org",
        "https://evilsite.example",
        "https://siteXexample",
        "https://site.example\x85",
        "http://localhost.evil.org:80",
        "http://localhost:80.evil.org",
        "http://localhost:",
        "http://evil.org/http://localhost:1",
        "http://1:8000",
        "é",
    ],
)
def test_other_origin_may_not_read(client, origin):
    answer = client.get("/shop/v1/one", headers={"Origin": origin})

    assert answer.status_code == 200
    assert granted(answer) == {}
    assert answer.headers["Vary"] == "Origin"


def test_answer_varies_by_origin(client):
    answer = client.get("/shop/v1/one")

    assert granted(answer) == {}
    assert answer.headers["Vary"] == "Origin"


def test_vary_header_kept(client):
    assert client.get("/shop/v1/varies").headers.getlist("Vary") == ["Accept-Encoding, Accept, Origin"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/shop/v1", 404),
        ("GET", "/shop/v1/nowhere", 404),
        ("POST", "/shop/v1/one", 405),
        ("GET", "/shop/v1/broken", 500),
        ("GET", "/shop/v1/%00", 400),
        ("GET", "/shop/v1/one?q=%00", 400),
        ("POST", "/shop/v1/things", 415),
        ("GET", "/shop/v1/things?limit=x", 400),
        ("POST", "/shop/v1/things:bulk", 415),
        ("GET", "/plain/nowhere", 404),
        ("POST", "/plain/one", 405),
        ("DELETE", "/plain/one", 409),
    ],
)
def test_problems_may_be_read_too(client, method, path, status):
    answer = client.open(path, method=method, headers={"Origin": SITE})

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert allowed(answer) == SITE
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


def test_rate_limit_answer_readable(client):
    answers = [client.get("/shop/v1/rare", headers={"Origin": SITE}) for _ in range(2)]

    assert [(answer.status_code, allowed(answer)) for answer in answers] == [(200, SITE), (429, SITE)]


def test_untrusted_host_may_be_read_too(make_client):
    client = make_client(CORS_ORIGINS=[SITE], TRUSTED_HOSTS=["localhost"])
    answer = client.get("/shop/v1/one", headers={"Origin": SITE, "Host": "evil.org"})

    assert (answer.status_code, allowed(answer)) == (400, SITE)


@pytest.mark.parametrize("path", ["/pages/one", "/shop", "/shop/v10", "/nowhere", "/problems/not-found"])
def test_non_api_not_opened(client, path):
    answer = client.get(path, headers={"Origin": SITE})

    assert granted(answer) == {}
    assert "Origin" not in answer.headers.get("Vary", "")


# --- preflights ---------------------------------------------------------------------------------


def test_preflight_says_what_the_address_takes(client):
    asked = "content-type,idempotency-key,if-match,if-none-match,authorization,x-csrftoken,x-request-id"
    answer = preflight(client, "/shop/v1/things/1", "PATCH", headers=asked)

    assert answer.status_code == 200
    assert allowed(answer) == SITE
    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == {
        *("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
    }
    assert set(answer.headers["Access-Control-Allow-Headers"].split(", ")) == set(asked.split(","))
    assert int(answer.headers["Access-Control-Max-Age"]) >= 600
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/shop/v1/one", "/shop/v1/things", "/plain/one"])
def test_preflight_lists_rule_methods(client, path):
    answer = preflight(client, path, "GET")

    assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == set(answer.allow)
    assert "PUT" not in answer.headers["Access-Control-Allow-Methods"]


def test_preflight_does_not_allow_other_headers(client):
    answer = preflight(client, "/shop/v1/things", "POST", headers="content-type, x-evil, cookie")

    assert answer.headers["Access-Control-Allow-Headers"] == "content-type"


def test_foreign_preflight_refused(client):
    answer = preflight(client, "/shop/v1/things", "POST", origin=OTHER, headers="content-type")

    assert granted(answer) == {}
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("method", ["", "é", "BREW", "GET, POST", "x" * 9000])
def test_preflight_for_no_method_grants_none(client, method):
    answer = preflight(client, "/shop/v1/things", method)

    assert answer.status_code == 200
    assert "Access-Control-Allow-Methods" not in answer.headers


def test_private_networks_stay_closed(client):
    asked = {"Origin": SITE, "Access-Control-Request-Method": "GET", "Access-Control-Request-Private-Network": "true"}
    answer = client.options("/shop/v1/one", headers=asked)

    assert answer.headers["Access-Control-Allow-Private-Network"] == "false"


# --- the configuration --------------------------------------------------------------------------


def test_api_with_own_origins(make_client):
    client = make_client(CORS_ORIGINS=[SITE], CORS_ORIGINS_ADMIN_API=[OTHER])

    def who(path: str) -> list[str | None]:
        return [allowed(client.get(path, headers={"Origin": origin})) for origin in (SITE, OTHER)]

    assert who("/shop/v1/one") == [SITE, None]
    assert who("/shop/v1/admin/one") == [None, OTHER]
    assert who("/plain/one") == [SITE, None]


def test_one_api_can_be_closed(make_client):
    client = make_client(CORS_ORIGINS=["*"], CORS_ORIGINS_SHOP=[])

    assert allowed(client.get("/shop/v1/one", headers={"Origin": SITE})) is None
    assert allowed(client.get("/plain/one", headers={"Origin": SITE})) == "*"


def test_one_api_can_be_opened_alone(make_client):
    client = make_client(CORS_ORIGINS=[], CORS_ORIGINS_PLAIN=[SITE])

    assert allowed(client.get("/plain/one", headers={"Origin": SITE})) == SITE
    assert granted(client.get("/shop/v1/one", headers={"Origin": SITE})) == {}


@pytest.mark.parametrize("headers", [{}, {"Origin": SITE}, {"Origin": "null"}])
def test_wildcard_answer_cacheable(make_client, headers):
    answer = make_client(CORS_ORIGINS=["*"]).get("/shop/v1/one", headers=headers)

    assert allowed(answer) == "*"
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Vary" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_without_origins_nothing_is_installed(make_app):
    closed = make_app(LOCAL, ["app.bulk", __name__, "app.cors", "app.limits", "app.deprecation"])
    opened = make_app(LOCAL, ["app.bulk", __name__, "app.cors", "app.limits", "app.deprecation"], CORS_ORIGINS=[SITE])

    assert len(opened.after_request_funcs[None]) == len(closed.after_request_funcs[None]) + 1
    answer = closed.test_client().get("/shop/v1/one", headers={"Origin": SITE})
    assert granted(answer) == {}
    assert "Vary" not in answer.headers


def test_origins_without_api_fail(make_app):
    with pytest.raises(ConfigError) as caught:
        make_app(LOCAL, ["app.bulk", __name__, "app.cors", "app.limits", "app.deprecation"], CORS_ORIGINS_SHOPS=[SITE])

    (fault,) = caught.value.faults
    assert fault.startswith("CORS_ORIGINS_SHOPS is of no API")
    assert "CORS_ORIGINS_ADMIN_API, CORS_ORIGINS_PLAIN, CORS_ORIGINS_SHOP" in fault
