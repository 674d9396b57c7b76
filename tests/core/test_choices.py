"""Relations to very many rows, and to rows that one may not read, on every page that shows or offers them."""

import re
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from flask import Flask
from flask import request
from sqlalchemy import event
from sqlalchemy.engine import URL

from core.access import ANONYMOUS
from core.access import set_identity_loader
from core.exceptions import BadQuery
from services import db
from tests import forms
from tests.core import music

MANY = 50_000
EDIT = "/music/discs/1/edit"


def open_app(make_app: Callable[..., Flask], url: URL) -> Flask:
    app = make_app(url, [music.__name__])
    set_identity_loader(app, lambda: music.PEOPLE.get(request.headers.get("X-Who", ""), ANONYMOUS))
    return app


class Visitor:
    """A client that says who asks."""

    def __init__(self, app: Flask, who: str) -> None:
        self.client = app.test_client()
        self.headers = {"X-Who": who}

    def get(self, url: str, **more: Any) -> Any:
        return self.client.get(url, headers=self.headers, **more)

    def post(self, url: str, **more: Any) -> Any:
        return self.client.post(url, headers=self.headers, **more)


@pytest.fixture
def app(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> Flask:
    """Return an application of a few discs, on each engine."""
    app = open_app(make_app, database_of(engine_name, music.Base.metadata))
    with app.app_context():
        music.plant(db.session, 120)
    return app


@pytest.fixture(scope="module")
def large_database_urls(databases: Any) -> Iterator[dict[str, URL]]:
    urls: dict[str, URL] = {}
    yield urls
    for url in urls.values():
        databases.drop(url)


@pytest.fixture
def large_app(
    make_app: Callable[..., Flask], large_database_urls: dict[str, URL], databases: Any, engine_name: str
) -> Flask:
    """Return an application with fifty thousand rows of everything; its tests write nothing."""
    if engine_name in large_database_urls:
        return open_app(make_app, large_database_urls[engine_name])
    app = open_app(make_app, large_database_urls.setdefault(engine_name, databases.make(engine_name)))
    with app.app_context():
        music.Base.metadata.create_all(db.engine)
        music.plant(db.session, MANY)
    return app


@contextmanager
def counted(app: Flask) -> Iterator[dict[str, int]]:
    """Count the statements that are run, and the rows that the ORM loads."""
    found = {"statements": 0, "rows": 0}

    def run(*rest: Any) -> None:
        found["statements"] += 1

    def load(*rest: Any) -> None:
        found["rows"] += 1

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", run)
    models = [mapper.class_ for mapper in music.Base.registry.mappers]
    for model in models:
        event.listen(model, "load", load)
    yield found
    event.remove(engine, "before_cursor_execute", run)
    for model in models:
        event.remove(model, "load", load)


def options(page: str, name: str) -> list[str]:
    (select,) = re.findall(rf'<select[^>]* name="{re.escape(name)}".*?</select>', page, re.DOTALL)
    return re.findall(r'<option[^>]* value="([^"]*)"', select)


def boxes(page: str, name: str) -> dict[str, bool]:
    found = re.findall(rf'<input[^>]* name="{name}"[^>]*>', page)
    return {re.findall(r' value="([^"]*)"', box)[0]: " checked" in box for box in found}


def open_form(sqlite_client: Visitor, url: str) -> forms.Fields:
    answer = sqlite_client.get(url)
    assert answer.status_code == 200, answer.text
    return forms.read(answer.text)


def stored(app: Flask, key: int = 1) -> dict[str, Any]:
    with app.app_context():
        disc = db.session.get_one(music.Disc, key)
        values = {name: getattr(disc, name) for name in ("name", "genre_id", "box_id", "room", "place", "stock")}
        return {
            **values,
            "tracks": sorted(track.id for track in disc.tracks),
            "labels": sorted(one.id for one in disc.labels),
        }


# --- bytes, statements and rows -----------------------------------------------------------------

PAGES = {
    "list": "/music/discs",
    "list of the many-sided": "/music/genres",
    "filters": "/music/discs?genre_id=7&tracks.id=7",
    "search in a filter": "/music/discs?genre_id__search=genre",
    "wrong question": "/music/discs?genre_id=x&stock=y",
    "new": "/music/discs/new",
    "edit": EDIT,
    "detail": "/music/discs/1",
    "related rows": "/music/genres/1",
    "delete": "/music/discs/1/delete",
    "delete what is in use": "/music/genres/1/delete",
}


@pytest.mark.parametrize("name", PAGES)
def test_page_reads_few_of_many_rows(large_app: Flask, name: str) -> None:
    visitor = Visitor(large_app, "boss")
    with counted(large_app) as found:
        answer = visitor.get(PAGES[name])
    assert answer.status_code in (200, 400)
    assert len(answer.data) < 60_000
    assert found["rows"] <= 450
    assert found["statements"] <= 40
    assert answer.text.count("<option") <= 120


def _search(fields: forms.Fields) -> dict[str, Any]:
    return {**fields, "tracks__search": "track", "tracks__find": "1", "genre__search": "genre", "genre__find": "1"}


def _stale(fields: forms.Fields) -> dict[str, Any]:
    return {**fields, "version": "0", "name": "Mine", "form__origin": ""}


SENT: dict[str, tuple[Callable[[forms.Fields], dict[str, Any]], int]] = {
    "errors": (lambda fields: {**fields, "name": "", "stock": "x"}, 422),
    "search": (_search, 200),
    "conflict": (_stale, 409),
}


@pytest.mark.parametrize("name", SENT)
def test_sent_form_reads_few_rows(large_app: Flask, name: str) -> None:
    visitor = Visitor(large_app, "boss")
    change, status = SENT[name]
    fields = open_form(visitor, EDIT)
    with counted(large_app) as found:
        answer = visitor.post(EDIT, data=change(fields))
    assert answer.status_code == status
    assert len(answer.data) < 60_000
    assert found["rows"] <= 450
    assert len(options(answer.text, "genre")) <= 52
    assert len(boxes(answer.text, "tracks")) <= 50


# --- forms: one row -----------------------------------------------------------------------------


def test_form_of_many_rows_searches(app: Flask) -> None:
    visitor = Visitor(app, "boss")
    page = visitor.get(EDIT).text
    assert options(page, "genre") == ["", "1"]
    assert 'name="genre__search"' in page
    assert 'name="box__search"' not in page


def test_search_finds_rows_and_saves_nothing(app: Flask) -> None:
    visitor = Visitor(app, "boss")
    before = stored(app)
    fields = {**open_form(visitor, EDIT), "name": "Typed", "stock": "no number", "notes": "Kept\r\ntoo"}
    answer = visitor.post(EDIT, data={**fields, "genre__search": "genre 0011", "genre__find": "1"})
    assert answer.status_code == 200
    assert options(answer.text, "genre") == ["", "1", *map(str, range(110, 120))]
    again = forms.read(answer.text)
    assert (again["name"], again["stock"], again["notes"]) == ("Typed", "no number", "Kept\r\ntoo")
    assert again["genre__search"] == "genre 0011"
    assert "field-errors" not in answer.text
    assert stored(app) == before
    done = visitor.post(EDIT, data={**again, "stock": "5", "genre": "117"})
    assert done.status_code == 303
    assert {**before, "name": "Typed", "stock": 5, "genre_id": 117} == stored(app)


def test_search_works_on_a_new_row(app: Flask) -> None:
    visitor = Visitor(app, "boss")
    url = "/music/discs/new"
    fields = {**open_form(visitor, url), "name": "New", "box": "1"}
    answer = visitor.post(url, data={**fields, "tracks__search": "00099", "tracks__find": "1"})
    assert answer.status_code == 200
    assert boxes(answer.text, "tracks") == {"99": False}
    again = {**forms.read(answer.text), "tracks": ["99"], "tracks__search": "00100"}
    # Enter in the box of the search sends the form by its first button.
    answer = visitor.post(url, data=again)
    assert boxes(answer.text, "tracks") == {"99": True, "100": False}
    answer = visitor.post(url, data={**forms.read(answer.text), "tracks": ["99", "100"]})
    assert answer.status_code == 303
    assert stored(app, int(answer.location.rpartition("/")[2]))["tracks"] == [99, 100]


def test_row_is_chosen_by_its_key(app: Flask) -> None:
    visitor = Visitor(app, "boss")
    assert visitor.post(EDIT, data={**open_form(visitor, EDIT), "genre": "120"}).status_code == 303
    assert stored(app)["genre_id"] == 120
    for wrong in ("121", "x", "1 ", "01"):
        assert visitor.post(EDIT, data={**open_form(visitor, EDIT), "genre": wrong}).status_code == 422


def test_composite_key_can_be_chosen(app: Flask) -> None:
    with app.app_context():
        rooms = ["a:b", "ü/%", *(f"r{number}" for number in range(60))]
        db.session.add_all([music.Shelf(room=room, number=number) for room in rooms for number in (1, 2)])
        db.session.commit()
    visitor = Visitor(app, "boss")
    for room in ("a:b", "ü/%"):
        search = {**open_form(visitor, EDIT), "shelf__search": room, "shelf__find": "1"}
        answer = visitor.post(EDIT, data=search)
        (key,) = (key for key in options(answer.text, "shelf") if unquote(key) == f"{room}:2")
        assert visitor.post(EDIT, data={**forms.read(answer.text), "shelf": key}).status_code == 303
        found = stored(app)
        assert (found["room"], found["place"]) == (room, 2)


# --- forms: several rows ------------------------------------------------------------------------


def test_links_not_shown_are_kept(app: Flask) -> None:
    visitor = Visitor(app, "boss")
    before = stored(app)
    page = visitor.get(EDIT).text
    assert len(boxes(page, "tracks")) == 50
    assert "And 70 more, which are kept." in page
    assert visitor.post(EDIT, data={**forms.read(page), "name": "Other"}).status_code == 303
    assert stored(app) == {**before, "name": "Other"}


def test_search_removes_and_adds_links(app: Flask) -> None:
    with app.app_context():
        db.session.execute(sa.delete(music.disc_track).where(music.disc_track.c.track_id == 110))
        db.session.commit()
    visitor = Visitor(app, "boss")
    fields = open_form(visitor, EDIT)
    # Unchecked on the first page, then looked for another.
    fields["tracks"].remove("3")
    answer = visitor.post(EDIT, data={**fields, "tracks__search": "0011", "tracks__find": "1"})
    others = {str(key): True for key in (11, *range(111, 120))}
    assert boxes(answer.text, "tracks") == {"3": False, "110": False, **others}
    again = forms.read(answer.text)
    again["tracks"] = ["110", *(key for key in again["tracks"] if key != "119")]
    assert visitor.post(EDIT, data=again).status_code == 303
    assert stored(app)["tracks"] == [key for key in range(1, 121) if key not in (3, 119)]


def test_unknown_link_is_refused(app: Flask) -> None:
    visitor = Visitor(app, "boss")
    fields = open_form(visitor, EDIT)
    answer = visitor.post(EDIT, data={**fields, "tracks": [*fields["tracks"], "999"]})
    assert answer.status_code == 422
    assert 'id="tracks-error"' in answer.text


# --- what one may not read ----------------------------------------------------------------------


@pytest.fixture
def labelled_app(app: Flask) -> Flask:
    """Return the shop with a disc that has a label of the clerk and one of another."""
    with app.app_context():
        mine, other = music.Label(id=1, name="Mine", owner_key="clerk"), music.Label(id=2, name="Hidden label")
        db.session.add(music.Label(id=3, name="Free", owner_key="clerk"))
        db.session.get_one(music.Disc, 1).labels = [mine, other]
        db.session.commit()
    return app


def test_form_keeps_unreadable_rows(labelled_app: Flask) -> None:
    visitor = Visitor(labelled_app, "clerk")
    page = visitor.get(EDIT).text
    assert "Secret box" not in page
    assert "Hidden label" not in page
    assert "(kept as it is)" in page
    before = stored(labelled_app)
    answer = visitor.post(EDIT, data={**forms.read(page), "name": "By the clerk", "labels": ["3"]})
    assert answer.status_code == 303
    assert stored(labelled_app) == {**before, "name": "By the clerk", "labels": [2, 3]}


def test_unreadable_row_is_no_choice(labelled_app: Flask) -> None:
    visitor = Visitor(labelled_app, "clerk")
    answers = []
    for box, label in (("1", "2"), ("9", "9")):
        answer = visitor.post(EDIT, data={**open_form(visitor, EDIT), "box": box, "labels": ["1", label]})
        assert answer.status_code == 422
        answers.append(re.findall(r'id="(\w+)-error"', answer.text))
    # The answer does not reveal that there is such a row.
    assert answers[0] == answers[1] == ["box", "labels"]


def test_kept_row_is_no_new_choice(labelled_app: Flask) -> None:
    visitor = Visitor(labelled_app, "clerk")
    fields = open_form(visitor, "/music/discs/new")
    answer = visitor.post("/music/discs/new", data={**fields, "name": "New", "box": ":kept"})
    assert answer.status_code == 422


# --- lists, details and filters -----------------------------------------------------------------


def test_cell_shows_the_first_of_many(app: Flask) -> None:
    page = Visitor(app, "boss").get("/music/discs?limit=1").text
    assert page.count("Track 0") == 10
    assert '<a href="/music/tracks?discs.id=1">110 more</a>' in page


def test_detail_shows_the_first_of_many(app: Flask) -> None:
    page = Visitor(app, "boss").get("/music/discs/1").text
    assert page.count("Track 0") == 10
    assert "110 more" in page


def test_unreadable_rows_are_not_counted(labelled_app: Flask) -> None:
    for path in ("/music/discs?limit=1", "/music/discs/1"):
        page = Visitor(labelled_app, "clerk").get(path).text
        assert "Mine" in page
        assert "Hidden label" not in page
        assert not re.search(r"\b1 more", page)


def test_filter_of_many_rows_searches(app: Flask) -> None:
    visitor = Visitor(app, "boss")
    assert options(visitor.get("/music/discs").text, "genre_id") == [""]
    page = visitor.get("/music/discs?genre_id__search=genre+0011&genre_id=7").text
    assert options(page, "genre_id") == ["", "7", *map(str, range(110, 120))]
    assert ">Genre 00007</option>" in page
    assert visitor.get("/music/discs?name__search=x").status_code == 400


def test_filter_search_is_for_pages(app: Flask) -> None:
    with app.test_request_context(), pytest.raises(BadQuery):
        music.DiscPages.verbs.listing.parse({"genre_id__search": "x"})
