"""One declaration serves a model in each face, on a schema that is not the demos'."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.access import PUBLIC
from core.access import Identity
from core.access import policies
from core.access import set_identity_loader
from core.fields.words import words
from core.resources import Resource
from core.resources import registered
from core.resources.writing import write
from services import Base as PlatformBase
from services import db
from tests import forms
from tests.core import chinook

VERBS = ("read", "add", "edit", "delete")
NOUNS = [words(mapper.class_.__name__).replace(" ", "_") for mapper in chinook.Base.registry.mappers]
CLERK = Identity("clerk", "Clerk", frozenset(f"chinook.{noun}.{verb}" for noun in NOUNS for verb in VERBS))
API = "/chinook/api/v1"
BARE = "/api/v1"
LABELS = f"{BARE}/labels"


@pytest.fixture
def client(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Iterator[FlaskClient]:
    """Return a client of a clerk who may do everything in the music shop, on each engine."""
    app = make_app(database_of(engine_name, chinook.Base.metadata), [chinook.__name__, "app.jsonrpc"])
    set_identity_loader(app, lambda: CLERK)
    return app.test_client()


def add(client: FlaskClient, path: str, **data: Any) -> Any:
    """Add a row by REST, and return it."""
    response = client.post(f"{API}/{path}", json=data)
    assert response.status_code == 201, response.json
    return response.json


@pytest.fixture
def track(client: FlaskClient) -> Any:
    """Return a track, with its artist and album."""
    add(client, "artists", name="AC/DC")
    add(client, "albums", title="Let There Be Rock", artist_id=1)
    add(client, "media-types", name="MPEG")
    return add(client, "tracks", name="Go Down", album_id=1, media_type_id=1, milliseconds=331180, unit_price="0.99")


def test_rest_shows_every_column(client: FlaskClient, track: Any) -> None:
    assert track == {
        "id": 1,
        "name": "Go Down",
        "album_id": 1,
        "media_type_id": 1,
        "genre_id": None,
        "composer": None,
        "milliseconds": 331180,
        "bytes": None,
        "unit_price": "0.99",
        "playlists": [],
    }


def test_rest_includes_rows_of_the_module(client: FlaskClient, track: Any) -> None:
    item = client.get(f"{API}/tracks/1?include=album&fields=name").json

    assert item == {"name": "Go Down", "album": {"id": 1, "title": "Let There Be Rock", "artist_id": 1}}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=down", 1),
        ("q=up", 0),
        ("album_id=1", 1),
        ("album_id__isnull=true", 0),
        ("milliseconds__gte=400000", 0),
        ("unit_price__lte=0.99", 1),
        ("name__in=Go Down,Bad Boy", 1),
        ("playlists.id=1", 0),
        ("sort=-name", 1),
    ],
)
def test_rest_filters_by_type(client: FlaskClient, track: Any, query: str, found: int) -> None:
    response = client.get(f"{API}/tracks?{query}")

    assert (response.status_code, len(response.json["items"])) == (200, found)


def test_sort_needs_an_index(client: FlaskClient) -> None:
    assert client.get(f"{API}/tracks?sort=composer").status_code == 400


def test_page_shows_related_rows_by_name(client: FlaskClient, track: Any) -> None:
    page = client.get("/chinook/tracks").text

    assert "Go Down" in page
    assert "Let There Be Rock" in page


def test_form_adds_a_row(client: FlaskClient, track: Any) -> None:
    response = forms.submit(client, "/chinook/employees/new", last_name="Adams", first_name="Andrew")
    assert response.status_code == 303
    boss = client.get(f"{API}/employees").json["items"][0]["id"]

    response = forms.submit(
        client, "/chinook/employees/new", last_name="Edwards", first_name="Nancy", reports_to=str(boss)
    )

    assert response.status_code == 303
    assert client.get(f"{API}/employees?reports_to_id={boss}").json["items"][0]["first_name"] == "Nancy"


def test_many_to_many_is_written(client: FlaskClient, track: Any) -> None:
    playlist = add(client, "playlists", name="Rock", tracks=[1])

    assert playlist["tracks"] == [1]
    assert client.get(f"{API}/tracks?playlists.id={playlist['id']}").json["items"][0]["name"] == "Go Down"


def test_resource_is_closed_by_default(client: FlaskClient, track: Any) -> None:
    set_identity_loader(client.application, lambda: Identity("visitor", "Visitor"))

    assert client.get(f"{API}/tracks").status_code == 403
    assert client.post(f"{API}/tracks", json={}).status_code == 403
    assert client.get("/chinook/tracks").status_code == 403
    assert client.get("/chinook/tracks/new").status_code == 403


def test_resources_are_registered(client: FlaskClient) -> None:
    found = [(module, type(resource).__name__) for module, resource in registered(client.application)]

    assert found[0] == ("chinook", "Artists")
    assert len(found) == 10


# --- JSON-RPC ---


def call(client: FlaskClient, method: str, **params: Any) -> Any:
    """Call a method, and return its result or its error."""
    body = {"jsonrpc": "2.0", "id": 1, "method": f"chinook.{method}", "params": params}
    answer = client.post("/rpc", json=body).json
    return answer.get("result", answer.get("error"))


def test_methods_do_as_rest_does(client: FlaskClient, track: Any) -> None:
    made = call(client, "track.create", values={**track, "name": "Dog Eat Dog"} | {"id": 2})
    assert made["message"] == "The data is not valid"

    made = call(client, "media_type.create", values={"name": "AAC"})
    assert made == {"id": 2, "name": "AAC"}
    assert call(client, "media_type.update", key=2, values={"name": "AAC 256"}) == {"id": 2, "name": "AAC 256"}
    assert call(client, "media_type.get", key=2, fields="name") == {"name": "AAC 256"}
    assert call(client, "media_type.delete", key=2) is None
    assert call(client, "media_type.get", key=2)["code"] == -32001


def test_method_lists_with_filters(client: FlaskClient, track: Any) -> None:
    found = call(client, "track.list", filter={"milliseconds__gte": 1000, "name__in": ["Go Down"]}, include="album")

    assert found["items"][0]["album"]["title"] == "Let There Be Rock"
    assert (found["next"], found["previous"]) == (None, None)
    assert call(client, "track.list", count=True, limit=1)["total"] == 1


@pytest.mark.parametrize(
    "params",
    [{"filter": {"colour": 1}}, {"filter": {"limit": 1}}, {"filter": {"name": {}}}, {"filter": {"name__in": ["a,b"]}}],
)
def test_method_list_refuses_wrong_filters(client: FlaskClient, track: Any, params: Any) -> None:
    error = call(client, "track.list", **params)

    assert error["data"]["errors"][0]["field"] == next(iter(params["filter"]))


def test_methods_ask_for_permissions(client: FlaskClient, track: Any) -> None:
    set_identity_loader(client.application, lambda: Identity("visitor", "Visitor"))

    assert call(client, "track.list")["code"] == -32007
    assert call(client, "track.delete", key=1)["code"] == -32007


def test_methods_are_described(client: FlaskClient) -> None:
    document = client.post("/rpc", json={"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"}).json["result"]
    methods = {method["name"]: method for method in document["methods"]}

    assert methods["chinook.invoice_line.create"]["params"][0]["schema"]["properties"]["quantity"]["minimum"] == 1
    assert "album_id" in methods["chinook.track.get"]["result"]["schema"]["properties"]
    assert methods["chinook.track.list"]["x-access"] == "chinook.track.read"
    assert client.get("/docs/rpc").status_code == 200


# --- writing the declaration out ---


def test_written_declaration_says_the_same(client: FlaskClient) -> None:
    written = client.application.test_cli_runner().invoke(args=["resources", "show", "chinook.Tracks"]).output
    known = {**vars(chinook)}
    exec(written.replace("class Tracks", "class Written"), known)  # noqa: S102 - what the command wrote
    blueprint = Blueprint("written", "app.chinook")
    known["Written"].register(blueprint)

    assert write(known["Written"].verbs).replace("Written", "Tracks") == written


def test_unknown_resource_names_the_known(client: FlaskClient) -> None:
    result = client.application.test_cli_runner().invoke(args=["resources", "show", "chinook.Cars"])

    assert result.exit_code == 1
    assert "chinook.Tracks" in result.output


def test_subclass_has_own_faces(client: FlaskClient) -> None:
    class LongTracks(chinook.Tracks):
        def select(self) -> Any:
            return super().select().where(chinook.Track.milliseconds > 300_000)

    class Renamed(chinook.Artists):
        model = chinook.Genre

    blueprint = Blueprint("more", "app.more")
    long, renamed = LongTracks.register(blueprint), Renamed.register(blueprint)

    assert (long.path, long.plural) == ("long-tracks", "Long tracks")
    assert long.rest.verbs is long.pages.verbs is long
    assert chinook.Tracks.rest.verbs is chinook.Tracks.verbs
    assert long.access["list"].reason == "more.track.read"
    assert renamed.access["create"].reason == "more.genre.add"
    assert chinook.Artists.access["create"].reason == "chinook.artist.add"


def test_resource_is_registered_once(client: FlaskClient) -> None:
    with pytest.raises(TypeError, match="Tracks is registered already: register a subclass of it"):
        chinook.Tracks.register(Blueprint("again", "app.again"))


def test_include_needs_verbs_of_the_rows(
    make_app: Callable[..., Flask], write_module: Callable[..., str], new_database: Callable[[str], URL]
) -> None:
    models = """
        from sqlalchemy import ForeignKey
        from sqlalchemy.orm import Mapped, mapped_column, relationship
        from services import Model

        class Contract(Model):
            __tablename__ = "hire_contract"
            id: Mapped[int] = mapped_column(primary_key=True)
            salary: Mapped[int]

        class Team(Model):
            __tablename__ = "hire_team"
            id: Mapped[int] = mapped_column(primary_key=True)

        class Worker(Model):
            __tablename__ = "hire_worker"
            id: Mapped[int] = mapped_column(primary_key=True)
            contract_id: Mapped[int] = mapped_column(ForeignKey(Contract.id))
            contract: Mapped[Contract] = relationship()
            team_id: Mapped[int] = mapped_column(ForeignKey(Team.id))
            team: Mapped[Team] = relationship()
    """
    init = """
        from flask import Blueprint
        from core.access import PUBLIC
        from core.resources import Resource
        from .models import Team, Worker

        bp = Blueprint("hire", __name__, url_prefix="/hire")
        OPEN = {"list": PUBLIC, "get": PUBLIC}

        class Workers(Resource):
            model = Worker
            access = OPEN

        class Teams(Resource):
            model = Team
            access = OPEN

        Workers.register(bp)
        Teams.register(bp)
    """
    app = make_app(new_database("sqlite"), [write_module("hire", init=init, models=models)])
    with app.app_context():
        PlatformBase.metadata.create_all(db.engine)
    client = app.test_client()

    assert client.get("/hire/api/v1/workers?include=team").status_code == 200
    assert client.get("/hire/api/v1/workers?include=contract").status_code == 400


def test_unasked_permissions_stay_unknown(client: FlaskClient) -> None:
    class Shown(Resource):
        model = chinook.Genre
        access = dict.fromkeys(("list", "get", "update"), PUBLIC)

    shown = Shown.register(Blueprint("plain", "app.plain"))

    assert {verb: policy.reason for verb, policy in shown.access.items()} == {
        "list": "public",
        "get": "public",
        "create": "plain.genre.add",
        "update": "public",
        "delete": "plain.genre.delete",
    }
    assert {name for name in policies.NAMES if name.startswith("plain.")} == {"plain.genre.add", "plain.genre.delete"}


def test_resource_without_prefix_below_one(
    make_app: Callable[..., Flask], write_module: Callable[..., str], new_database: Callable[[str], URL]
) -> None:
    models = """
        from sqlalchemy import String
        from sqlalchemy.orm import Mapped, mapped_column
        from services import Model

        class Label(Model):
            __tablename__ = "bare_label"
            code: Mapped[str] = mapped_column(String(10), primary_key=True)
    """
    init = """
        from flask import Blueprint
        from core.access import PUBLIC
        from core.resources import Resource
        from .models import Label

        bp = Blueprint("bare", __name__)

        class Labels(Resource):
            model = Label
            access = dict.fromkeys(("list", "get", "create"), PUBLIC)

        Labels.register(bp)
    """
    name = write_module("bare", init=init, models=models)
    # Two applications of one process share the class.
    for app in (make_app(new_database("sqlite"), [name]), make_app(new_database("sqlite"), [name])):
        with app.app_context():
            PlatformBase.metadata.create_all(db.engine)
        client, mounted = app.test_client(), {"SCRIPT_NAME": "/site"}
        made = client.post(LABELS, json={"code": "a,b"}, environ_overrides=mounted)

        assert (made.status_code, made.headers["Location"]) == (201, "/site/api/v1/labels/a%2Cb")
        assert 'href="/site/labels/a,b"' in client.get("/labels", environ_overrides=mounted).text
        assert client.post(LABELS, data="code=c").status_code == 415
        assert client.delete(f"{LABELS}/a,b").status_code == 401
