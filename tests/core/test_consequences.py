"""Consequences of a deletion for other rows: deleted with it, unlinked, or in the way."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask import request
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import ANONYMOUS
from core.access import set_identity_loader
from core.crud.consequences import DELETED
from core.crud.consequences import PREVENTS
from core.crud.consequences import consequences
from core.fields.words import plural
from services import db
from tests import forms
from tests.core import music

DELETE = "/music/discs/1/delete"


@pytest.fixture
def client(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> FlaskClient:
    """Return a client of a shop with a disc that others point to in every way."""
    app = make_app(database_of(engine_name, music.Base.metadata), [music.__name__])
    set_identity_loader(app, lambda: music.PEOPLE.get(request.headers.get("X-Who", ""), ANONYMOUS))
    with app.app_context():
        music.plant(db.session, 3)
        db.session.add_all([music.Loan(disc_id=1), music.Loan(disc_id=1), music.Loan(disc_id=2)])
        labels = [music.Label(name="Mine", owner_key="clerk"), music.Label(name="Hidden")]
        db.session.get_one(music.Disc, 1).labels = labels
        db.session.commit()
    return app.test_client()


def effects(client: FlaskClient, url: str, who: str = "boss") -> dict[str, str]:
    return read(client.get(url, headers={"X-Who": who}).text)


def read(page: str) -> dict[str, str]:
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    return {html.unescape(name): html.unescape(text) for name, text in found}


WITH, LINKS, WAY = "Deleted with it", "Unlinked from it", "These prevent the deletion"


def test_question_counts_what_goes_along(client: FlaskClient) -> None:
    found = effects(client, DELETE)
    assert found.keys() == {WITH, LINKS}
    assert found[WITH] == "3 reviews"
    assert sorted(found[LINKS].split(", ")) == ["2 labels", "2 loans", "3 tracks"]


def test_question_names_what_prevents_it(client: FlaskClient) -> None:
    with client.application.app_context():
        db.session.execute(sa.insert(music.Order), [{"disc_id": 1}, {"disc_id": 1}])
        db.session.commit()
    assert effects(client, DELETE)[WAY] == "2 orders"
    # A user who may not list them sees only that there are some.
    assert effects(client, DELETE, "clerk")[WAY] == "other rows"
    fields = forms.read(client.get(DELETE, headers={"X-Who": "boss"}).text)
    answer = client.post(DELETE, data=fields, headers={"X-Who": "boss"})
    assert answer.status_code == 409
    assert read(answer.text)[WAY] == "2 orders"


def test_unlisted_rows_are_other_rows(client: FlaskClient) -> None:
    assert "1 label, " in effects(client, DELETE, "clerk")[LINKS] + ", "
    assert effects(client, DELETE, "clerk")[LINKS].endswith("other rows")


def test_row_without_others_says_nothing(client: FlaskClient) -> None:
    assert effects(client, "/music/discs/3/delete") == {}


def test_number_is_counted_to_a_hundred(client: FlaskClient) -> None:
    with client.application.app_context():
        db.session.execute(sa.insert(music.Review), [{"text": "T", "disc_id": 2}] * 150)
        db.session.commit()
    assert effects(client, "/music/discs/2/delete")[WITH] == "over 100 reviews"


def test_what_is_said_is_what_happens(client: FlaskClient) -> None:
    fields = forms.read(client.get(DELETE, headers={"X-Who": "boss"}).text)
    assert client.post(DELETE, data=fields, headers={"X-Who": "boss"}).status_code == 303

    def count(table: Any) -> Any:
        return db.session.scalar(sa.select(sa.func.count()).select_from(table))

    with client.application.app_context():
        assert (count(music.Review), count(music.Track), count(music.Label), count(music.disc_track)) == (0, 3, 2, 0)
        assert db.session.scalars(sa.select(music.Loan.disc_id).order_by(music.Loan.id)).all() == [None, None, 2]


def test_consequences_are_followed(client: FlaskClient) -> None:
    # The database deletes nothing with a genre: its discs are in the way.
    assert effects(client, "/music/genres/1/delete")[WAY] == "3 discs"


def test_prevented_deletion_is_not_proposed(client: FlaskClient) -> None:
    page = client.get("/music/genres/1/delete", headers={"X-Who": "boss"}).text
    assert "cannot be deleted yet" in page
    assert "will be deleted" not in page
    assert 'class="btn btn-danger"' not in page
    assert 'class="btn btn-danger"' in client.get("/music/discs/3/delete", headers={"X-Who": "boss"}).text


TREE = """
    from sqlalchemy import ForeignKey
    from sqlalchemy.orm import Mapped, mapped_column, relationship

    from services import db

    class Folder(db.Model):
        __tablename__ = "trees_folder"

        id: Mapped[int] = mapped_column(primary_key=True)
        above_id: Mapped[int | None] = mapped_column(ForeignKey("trees_folder.id"))
        below: Mapped[list["Folder"]] = relationship(cascade="all")

    class File(db.Model):
        __tablename__ = "trees_file"

        id: Mapped[int] = mapped_column(primary_key=True)
        folder_id: Mapped[int] = mapped_column(ForeignKey("trees_folder.id", ondelete="CASCADE"))
        copied_from_id: Mapped[int] = mapped_column(ForeignKey("trees_folder.id", ondelete="CASCADE"))
"""
PAGES = """
    from flask import Blueprint

    from core.crud import Crud
    from core.pages import Pages
    from .models import File, Folder

    bp = Blueprint("trees", __name__)

    class Folders(Crud):
        model = Folder

    class FolderPages(Pages):
        verbs = Folders()
        columns = ("id",)
        allow = ("list", "get", "delete")

    FolderPages.register(bp, "/folders")
"""


def test_rows_below_rows_are_counted_once(
    make_app: Callable[..., Flask],
    write_module: Callable[..., str],
    new_database: Callable[[str], URL],
    engine_name: str,
) -> None:
    app = make_app(new_database(engine_name), [write_module("trees", init=PAGES, models=TREE)])
    with app.app_context():
        tables = [db.metadata.tables[name] for name in ("trees_folder", "trees_file")]
        db.metadata.create_all(db.engine, tables)
        folders = [{"id": 1, "above_id": None}, {"id": 2, "above_id": 1}, {"id": 3, "above_id": 2}]
        db.session.execute(sa.insert(tables[0]), [*folders, {"id": 4, "above_id": None}])
        # The second is reached in two ways.
        files = [(1, 4, 4), (2, 1, 3), (3, 3, 4), (4, 2, 2)]
        rows = [{"id": key, "folder_id": place, "copied_from_id": source} for key, place, source in files]
        db.session.execute(sa.insert(tables[1]), rows)
        # A row that points to itself is no other row.
        db.session.execute(sa.update(tables[0]).where(tables[0].c.id == 1).values(above_id=1))
        db.session.commit()
    assert effects(app.test_client(), "/folders/1/delete")[WITH] == "2 folders, 3 files"


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("disc", "discs"), ("category", "categories"), ("day", "days"), ("stock box", "stock boxes"), ("dish", "dishes")],
)
def test_plural_of_nouns(noun: str, expected: str) -> None:
    assert plural(noun) == expected


class FilmBase(DeclarativeBase):
    pass


class Film(FilmBase):
    __tablename__ = "consequences_film"

    id: Mapped[int] = mapped_column(primary_key=True)
    roles: Mapped[list["Role"]] = relationship(viewonly=True)


class Actor(FilmBase):
    __tablename__ = "consequences_actor"

    id: Mapped[int] = mapped_column(primary_key=True)
    films: Mapped[list[Film]] = relationship(secondary="consequences_role")


class Role(FilmBase):
    """Link of an actor to a film, with a model of its own."""

    __tablename__ = "consequences_role"

    actor_id: Mapped[int] = mapped_column(sa.ForeignKey(Actor.id), primary_key=True)
    film_id: Mapped[int] = mapped_column(sa.ForeignKey(Film.id), primary_key=True)


def test_links_with_model_go_along(make_app: Callable[..., Flask], database_of: Callable[..., URL]) -> None:
    app = make_app(database_of("sqlite", FilmBase.metadata), [])
    with app.test_request_context():
        db.session.add(Actor(id=1, films=[Film(id=1), Film(id=2)]))
        db.session.flush()
        actor = db.session.get_one(Actor, 1)
        assert [one.effect for one in consequences(actor)] == [DELETED]
        assert [one.effect for one in consequences(actor.films[0])] == [PREVENTS]
        db.session.delete(actor)
        db.session.flush()
        assert db.session.scalars(sa.select(Role)).all() == []
        db.session.rollback()
