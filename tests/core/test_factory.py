import json
import logging
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from core import signals
from core.access import permissions
from core.access.security_log import record
from core.platform import platform_of
from services import db

Write = Callable[..., str]
Make = Callable[..., Flask]

# The tutorials' queries are legacy to SQLAlchemy, which warns; they work all the same.
pytestmark = pytest.mark.filterwarnings("ignore:The Query.get")

#: The classic style, as the tutorials teach it: nothing in it knows this platform but its ``db``.
CLASSIC = {
    "init": """
        from flask import Blueprint

        api_bp = Blueprint("api", __name__)

        from classic.store import routes
    """,
    "routes": """
        from flask import jsonify, request
        from flask_restful import Api, Resource, abort, fields, marshal_with, reqparse
        from marshmallow import Schema, ValidationError, fields as ma

        from classic.store import api_bp
        from classic.store.models import Item
        from services import db

        api = Api(api_bp)


        class ItemSchema(Schema):
            name = ma.String(required=True)


        class ItemResource(Resource):
            @marshal_with({"id": fields.Integer, "name": fields.String})
            def get(self, id):
                return Item.query.get_or_404(id)

            def delete(self, id):
                abort(422, message="It is needed.")

            def put(self, id):
                raise RuntimeError("the secret of the house")

            def patch(self, id):
                return {"deleted": id}, 202, {"X-Own": "yes"}


        class ItemList(Resource):
            def get(self):
                return [item.name for item in db.session.query(Item)]

            def post(self):
                data = ItemSchema().load(request.get_json())
                item = Item(**data)
                db.session.add(item)
                db.session.commit()
                return {"id": item.id, "name": item.name}, 201


        api.add_resource(ItemList, "/items")
        api.add_resource(ItemResource, "/items/<int:id>")


        @api_bp.route("/hello")
        def hello():
            return jsonify(hello="world")


        @api_bp.route("/form", methods=["POST"])
        def form():
            return "changed"
    """,
    "models": """
        from services import db


        class Item(db.Model):
            __tablename__ = "store_item"

            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(80), unique=True, nullable=False)
    """,
}


@pytest.fixture
def app(write_module: Write, make_app: Make, new_database: Callable[..., object]) -> Flask:
    app = make_app(new_database("sqlite"), [write_module("classic.store", **CLASSIC)])
    with app.app_context():
        db.metadata.tables["store_item"].create(db.engine)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_classic_module_works_without_change(client: FlaskClient) -> None:
    made = client.post("/items", json={"name": "pen"})
    assert (made.status_code, made.json) == (201, {"id": 1, "name": "pen"})
    assert client.get("/items/1").json == {"id": 1, "name": "pen"}
    assert client.get("/items").json == ["pen"]
    assert client.get("/hello").json == {"hello": "world"}
    answer = client.patch("/items/1")
    assert (answer.status_code, answer.json, answer.headers["X-Own"]) == (202, {"deleted": 1}, "yes")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/items/7", None, 404),
        ("GET", "/items/x", None, 404),
        ("POST", "/items/7", {}, 405),
        ("DELETE", "/items/7", None, 422),
        ("PUT", "/items/7", {}, 500),
        ("POST", "/items", {}, 422),
        ("POST", "/items", {"name": 5}, 422),
    ],
)
def test_classic_module_errors_follow_contract(
    client: FlaskClient, method: str, path: str, body: object, status: int
) -> None:
    answer = client.open(path, method=method, json=body)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["status"] == status
    assert "secret" not in answer.text


def test_restful_abort_message_is_detail(client: FlaskClient) -> None:
    assert client.delete("/items/7").json["detail"] == "It is needed."


def test_plain_resource_validation_names_field(client: FlaskClient) -> None:
    errors = client.post("/items", json={"nmae": "x"}).json["errors"]
    assert {error["field"] for error in errors} == {"name", "nmae"}


def test_body_errors_of_a_plain_resource(client: FlaskClient) -> None:
    assert client.post("/items", data="x").status_code == 415
    assert client.post("/items", data="{", content_type="application/json").status_code == 400
    assert client.post("/items", data="{", content_type="application/json").mimetype == "application/problem+json"


def test_form_beside_resources_is_still_protected(client: FlaskClient) -> None:
    assert client.post("/form").status_code == 400


def test_page_beside_resources_stays_page(client: FlaskClient) -> None:
    assert client.get("/nothing").mimetype == "text/html"


@pytest.mark.parametrize("rules", [("/", "/things"), ("/<name>", "/things"), ("/<name>",), ("/",)])
def test_resources_at_the_root(write_module: Write, make_app: Make, rules: tuple[str, ...]) -> None:
    added = "\n".join(f"api.add_resource(type('R{n}', (R,), {{}}), {rule!r})" for n, rule in enumerate(rules))
    source = (
        "from flask import Blueprint\nfrom flask_restful import Api, Resource\n"
        "bp = Blueprint('rootly', __name__)\napi = Api(bp)\n"
        "class R(Resource):\n    def get(self, name=None):\n        return {'name': name}\n" + added
    )
    client = make_app(None, [write_module("rootly", init=source)]).test_client()
    assert client.get(rules[0].replace("<name>", "x")).status_code == 200
    assert client.get("/problems/not-found").mimetype == "text/html"


def test_unknown_address_below_classic_api(write_module: Write, make_app: Make) -> None:
    source = (
        "from flask import Blueprint\nfrom flask_restful import Api, Resource\n"
        "bp = Blueprint('old', __name__, url_prefix='/old')\napi = Api(bp)\n"
        "class Things(Resource):\n    def get(self, name=None):\n        return []\n"
        "api.add_resource(Things, '/things')\n"
    )
    client = make_app(None, [write_module("oldish", init=source)]).test_client()
    for path in ("/old/things/5", "/old/nothing", "/old"):
        assert client.get(path).mimetype == "application/problem+json", path
    assert client.get("/older").mimetype == "text/html"


def test_classic_api_on_a_nested_blueprint(write_module: Write, make_app: Make) -> None:
    source = (
        "from flask import Blueprint\nfrom flask_restful import Api, Resource, abort\n"
        "bp = Blueprint('outer', __name__, url_prefix='/outer')\n"
        "inner = Blueprint('inner', __name__, url_prefix='/inner')\napi = Api(inner)\n"
        "class Things(Resource):\n    def get(self):\n        abort(409, message='Not now.')\n"
        "api.add_resource(Things, '/things')\nbp.register_blueprint(inner)\n"
    )
    client = make_app(None, [write_module("nested", init=source)]).test_client()
    answer = client.get("/outer/inner/things")
    assert (answer.status_code, answer.json["detail"]) == (409, "Not now.")


# --- two applications in one process ------------------------------------------------------------

PAGE = """
from flask import Blueprint

bp = Blueprint({label!r}, __name__, url_prefix="/{label}")

@bp.route("/", methods=["GET", "POST"])
def index():
    return {label!r}
"""


def test_different_applications_do_not_interfere(write_module: Write, make_app: Make) -> None:
    for label in ("left", "right"):
        write_module(label, init=PAGE.format(label=label), menu="entries = lambda: []")
    left, right = make_app(None, ["left"]), make_app(None, ["right"])
    assert left.test_client().get("/left/").text == "left"
    assert left.test_client().get("/right/").status_code == 404
    assert right.test_client().get("/left/").status_code == 404
    for app, label in ((left, "left"), (right, "right")):
        assert [module.label for module in platform_of(app).modules] == [label]
        assert list(platform_of(app).menu) == [label]


def test_permissions_and_events_belong_to_application(write_module: Write, make_app: Make) -> None:
    for label in ("left", "right"):
        policy = f"from core.access import permission\nEDIT = permission('{label}.page.edit')\n"
        events = f"EVENTS = {{'{label}.closed': 'it was closed'}}"
        write_module(label, init=PAGE.format(label=label) + policy, security_events=events)
    applications = {label: make_app(None, [label]) for label in ("left", "right")}
    for label, app in applications.items():
        other = {"left": "right", "right": "left"}[label]
        assert permissions(app) == [f"{label}.page.edit"]
        with app.app_context():
            record(f"{label}.closed")
            with pytest.raises(ValueError, match=f"{other}.closed"):
                record(f"{other}.closed")


def test_classic_module_in_two_applications(app: Flask, make_app: Make, new_database: Callable[..., object]) -> None:
    second = make_app(new_database("sqlite"), ["classic.store"])
    with second.app_context():
        db.metadata.tables["store_item"].create(db.engine)
    assert app.test_client().post("/items", json={"name": "pen"}).status_code == 201
    assert second.test_client().get("/items").json == []
    for new_app in (app, second):
        answer = new_app.test_client().delete("/items/7")
        assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")


def test_api_prefixes_belong_to_application(write_module: Write, make_app: Make) -> None:
    source = PAGE.format(label="left") + "\nfrom core.rest import Api\nApi(bp)\n"
    write_module("left", init=source)
    write_module("right", init=PAGE.format(label="left"))
    with_api, without = make_app(None, ["left"]), make_app(None, ["right"])
    assert with_api.test_client().get("/left/x").mimetype == "application/problem+json"
    assert without.test_client().get("/left/x").mimetype == "text/html"
    assert with_api.test_client().post("/left/").status_code == 200
    assert without.test_client().post("/left/").status_code == 400


# --- the application ----------------------------------------------------------------------------


def test_application_announces_that_it_is_ready(make_app: Make) -> None:
    heard: list[Flask] = []
    with signals.app_ready.connected_to(heard.append):
        app = make_app(None, ["app.home"])
    assert heard == [app]


def test_request_id_in_answer_and_log(make_app: Make, capsys: pytest.CaptureFixture[str]) -> None:
    app = make_app(None, [], LOG_FORMAT="json")

    @app.get("/loud")
    def loud() -> str:
        logging.getLogger("loud").warning("heard, with token=abc123")
        return ""

    identifier = app.test_client().get("/loud").headers["X-Request-ID"]
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert line["request_id"] == identifier
    assert line["message"] == "heard, with token=[filtered]"


def test_plain_view_return_types(make_app: Make) -> None:
    app = make_app(None, [])
    values = {"/list": [1, "ü"], "/dict": {"a": None}, "/numbers": {1: "one"}, "/pair": ({"a": 1}, 201)}
    for path, value in values.items():
        app.add_url_rule(path, path[1:], lambda value=value: value)
    client = app.test_client()
    assert [client.get(path).json for path in values] == [[1, "ü"], {"a": None}, {"1": "one"}, {"a": 1}]
