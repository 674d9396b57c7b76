import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from flask import Blueprint
from flask import Flask
from flask.testing import FlaskClient
from flask_restful import Resource
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from core.access import ANONYMOUS
from core.access import Identity
from core.access import identity
from core.access import set_identity_loader
from core.api import limits
from core.declarations import enforced
from core.http.apis import mark_api
from core.modules import ModuleError
from core.rest import Api
from core.rest import ModelResource
from services import db
from tests.core import warehouse
from tests.processes import until

bp = Blueprint("shop", __name__, url_prefix="/shop")
v1 = Blueprint("v1", __name__, url_prefix="/v1", static_folder="templates")
v2 = Blueprint("v2", __name__, url_prefix="/v2")
free = Blueprint("free", __name__, url_prefix="/free")
mark_api(bp)
mark_api(free)
limits.limit(bp, "5 per hour")
limits.limit(v2, "2 per hour; 3 per day")


@v1.get("/one")
@v1.get("/two", endpoint="two")
def one() -> str:
    return "one"


@v1.get("/rare")
@limits.limited("1 per hour")
def rare() -> str:
    return "rare"


@v1.get("/quick")
@limits.limited("1 per second")
def quick() -> str:
    return "quick"


@v1.get("/broken")
def broken() -> str:
    raise RuntimeError


@v2.get("/one")
def several() -> str:
    return "one"


@free.get("/one")
def unlimited() -> str:
    return "one"


class Things(ModelResource):
    verbs = warehouse.things
    schema = warehouse.ThingSchema
    rate_limit = "20 per hour"


class Plain(Resource):
    rate_limit = "1 per hour"

    def get(self) -> dict[str, str]:
        return {}


Things.register(Api(free), "/things")
Api(v1).add_resource(Plain, "/plain")
bp.register_blueprint(v1)
bp.register_blueprint(v2)

LOCAL = URL.create("sqlite")


@pytest.fixture
def make_limited_app(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Make applications of this module: ``make_shop(KEY=value)``."""
    return lambda **overrides: make_app(LOCAL, ["app.bulk", __name__, "app.limits"], **overrides)


@pytest.fixture
def app(make_limited_app: Callable[..., Flask]) -> Flask:
    return make_limited_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def left(answer: TestResponse) -> tuple[int, int]:
    return int(answer.headers["X-RateLimit-Limit"]), int(answer.headers["X-RateLimit-Remaining"])


def codes(client: FlaskClient, url: str, count: int, **options: Any) -> list[int]:
    return [client.get(url, **options).status_code for _ in range(count)]


# --- what is counted ----------------------------------------------------------------------------


def test_rate_limit_refused_with_problem(client):
    assert codes(client, "/shop/v1/one", 5) == [200] * 5

    answer = client.get("/shop/v1/one")

    assert answer.status_code == 429
    assert answer.mimetype == "application/problem+json"
    assert answer.json["type"] == "/problems/too-many-requests"
    assert answer.json["detail"] == "The limit is 5 per hour."
    assert left(answer) == (5, 0)
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert 0 < int(answer.headers["X-RateLimit-Reset"]) - time.time() <= 3601


def test_blueprint_endpoints_share_limit(client):
    assert left(client.get("/shop/v1/one")) == (5, 4)
    assert left(client.get("/shop/v1/two")) == (5, 3)
    assert "Retry-After" not in client.get("/shop/v1/two").headers


def test_view_limit_overrides_blueprint(client):
    assert codes(client, "/shop/v1/rare", 2) == [200, 429]
    assert left(client.get("/shop/v1/one")) == (5, 4)


def test_inner_blueprint_limit_overrides_outer(client):
    assert codes(client, "/shop/v2/one", 3) == [200, 200, 429]
    assert left(client.get("/shop/v1/one")) == (5, 4)


def test_exceeded_limit_is_named(client):
    codes(client, "/shop/v2/one", 2)
    assert left(client.get("/shop/v2/one")) == (2, 0)


def test_callers_are_counted_apart(client):
    codes(client, "/shop/v1/rare", 2)
    assert codes(client, "/shop/v1/rare", 2, environ_base={"REMOTE_ADDR": "10.0.0.2"}) == [200, 429]


def test_known_caller_counts_at_any_address(app, client):
    people = iter([Identity(key="ada"), Identity(key="ada"), Identity(key="eve"), ANONYMOUS])
    set_identity_loader(app, lambda: next(people))
    app.before_request(lambda: identity() and None)

    tried = [codes(client, "/shop/v1/rare", 1, environ_base={"REMOTE_ADDR": f"10.0.0.{n}"})[0] for n in range(2)]
    assert tried == [200, 429]
    assert codes(client, "/shop/v1/rare", 1) == [200], "another one at the first one's address"
    assert codes(client, "/shop/v1/rare", 1) == [200], "no other caller at that address"


def test_counting_loads_no_identity(app, client):
    set_identity_loader(app, lambda: pytest.fail("asked who it is"))

    assert codes(client, "/shop/v1/rare", 2) == [200, 429]


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", 429),
        ("2001:db8::1", "2001:db8:0:1::1", 200),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", 200),
        ("::ffff:10.0.0.1", "10.0.0.1", 429),
        ("fe80::1%eth0", "fe80::2%eth0", 429),
        ("not:an:address", "10.0.0.1", 200),
        (None, "10.0.0.1", 200),
    ],
)
def test_ipv6_callers_are_counted_by_network(client, first, second, status):
    client.get("/shop/v1/rare", environ_base={"REMOTE_ADDR": first})
    assert codes(client, "/shop/v1/rare", 1, environ_base={"REMOTE_ADDR": second}) == [status]


def test_a_period_ends(client):
    while codes(client, "/shop/v1/quick", 2) != [200, 429]:
        time.sleep(0.3)
    until(lambda: codes(client, "/shop/v1/quick", 1) == [200], "that the period ends")


def test_plain_resources_are_limited(client):
    assert codes(client, "/shop/v1/plain", 2) == [200, 429]


def test_resource_counts_all_answers(make_app, database_url):
    app = make_app(database_url("sqlite"), ["app.bulk", __name__, "app.limits"])
    with app.app_context():
        db.session.add(warehouse.Maker(id=1, name="Acme"))
        db.session.commit()
    client = app.test_client()
    created = client.post("/free/things", json={"name": "pen", "maker_id": 1})
    place, tag = created.headers["Location"], created.headers["ETag"]
    listed = client.get("/free/things")
    answers = [
        created,
        listed,
        client.get("/free/things", headers={"If-None-Match": listed.headers["ETag"]}),
        client.get(place),
        client.head(place),
        client.get("/free/things/999"),
        client.get("/free/things?limit=x"),
        client.get("/free/things", headers={"Accept": "text/css"}),
        client.post("/free/things", json={}),
        client.post("/free/things", data="{", content_type="application/json"),
        client.post("/free/things:bulk", json={"operations": []}),
        client.delete(place),
        client.delete(place, headers={"If-Match": tag}),
    ]

    assert [answer.status_code for answer in answers] == [
        *(201, 200, 304, 200, 200, 404, 400, 406, 422, 400, 422, 428, 204)
    ]
    assert [left(answer) for answer in answers] == [(20, 19 - number) for number in range(len(answers))]


def test_bulk_counts_each_operation(make_app, database_url):
    client = make_app(database_url("sqlite"), ["app.bulk", __name__, "app.limits"]).test_client()

    def ask(count: int) -> TestResponse:
        operations = [{"method": "create", "data": {}}] * count
        return client.post("/free/things:bulk", json={"operations": operations})

    assert left(ask(3)) == (20, 17)
    refused = ask(18)
    assert refused.status_code == 429
    assert "counts as 18" in refused.json["detail"]
    assert int(refused.headers["Retry-After"]) > 0
    assert left(refused) == (20, 16), "it counts once, so that a smaller one still passes"
    assert left(ask(16)) == (20, 0)
    assert ask(1).status_code == 429


def test_charge_exceeds_the_shorter_limit(make_app, write_module):
    name = write_module(
        "costly",
        init="""
        from flask import Blueprint
        from core.http.apis import mark_api
        from core.api.limits import charge
        from core.api.limits import limited
        bp = Blueprint("costly", __name__)
        mark_api(bp)
        @bp.get("/costly/<int:parts>")
        @limited("3 per minute; 10 per hour")
        def index(parts):
            charge(parts)
            return ""
        @bp.get("/free/<int:parts>")
        def free(parts):
            charge(parts)
            return ""
        """,
    )
    client = make_app(LOCAL, [name, "app.limits"]).test_client()

    assert left(client.get("/costly/2")) == (3, 1)
    refused = client.get("/costly/2")
    assert (refused.status_code, refused.headers["X-RateLimit-Limit"]) == (429, "3")
    assert client.get("/free/100").status_code == 200


def test_answer_500_has_the_headers(client):
    answer = client.get("/shop/v1/broken")

    assert answer.status_code == 500
    assert left(answer) == (5, 4)


def test_options_are_not_counted(client):
    assert "X-RateLimit-Limit" not in client.options("/shop/v1/rare").headers
    assert "X-RateLimit-Limit" not in client.options("/free/things").headers
    assert codes(client, "/shop/v1/rare", 1) == [200]


# --- what pays nothing --------------------------------------------------------------------------


def test_unlimited_endpoint_untouched(app, client):
    assert "X-RateLimit-Limit" not in client.get("/free/one").headers
    assert app.view_functions["free.unlimited"] is unlimited
    assert app.view_functions["shop.v1.static"].__name__ != "counted"


def test_no_request_hooks_are_installed(app, sqlite_app):
    def hooks(new_app: Flask) -> list[str]:
        found = [new_app.before_request_funcs, new_app.after_request_funcs, new_app.teardown_request_funcs]
        functions = [function for one in found for function in one.get(None, [])]
        return [repr(getattr(function, "func", function)) for function in functions]

    assert not [hook for hook in hooks(app) if "limit" in hook.lower()]
    assert not [hook for hook in hooks(sqlite_app) if "limit" in hook.lower()]


# --- at start -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["often", "", "0 per minute", "5 per minute; 0 per hour", "5", "5 per fortnight"])
def test_wrong_limit_fails_at_start(make_app, write_module, text):
    name = write_module(
        "careless",
        init=f"""
        from flask import Blueprint
        from core.api.limits import limit
        bp = Blueprint("careless", __name__)
        limit(bp, {text!r})
        @bp.get("/careless")
        def index():
            return ""
        """,
    )
    with pytest.raises(ModuleError, match=rf"'careless\.index' is '{text}': write '100 per minute'"):
        make_app(LOCAL, [name, "app.limits"])


@pytest.mark.parametrize("value", [5, True, ["5 per minute"]])
def test_invalid_limit_fails_at_start(make_app, monkeypatch, value):
    monkeypatch.setattr(Things, "rate_limit", value)
    with pytest.raises(ModuleError, match=r"The limit of 'free\.things'"):
        make_app(LOCAL, ["app.bulk", __name__, "app.limits"])


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        ("shop.v1.one", "5 per hour"),
        ("shop.v1.rare", "1 per hour"),
        ("shop.v2.several", "2 per hour; 3 per day"),
        ("free.things_item", "20 per hour"),
        ("free.things_bulk", "20 per hour"),
        ("free.unlimited", None),
        ("nowhere", None),
    ],
)
def test_limit_readable_for_documentation(app, endpoint, text):
    assert enforced(app, endpoint, "rate_limit") == text


def test_limits_may_be_switched_off(make_limited_app):
    customer = make_limited_app(RATE_LIMITS=False).test_client()
    assert codes(customer, "/shop/v1/rare", 3) == [200, 200, 200]


def test_callers_behind_proxy_counted_apart(make_limited_app):
    customer = make_limited_app(PROXY_HOPS=1).test_client()

    def ask(forwarded: str) -> int:
        return customer.get("/shop/v1/rare", headers={"X-Forwarded-For": forwarded}).status_code

    assert [ask("192.0.2.1"), ask("192.0.2.2"), ask("192.0.2.1")] == [200, 200, 429]
    # A value that the client sent stands before the one that the proxy adds.
    assert ask("192.0.2.3, 192.0.2.1") == 429
    # Some gateways write the port as well.
    assert ask("192.0.2.1:4711") == 429


# --- where it is counted ------------------------------------------------------------------------


def test_applications_of_one_process_count_apart(make_limited_app):
    first, second = make_limited_app().test_client(), make_limited_app().test_client()

    assert codes(first, "/shop/v1/rare", 2) == [200, 429]
    assert codes(second, "/shop/v1/rare", 2) == [200, 429]
    assert codes(first, "/shop/v1/rare", 1) == [429]


def test_processes_count_together_in_redis(make_limited_app, start_redis):
    url = str(start_redis().url)
    first, second = (make_limited_app(REDIS_URL=url).test_client() for _ in range(2))

    assert left(first.get("/shop/v1/one")) == (5, 4)
    assert left(second.get("/shop/v1/one")) == (5, 3)
    assert codes(first, "/shop/v1/one", 4) == [200, 200, 200, 429]
    answer = second.get("/shop/v1/one")
    assert left(answer) == (5, 0)
    assert 0 < int(answer.headers["Retry-After"]) <= 3601


def test_parts_count_together_in_redis(make_app, database_url, start_redis):
    redis = start_redis()
    first, second = (
        make_app(database_url("sqlite"), ["app.bulk", __name__, "app.limits"], REDIS_URL=str(redis.url)).test_client()
        for _ in range(2)
    )
    body = {"operations": [{"method": "create", "data": {}}] * 7}

    assert left(first.post("/free/things:bulk", json=body)) == (20, 13)
    assert left(second.post("/free/things:bulk", json=body)) == (20, 6)
    redis.stop()
    assert first.post("/free/things:bulk", json=body).status_code == 200


def test_processes_count_alone_without_redis(make_limited_app, start_redis, caplog):
    redis = start_redis()
    client = make_limited_app(REDIS_URL=str(redis.url)).test_client()
    codes(client, "/shop/v1/rare", 2)
    redis.stop()

    assert codes(client, "/shop/v1/rare", 3) == [200, 429, 429]
    assert len([record for record in caplog.records if "each process counts for itself" in record.message]) == 1
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


def test_redis_that_is_back_counts_again(make_limited_app, start_redis):
    redis = start_redis()
    client = make_limited_app(REDIS_URL=str(redis.url)).test_client()
    redis.stop()
    assert codes(client, "/shop/v1/rare", 2) == [200, 429]
    start_redis(redis.url.port)

    # It is asked for at most once a second; what was counted without it is not counted there.
    until(lambda: codes(client, "/shop/v1/rare", 1) == [200], "that Redis counts again")
    assert codes(client, "/shop/v1/rare", 1) == [429]


def test_concurrent_requests_survive_redis_loss(make_limited_app, start_redis):
    redis = start_redis()
    app = make_limited_app(REDIS_URL=str(redis.url))
    redis.stop()
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: app.test_client().get("/shop/v1/one").status_code, range(48)))

    assert found <= {200, 429}


def test_unresponsive_redis_awaited_once(make_limited_app):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = make_limited_app(REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}/0").test_client()
        started = time.monotonic()

        assert codes(client, "/shop/v1/one", 6) == [200] * 5 + [429]
        # At first, and once for each second that has passed; six would take three seconds.
        assert 1 <= _waiting(silent) <= 1 + (time.monotonic() - started) // 1


def _waiting(listener: socket.socket) -> int:
    """Return how many connections a server was asked for and has not taken yet."""
    listener.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def test_missing_redis_allows_start(make_limited_app):
    client = make_limited_app(REDIS_URL="redis://127.0.0.1:1/0").test_client()

    assert codes(client, "/shop/v1/rare", 2) == [200, 429]
