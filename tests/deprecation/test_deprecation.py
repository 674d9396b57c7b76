import json
import logging
from collections.abc import Callable
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from typing import Any

import pytest
from flask import Blueprint
from flask import Flask
from flask import Response
from flask import jsonify
from flask.testing import FlaskClient
from werkzeug.exceptions import NotFound

from core.api import deprecation
from core.api.deprecation import Deprecation
from core.api.limits import limited
from core.declarations import enforced
from core.http.apis import mark_api
from core.logs import JSONFormatter
from core.logs import TextFormatter
from core.modules import ModuleError
from core.rest import Api
from core.rest import ModelResource
from services import db
from tests.core import warehouse

OLD = Deprecation(
    since=date(2026, 1, 1),
    sunset=date(2027, 1, 1),
    link="https://example.org/v1-ends",
    successor="/shop/v2",
)
RECENT = Deprecation(since=datetime(2026, 6, 1, 12, tzinfo=timezone(timedelta(hours=2))))

bp = Blueprint("shop", __name__, url_prefix="/shop")
v1 = Blueprint("v1", __name__, url_prefix="/v1")
inner = Blueprint("inner", __name__, url_prefix="/inner")
v2 = Blueprint("v2", __name__, url_prefix="/v2")
mark_api(bp)
deprecation.deprecate(v1, OLD)


@v1.get("/one")
@inner.get("/one")
def one() -> str:
    return "one"


@v1.get("/linked")
def linked() -> Response:
    response = jsonify([])
    response.headers.add("Link", '</shop/v1/linked?page=2>; rel="next"')
    response.headers.add("Link", '</shop>; rel="up"')
    return response


@v1.get("/gone")
def gone() -> str:
    raise NotFound


@v1.get("/broken")
def broken() -> str:
    raise RuntimeError


@v1.get("/rare")
@limited("1 per hour")
def rare() -> str:
    return "rare"


@v2.get("/one")
def current() -> str:
    return "one"


@deprecation.deprecated(RECENT)
@v2.get("/recent")
def recent() -> str:
    return "recent"


class Things(ModelResource):
    verbs = warehouse.things
    schema = warehouse.ThingSchema
    deprecation = RECENT


Things.register(Api(v2), "/things")
v1.register_blueprint(inner)
bp.register_blueprint(v1)
bp.register_blueprint(v2)


@pytest.fixture
def app(make_app: Callable[..., Flask], database_url: Callable[[str], Any]) -> Flask:
    app = make_app(database_url("sqlite"), ["app.bulk", __name__, "app.limits", "app.deprecation"])
    with app.app_context():
        db.session.add(warehouse.Maker(id=1, name="Acme"))
        db.session.commit()
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


# --- the headers --------------------------------------------------------------------------------

LINKS = (
    '<https://example.org/v1-ends>; rel="deprecation", <https://example.org/v1-ends>; rel="sunset", '
    '</shop/v2>; rel="successor-version"'
)


@pytest.mark.parametrize(
    ("path", "status"), [("one", 200), ("inner/one", 200), ("gone", 404), ("broken", 500), ("rare", 200)]
)
def test_deprecated_blueprint_marks_answers(client, path, status):
    answer = client.get(f"/shop/v1/{path}")

    assert answer.status_code == status
    assert answer.headers["Deprecation"] == "@1767225600"
    assert answer.headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert answer.headers.getlist("Link") == [LINKS]


def test_rate_limit_answer_is_marked(client):
    client.get("/shop/v1/rare")
    answer = client.get("/shop/v1/rare")

    assert (answer.status_code, answer.headers["Deprecation"]) == (429, "@1767225600")


def test_links_of_the_answer_are_kept(client):
    assert client.get("/shop/v1/linked").headers.getlist("Link") == [
        f'</shop/v1/linked?page=2>; rel="next", </shop>; rel="up", {LINKS}'
    ]


def test_links_follow_mount_path(client):
    answer = client.get("/shop/v1/one", environ_overrides={"SCRIPT_NAME": "/mounted"})

    assert '</mounted/shop/v2>; rel="successor-version"' in answer.headers["Link"]
    assert "<https://example.org/v1-ends>" in answer.headers["Link"]


def test_view_date_in_utc_seconds(client):
    answer = client.get("/shop/v2/recent")

    moment = int(answer.headers["Deprecation"].removeprefix("@"))
    assert datetime.fromtimestamp(moment, UTC) == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert "Sunset" not in answer.headers
    assert "Link" not in answer.headers


def test_resource_marks_all_addresses(client):
    created = client.post("/shop/v2/things", json={"name": "pen", "maker_id": 1})
    listed = client.get("/shop/v2/things")
    answers = [
        created,
        listed,
        client.get("/shop/v2/things", headers={"If-None-Match": listed.headers["ETag"]}),
        client.get(created.headers["Location"]),
        client.post("/shop/v2/things:bulk", json={}),
        client.options("/shop/v2/things"),
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 304, 200, 422, 200]
    assert {answer.headers["Deprecation"] for answer in answers} == {"@1780308000"}


def test_endpoint_that_stays_is_left_alone(app, client):
    answer = client.get("/shop/v2/one")

    assert not {"Deprecation", "Sunset", "Link"} & set(answer.headers.keys())
    assert app.view_functions["shop.v2.current"] is current


# --- who still calls ----------------------------------------------------------------------------


def calls(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "app.deprecation.announcing"]


def test_each_call_is_logged_once(client, caplog):
    client.get("/shop/v1/one", headers={"User-Agent": "basket/1.2"}, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    client.get("/shop/v2/one")
    client.options("/shop/v1/one")
    client.options("/shop/v2/things")

    (record,) = calls(caplog)
    assert record.levelno == logging.INFO
    assert record.getMessage() == "deprecated: GET shop.v1.one, called by 10.0.0.9, 'basket/1.2'"


def test_call_logged_as_json_fields(client, caplog):
    client.get("/shop/v1/one", headers={"User-Agent": "basket/1.2"})

    line = json.loads(JSONFormatter().format(calls(caplog)[0]))
    assert (line["endpoint"], line["caller"], line["user_agent"]) == ("shop.v1.one", "127.0.0.1", "basket/1.2")


@pytest.mark.parametrize("agent", ["a\x1b[31m", "a\x85b", "a' called by 10.0.0.1, 'b", "x" * 5000, "", "é\xa0"])
def test_agent_cannot_forge_the_log(client, caplog, agent):
    client.get("/shop/v1/one", headers={"User-Agent": agent})

    line = TextFormatter("%(message)s").format(calls(caplog)[0])
    assert line.isprintable()
    assert len(line) < 300
    assert line.startswith("deprecated: GET shop.v1.one, called by 127.0.0.1, ")


def test_agent_secrets_not_logged(client, caplog):
    client.get("/shop/v1/one", headers={"User-Agent": "basket token=hunter2"})

    (record,) = calls(caplog)
    assert "hunter2" not in TextFormatter("%(message)s").format(record)
    assert "hunter2" not in JSONFormatter().format(record)


# --- at start -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sunset": date(2025, 12, 31)}, "cannot be gone on 2025-12-31"),
        ({"sunset": datetime(2027, 1, 1)}, "has no zone"),
        ({"link": "https://example.org/a b"}, "is no URL"),
        ({"link": "https://example.org/>; rel=next"}, "is no URL"),
        ({"successor": "https://exämple.org"}, "is no URL"),
        ({"successor": "/v2\r\nSet-Cookie: a=b"}, "is no URL"),
        ({"successor": ""}, "is no URL"),
    ],
)
def test_wrong_deprecation_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Deprecation(since=date(2026, 1, 1), **options)


def test_wrong_deprecation_names_place(make_app, write_module):
    name = write_module(
        "hasty",
        init="""
        from datetime import date
        from flask import Blueprint
        from core.api.deprecation import Deprecation, deprecate
        bp = Blueprint("hasty", __name__)
        deprecate(bp, Deprecation(since=date(2026, 1, 1), sunset=date(2025, 1, 1)))
        """,
    )
    with pytest.raises(ModuleError, match=r"hasty/__init__\.py, line 6: .*cannot be gone on 2025-01-01"):
        make_app(None, [name, "app.deprecation"])


def test_invalid_deprecation_fails_at_start(make_app, monkeypatch):
    monkeypatch.setattr(Things, "deprecation", date(2026, 1, 1))
    with pytest.raises(ModuleError, match=r"'shop\.v2\.things.*write Deprecation\(since"):
        make_app(None, ["app.bulk", __name__, "app.limits", "app.deprecation"])


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        ("shop.v1.one", OLD),
        ("shop.v1.inner.one", OLD),
        ("shop.v1.rare", OLD),
        ("shop.v2.recent", RECENT),
        ("shop.v2.things_bulk", RECENT),
        ("shop.v2.current", None),
        ("nowhere", None),
    ],
)
def test_deprecation_readable_for_documentation(app, endpoint, found):
    assert enforced(app, endpoint, "deprecation") == found
