"""Rows and columns that exist for a caller: one definition for every face, on every engine."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
import sqlalchemy.orm
from flask import Flask
from flask import request
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from core.access import ANONYMOUS
from core.access import Identity
from core.access import set_identity_loader
from core.crud import readers
from core.crud.references import NO_SUCH_ROW
from services import db
from tests.core import shop

Ask = Callable[..., TestResponse]
KEEPER = Identity("keeper", "Kim", frozenset({"shop.cost.read"}), via="session")


@pytest.fixture
def app(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Flask:
    """Return the shop with albums 1 (which exists for no caller) and 3, and a track of each."""
    url = database_of(engine_name, shop.Base.metadata)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.insert(shop.Artist.__table__), [{"id": 1, "name": "Ada"}])
        rows = [(1, "Hidden", 701), (3, "Shown", 703), (4, "Other", 694)]
        albums = [{"id": id, "title": title, "cost": cost, "artist_id": 1} for id, title, cost in rows]
        connection.execute(sa.insert(shop.Album.__table__), albums)
        labels = [{"code": "gone", "is_deleted": True}, {"code": "kept", "is_deleted": False}]
        connection.execute(sa.insert(shop.Label.__table__), labels)
        tracks = [
            {"id": id, "name": f"T{id}", "remark": f"R{id}", "album_id": id, "other_id": None, "version": 1}
            for id in (1, 3)
        ]
        connection.execute(sa.insert(shop.Track.__table__), tracks)
        links = [{"track_id": 1, "label_code": code} for code in ("gone", "kept")]
        connection.execute(sa.insert(shop.track_label), links)
        genres = [(1, "Hidden", None), (2, "Root", None), (3, "Leaf", 1), (4, "Twig", 2), (5, "Hidden", 2)]
        names = ("id", "name", "parent_id")
        connection.execute(sa.insert(shop.Genre.__table__), [dict(zip(names, one, strict=True)) for one in genres])
        places = [{"id": id, "kind": "hall"} for id in (1, 2)]
        connection.execute(sa.insert(shop.Place.__table__), places)
        connection.execute(sa.insert(shop.Hall.__table__), [{"id": 1, "seats": 0}, {"id": 2, "seats": 9}])
        concerts = [{"id": id, "title": f"C{id}", "hall_id": id, "version": 1} for id in (1, 2)]
        connection.execute(sa.insert(shop.Concert.__table__), concerts)
        if engine_name == "postgresql":
            for table in ("shop_album", "shop_track", "shop_concert"):
                connection.execute(sa.text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100)"))
    engine.dispose()
    found = make_app(url, ["app.bulk", shop.__name__, "app.apidocs"], WTF_CSRF_ENABLED=False)
    set_identity_loader(found, lambda: KEEPER if request.headers.get("X-Who") == "keeper" else ANONYMOUS)
    return found


@pytest.fixture
def request_as(app: Flask) -> Ask:
    """Ask as an anonymous visitor, or with ``who="keeper"``."""
    client = app.test_client()

    def send(method: str, url: str, who: str = "", **more: Any) -> TestResponse:
        seen = {"If-Match": "*"} if method in ("PUT", "PATCH") else {}
        headers = {"X-Who": who, **seen, **more.pop("headers", {})}
        return client.open(f"/shop{url}", method=method, headers=headers, **more)

    return send


# --- rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "/v1/tracks?include=album",
        "/v1/tracks/1?include=album",
        "/v1/plain?include=album",
        "/v1/plain/1?include=album",
        "/v1/tracks?include=album,labels&q=T",
        "/v1/artists?include=albums",
        "/v1/artists/1?include=albums",
        "/v1/albums",
        "/tracks",
        "/tracks/1",
        "/tracks/new",
        "/tracks/1/edit",
        "/tracks/1/delete",
        "/artists",
        "/artists/1",
        "/artists/1/delete",
        "/albums",
        "/albums/new",
    ],
)
def test_select_bounds_every_answer(request_as: Ask, url: str) -> None:
    answer = request_as("GET", url)
    assert answer.status_code == 200, answer.text
    assert "Hidden" not in answer.text
    assert "gone" not in answer.text


@pytest.mark.parametrize("url", ["/v1/albums/1", "/albums/1", "/albums/1/edit", "/albums/1/delete", "/v1/labels/gone"])
def test_select_bounds_items(request_as: Ask, url: str) -> None:
    assert request_as("GET", url).status_code == 404


@pytest.mark.parametrize("face", ["tracks", "plain"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=hidden", []),
        ("q=shown", [3]),
        ("q=gone", []),
        ("q=kept", [1]),
        ("album.title=Hidden", []),
        ("album.title=Shown", [3]),
        ("album.title__ne=Shown", []),
        ("labels.code=gone", []),
        ("sort=album.title", [3, 1]),
        ("sort=-album.title", [3, 1]),
    ],
)
def test_select_bounds_questions(request_as: Ask, face: str, query: str, found: list[int]) -> None:
    assert [item["id"] for item in request_as("GET", f"/v1/{face}?{query}").json["items"]] == found


def test_select_bounds_searches_of_children(request_as: Ask) -> None:
    assert request_as("GET", "/v1/artists?q=hidden").json["items"] == []
    assert request_as("GET", "/v1/artists?albums.title=Hidden&count=true").json["total"] == 0
    assert len(request_as("GET", "/v1/artists?q=shown").json["items"]) == 1


def test_select_bounds_relationships_in_json(request_as: Ask) -> None:
    assert request_as("GET", "/v1/tracks/1").json["labels"] == ["kept"]
    assert request_as("GET", "/v1/tracks/1").json["album"] is None
    assert request_as("GET", "/v1/artists/1").json["albums"] == [3, 4]
    assert request_as("PATCH", "/v1/tracks/1", json={"name": "New"}).json["labels"] == ["kept"]


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "/v1/tracks", {"name": "x", "album_id": None}),
        ("POST", "/v1/plain", {"name": "x", "album_id": None}),
        ("PUT", "/v1/tracks/3", {"name": "x", "album_id": None}),
        ("PATCH", "/v1/tracks/3", {"album_id": None}),
        ("PATCH", "/v1/plain/3", {"other_id": None}),
    ],
)
def test_hidden_reference_is_refused_like_missing(request_as: Ask, method: str, url: str, body: Any) -> None:
    answers = []
    for key in (1, 99):
        sent = {name: key if value is None else value for name, value in body.items()}
        answer = request_as(method, url, json=sent)
        assert answer.status_code == 422, answer.text
        answers.append({**answer.json, "request_id": None})
    assert answers[0] == answers[1]
    assert answers[0]["errors"][0]["message"] == "There is no such row."


def test_bulk_refuses_reference_to_hidden_row(request_as: Ask) -> None:
    operations = [
        {"method": "create", "data": {"name": "x", "album_id": 1}},
        {"method": "update", "key": 3, "version": 1, "data": {"album_id": 1}},
        {"method": "update", "key": 3, "version": 1, "data": {"labels": ["gone"]}},
        {"method": "create", "data": {"name": "x", "album_id": 3}},
    ]
    results = request_as("POST", "/v1/tracks:bulk", json={"operations": operations}).json["results"]
    assert [one["status"] for one in results] == [422, 422, 422, 201]


def test_hidden_link_is_refused_like_missing(request_as: Ask) -> None:
    answers = [request_as("PATCH", "/v1/tracks/3", json={"labels": [code]}) for code in ("gone", "none")]
    assert [answer.status_code for answer in answers] == [422, 422]
    texts = [answer.json["errors"][0]["message"].replace("none", "gone") for answer in answers]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("key", [1, 99])
def test_hidden_nested_reference_is_refused(request_as: Ask, key: int) -> None:
    entries = [{"album_id": 3}]
    assert request_as("POST", "/v1/charts", json={"name": "Top", "entries": entries}).status_code == 201
    body = {"name": "Top", "entries": [{"album_id": 4}, {"album_id": key}]}
    answers = [request_as("POST", "/v1/charts", json=body), request_as("PUT", "/v1/charts/1", json=body)]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert [answer.json["errors"][0]["pointer"] for answer in answers] == ["#/entries/1/album_id"] * 2
    assert [answer.json["errors"][0]["message"] for answer in answers] == [NO_SUCH_ROW] * 2
    assert request_as("GET", "/v1/charts/1").json["entries"] == entries


def test_form_refuses_hidden_row(request_as: Ask, app: Flask) -> None:
    answer = request_as("POST", "/tracks/new", data={"name": "x", "album": "1"})
    assert answer.status_code == 422
    assert request_as("POST", "/tracks/new", data={"name": "x", "album": "3"}).status_code == 303


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("PATCH", {"name": "New"}),
        ("PATCH", {"labels": []}),
        ("PATCH", {"labels": ["kept"]}),
        ("PUT", {"name": "New", "album_id": 1}),
        ("PUT", {"name": "New", "album_id": 1, "labels": []}),
    ],
)
def test_hidden_links_are_kept_by_rest(request_as: Ask, app: Flask, method: str, body: Any) -> None:
    answer = request_as(method, "/v1/tracks/1", json=body)
    assert answer.status_code == 200, answer.text
    assert "gone" not in answer.text
    with app.app_context():
        track = db.session.get(shop.Track, 1)
        assert track.album_id == 1
        assert "gone" in {label.code for label in track.labels}


def test_hidden_links_are_kept_by_form(request_as: Ask, app: Flask) -> None:
    data = {"name": "Renamed", "version": "1"}
    answer = request_as("POST", "/tracks/1/edit", data=data)
    assert answer.status_code == 303, answer.text
    with app.app_context():
        track = db.session.get(shop.Track, 1)
        assert (track.name, track.album_id) == ("Renamed", 1)
        assert {label.code for label in track.labels} == {"gone"}


# --- other shapes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "/v1/genres?include=parent,children",
        "/v1/genres/3?include=parent",
        "/v1/genres/2?include=children",
        "/genres",
        "/genres/2",
        "/genres/3",
        "/genres/new",
        "/genres/3/edit",
    ],
)
def test_select_bounds_a_tree(request_as: Ask, url: str) -> None:
    answer = request_as("GET", url)
    assert answer.status_code == 200, answer.text
    assert "Hidden" not in answer.text


def test_select_bounds_questions_of_a_tree(request_as: Ask) -> None:
    def found(query: str) -> list[int]:
        return [item["id"] for item in request_as("GET", f"/v1/genres?{query}").json["items"]]

    assert found("q=hidden") == []
    assert found("parent.name=Hidden") == []
    assert found("parent.name=Root") == [4]
    assert found("children.name=Hidden") == []
    assert found("sort=parent.name") == [4, 2, 3]
    assert request_as("GET", "/v1/genres/2").json["children"] == [4]
    assert request_as("PATCH", "/v1/genres/4", json={"parent_id": 1}).status_code == 422


@pytest.mark.parametrize("body", [{"title": "New"}, {"title": "New", "hall": None}])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_required_hidden_link_is_kept(request_as: Ask, app: Flask, method: str, body: Any) -> None:
    assert request_as("GET", "/v1/concerts/1").json["hall"] is None
    answer = request_as(method, "/v1/concerts/1", json=body)
    assert (answer.status_code, answer.json.get("hall")) == (200, None), answer.text
    with app.app_context():
        concert = db.session.get(shop.Concert, 1)
        assert (concert.title, concert.hall_id) == ("New", 1)


def test_bulk_keeps_required_hidden_link(request_as: Ask, app: Flask) -> None:
    data = {"title": "New", "hall": None}
    operations = [{"method": "update", "key": id, "version": 1, "data": data} for id in (1, 2)]

    kept, required = request_as("POST", "/v1/concerts:bulk", json={"operations": operations}).json["results"]

    assert (kept["status"], kept.get("item", {}).get("title"), required["status"]) == (200, "New", 422)
    with app.app_context():
        assert db.session.get_one(shop.Concert, 1).hall_id == 1


def test_shown_required_link_is_required(request_as: Ask) -> None:
    assert request_as("PUT", "/v1/concerts/2", json={"title": "New"}).status_code == 422
    assert request_as("PUT", "/v1/concerts/2", json={"title": "New", "hall": None}).status_code == 422
    assert request_as("PUT", "/v1/concerts/2", json={"title": "New", "hall": 1}).status_code == 422
    assert request_as("PUT", "/v1/concerts/2", json={"title": "New", "hall": 2}).status_code == 200


def test_reference_to_joined_table_is_bounded(request_as: Ask) -> None:
    statuses = [
        request_as("POST", "/v1/plain-concerts", json={"title": "x", "hall_id": id}).status_code for id in (1, 9)
    ]
    assert statuses == [422, 422]
    assert request_as("PATCH", "/v1/plain-concerts/1", json={"hall_id": 2}).status_code == 200


# --- columns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "/v1/albums",
        "/v1/albums/3",
        "/v1/tracks/3?include=album",
        "/v1/tracks?include=album",
        "/v1/plain?include=album",
        "/v1/artists/1?include=albums",
        "/albums",
        "/albums/3",
        "/albums/3/edit",
    ],
)
def test_column_is_hidden_without_permission(request_as: Ask, url: str) -> None:
    assert "703" not in request_as("GET", url).text
    assert "703" in request_as("GET", url, who="keeper").text
    assert "cost" not in request_as("GET", url).text.lower()


@pytest.mark.parametrize(
    "query", ["cost=703", "cost__gte=1", "sort=cost", "sort=-cost", "fields=cost", "fields=id,cost"]
)
def test_hidden_column_is_unknown_to_questions(request_as: Ask, query: str) -> None:
    assert request_as("GET", f"/v1/albums?{query}").status_code == 400
    assert request_as("GET", f"/v1/albums?{query}", who="keeper").status_code == 200


@pytest.mark.parametrize("query", ["album.cost=703", "remark=R3", "sort=album.cost", "sort=remark"])
@pytest.mark.parametrize("face", ["/v1/tracks", "/v1/plain", "/tracks"])
def test_hidden_related_column_is_unknown(request_as: Ask, face: str, query: str) -> None:
    assert request_as("GET", f"{face}?{query}").status_code == 400
    assert request_as("GET", f"{face}?{query}", who="keeper").status_code == 200


@pytest.mark.parametrize("face", ["/v1/tracks", "/v1/plain"])
def test_search_leaves_out_hidden_columns(request_as: Ask, face: str) -> None:
    assert request_as("GET", f"{face}?q=R3", who="keeper").json["items"]
    assert not request_as("GET", f"{face}?q=R3").json["items"]
    assert request_as("GET", f"{face}?q=T3").json["items"]


def test_default_order_leaves_out_hidden_columns(request_as: Ask) -> None:
    assert [item["id"] for item in request_as("GET", "/v1/albums").json["items"]] == [4, 3]
    assert [item["id"] for item in request_as("GET", "/v1/albums", who="keeper").json["items"]] == [3, 4]


def test_hidden_column_cannot_be_written(request_as: Ask, app: Flask) -> None:
    assert request_as("PATCH", "/v1/albums/3", json={"cost": 1}).status_code == 422
    assert request_as("PUT", "/v1/albums/3", json={"title": "New", "artist_id": 1}).status_code == 200
    assert request_as("POST", "/albums/3/edit", data={"title": "N", "artist": "1", "cost": "1"}).status_code == 400
    assert request_as("POST", "/albums/3/edit", data={"title": "Newest", "artist": "1"}).status_code == 303
    bulk = {"operations": [{"method": "create", "data": {"title": "x", "artist_id": 1, "cost": 5}}]}
    assert request_as("POST", "/v1/albums:bulk", json=bulk).json["results"][0]["status"] == 422
    assert request_as("POST", "/v1/albums:bulk", json=bulk, who="keeper").json["results"][0]["status"] == 201
    with app.app_context():
        assert (db.session.get(shop.Album, 3).title, db.session.get(shop.Album, 3).cost) == ("Newest", 703)
    assert request_as("PATCH", "/v1/albums/3", json={"cost": 1}, who="keeper").json["cost"] == 1


def test_representations_have_own_etags(request_as: Ask) -> None:
    some = request_as("GET", "/v1/plain/3")
    whole = request_as("GET", "/v1/plain/3", who="keeper", headers={"If-None-Match": some.headers["ETag"]})
    assert whole.status_code == 200
    changed = request_as("PATCH", "/v1/plain/3", json={"name": "x"}, headers={"If-Match": some.headers["ETag"]})
    assert changed.status_code == 200


def test_document_names_columns_of_the_reader(app: Flask) -> None:
    client = app.test_client()
    public = client.get("/openapi.json")
    whole = client.get("/openapi.json", headers={"X-Who": "keeper"})
    assert '"cost"' not in public.text
    assert '"remark"' not in public.text
    album = whole.json["components"]["schemas"]["Album"]
    assert "cost" in album["properties"]
    assert "cost" not in album["required"]
    assert whole.headers["Cache-Control"] == "no-store"


def test_wrong_column_policy_fails_at_start() -> None:
    class Base(sa.orm.DeclarativeBase):
        pass

    class Thing(Base):
        __tablename__ = "thing"
        id: sa.orm.Mapped[int] = sa.orm.mapped_column(primary_key=True, info={"read": shop.COST})

    with pytest.raises(TypeError, match=r"Thing\.id identifies the row"):
        type("Things", (shop.Crud,), {"model": Thing})()


def test_readable_asks_once_for_several_rows(app: Flask) -> None:
    with app.test_request_context():
        albums = list(db.session.scalars(sa.select(shop.Album).order_by(shop.Album.id)))
        asked: list[str] = []
        sa.event.listen(db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
        assert [album.id for album in readers.readable(albums)] == [3, 4]
        assert not readers.may_read(albums[0])
        assert len(asked) == 1
