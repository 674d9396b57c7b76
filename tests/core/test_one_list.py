"""A rule that verbs add to the rows that they give holds in each face: pages, REST, bulk, RPC and history."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.access import Identity
from core.access import set_identity_loader
from core.crud import Crud
from core.crud import transaction
from services import Base
from services import db
from tests import forms

MODELS = """
    from sqlalchemy import ForeignKey, String
    from sqlalchemy.orm import Mapped, mapped_column, relationship

    from core.data.models import Versioned
    from services import db

    class Parcel(Versioned, db.Model):
        __tablename__ = "post_parcel"

        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(80))
        is_lost: Mapped[bool] = mapped_column(default=False)

        def __str__(self):
            return self.name
"""

#: The same rule, said in different places: no caller gets a lost parcel.
RULES = {
    "select": """
        def select(self):
            return super().select().where(Parcel.is_lost.is_(False))
    """,
    "visible": """
        def visible(self, verb):
            return super().visible(verb).where(Parcel.is_lost.is_(False))
    """,
    "list and get": """
        def list(self, query=None, options=()):
            query = query or self.listing.parse({})
            return super().list(replace(query, filters=(*query.filters, Filter("is_lost", "eq", False))), options)

        def get(self, key, options=()):
            item = super().get(key, options)
            if item.is_lost:
                raise self.missing(key)
            return item
    """,
    "list and get of entities": """
        def list(self, query=None, options=()):
            page = super().list(query, options)
            return replace(page, items=[item for item in page.items if not item.is_lost], total=1)

        def get(self, key, options=()):
            item = super().get(key, options)
            if item.is_lost:
                raise self.missing(key)
            return item
    """,
}

INIT = """
    from dataclasses import replace

    from flask import Blueprint

    from core.access import PUBLIC
    from core.access import access
    from core.crud import Crud
    from core.crud.listing import Filter
    from core.fields.schemas import ModelSchema
    from core.forms import model_form
    from core.pages import Pages
    from core.rest import Api
    from core.rest import ModelResource
    from .models import Parcel

    bp = Blueprint("post", __name__, url_prefix="/post")
    v1 = Blueprint("post_v1", __name__, url_prefix="/post/api")

    class Parcels(Crud):
        model = Parcel
        filters = {"is_lost": ("eq",), "name": ("eq",)}
        access = dict.fromkeys(("list", "get", "create", "update", "delete"), PUBLIC)

"""
FACES = """
    parcels = Parcels()

    class ParcelPages(Pages):
        verbs = parcels
        form = model_form(Parcel)
        columns = ("name",)

    ParcelPages.register(bp, "/parcels")

    class ParcelSchema(ModelSchema):
        class Meta:
            model = Parcel

    class ParcelResource(ModelResource):
        verbs = parcels
        schema = ParcelSchema

    ParcelResource.register(Api(v1), "/parcels")
"""
RPC = """
    from core.access import PUBLIC
    from core.access import access
    from core.rest import make_reader
    from . import ParcelSchema, parcels

    reader = make_reader(parcels, ParcelSchema())

    @access(PUBLIC)
    def names() -> list[str]:
        \"\"\"List the names of all parcels.\"\"\"
        return [item["name"] for item in reader.page(parcels.listing.parse({})).items]

    @access(PUBLIC)
    def name(id: int) -> str:
        \"\"\"Return the name of a parcel.\"\"\"
        return reader.one(id)[0]["name"]
"""

CLERK = Identity("clerk", "Clerk", frozenset({"history.change.read"}), via="session")
PARCELS = "/post/api/parcels"


@pytest.fixture(params=RULES)
def client(
    request: pytest.FixtureRequest,
    make_app: Callable[..., Flask],
    write_module: Callable[..., str],
    new_database: Callable[[str], URL],
) -> FlaskClient:
    """Return a client of a site with two parcels, of which the second is lost."""
    rule = RULES[request.param].replace("\n        ", "\n            ")
    name = write_module(
        "post", init=INIT + rule.replace("\n            ", "\n        ") + FACES, models=MODELS, rpc=RPC
    )
    app = make_app(new_database("sqlite"), ["app.bulk", name, "app.history", "app.jsonrpc"])
    set_identity_loader(app, lambda: CLERK)
    with app.app_context():
        Base.metadata.create_all(db.engine)
        parcels = app.view_functions["post.parcel_list"].__wrapped__.__self__.verbs
        with transaction():
            parcels.create({"name": "Found"})
            parcels.create({"name": "Gone", "is_lost": True})
    return app.test_client()


def call(client: FlaskClient, method: str, **params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": f"post.{method}", "params": params}
    return client.post("/rpc", json=body).json


@pytest.mark.parametrize("question", ["", "?limit=5", "?fields=name", "?count=true", "?name=Gone&count=true"])
def test_rest_list(client: FlaskClient, question: str) -> None:
    answer = client.get(PARCELS + question).json

    assert [item["name"] for item in answer["items"]] == ([] if "Gone" in question else ["Found"])


def test_rest_list_does_not_count_others(client: FlaskClient) -> None:
    assert client.get(f"{PARCELS}?count=true").json["total"] == 1


def test_rest_item(client: FlaskClient) -> None:
    assert client.get(f"{PARCELS}/1").json["name"] == "Found"
    assert client.get(f"{PARCELS}/2").status_code == 404
    assert client.get(f"{PARCELS}/2?fields=name").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_rest_write(client: FlaskClient, method: str) -> None:
    body = None if method == "DELETE" else {"name": "x", "is_lost": True}

    assert client.open(f"{PARCELS}/2", method=method, json=body, headers={"If-Match": '"1"'}).status_code == 404


@pytest.mark.parametrize("method", ["update", "delete"])
def test_bulk(client: FlaskClient, method: str) -> None:
    data = {"data": {"name": "x"}} if method == "update" else {}
    operations = [{"method": method, "key": key, "version": 1, **data} for key in (1, 2)]
    results = client.post(f"{PARCELS}:bulk", json={"operations": operations}).json["results"]

    assert [one["status"] for one in results] == [200 if method == "update" else 204, 404]


def test_list_page(client: FlaskClient) -> None:
    text = client.get("/post/parcels").text

    assert "Found" in text
    assert "Gone" not in text
    assert "1 parcel" in text


@pytest.mark.parametrize("page", ["", "/edit", "/delete"])
def test_page_of_row(client: FlaskClient, page: str) -> None:
    assert client.get(f"/post/parcels/1{page}").status_code == 200
    assert client.get(f"/post/parcels/2{page}").status_code == 404


@pytest.mark.parametrize("page", ["/edit", "/delete"])
def test_form_of_row(client: FlaskClient, page: str) -> None:
    fields = forms.open_form(client, f"/post/parcels/1{page}")

    assert client.post(f"/post/parcels/2{page}", data=fields).status_code == 404


def test_rpc(client: FlaskClient) -> None:
    assert call(client, "names")["result"] == ["Found"]
    assert call(client, "name", id=1)["result"] == "Found"
    assert "error" in call(client, "name", id=2)


def test_history_of_row(client: FlaskClient) -> None:
    assert client.get("/history/rows/post_parcel/1").status_code == 200
    assert client.get("/history/rows/post_parcel/2").status_code == 404
    assert client.get("/history/changes/2").status_code == 404
    assert client.get("/history/changes/2/undo").status_code == 404
    assert "Gone" not in client.get("/history/changes").text


def test_face_strategy_keeps_rule(client: FlaskClient) -> None:
    with client.application.app_context():
        verbs: Crud = client.application.view_functions["post.parcel_list"].__wrapped__.__self__.verbs
        query = verbs.listing.parse({})
        with pytest.raises(TypeError, match="Parcels"):
            verbs.list_by(object(), query)
        with pytest.raises(TypeError, match="Parcels"):
            verbs.get_by(object(), 2)
        assert [item.name for item in verbs.list(query).items] == ["Found"]
