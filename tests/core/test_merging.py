"""Two editors of one row: what fits together is merged, and only what both changed is asked."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from services import db
from tests import forms
from tests.core import music
from tests.identities import editor

EDIT = "/music/discs/1/edit"
MEMO = "/music/memos/1/edit"


@pytest.fixture
def sender() -> Callable[[], Any]:
    """Send requests as an editor, who may do everything."""
    return editor


@pytest.fixture
def client(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> FlaskClient:
    """Return a client of a shop with a disc and a memo, on each engine."""
    app = make_app(database_of(engine_name, music.Base.metadata), [music.__name__])
    with app.app_context():
        box, other = music.Box(id=1, name="Box"), music.Box(id=2, name="Other box")
        tracks = [music.Track(id=key, title=f"Track {key}") for key in (1, 2, 3)]
        disc = music.Disc(id=1, name="At first", stock=5, notes="one\r\ntwo", box=box, tracks=tracks[:2])
        db.session.add_all([box, other, *tracks, disc, music.Memo(id=1, title="At first", body="Body")])
        db.session.commit()
    return app.test_client()


def shown(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def asked(page: str) -> list[str]:
    """Return the fields about which a page asks."""
    return list(dict.fromkeys(re.findall(r'name="(\w+)__use"', page)))


def stored(client: FlaskClient, model: type[Any] = music.Disc) -> Any:
    with client.application.app_context():
        item = db.session.get_one(model, 1)
        if model is music.Disc:
            item.tracks  # noqa: B018  # read now, as the session ends
        db.session.expunge_all()
        return item


def test_untouched_fields_stay_as_saved(client: FlaskClient) -> None:
    hers = forms.open_form(client, EDIT)
    assert forms.submit(client, EDIT, notes="Saved first").status_code == 303
    answer = client.post(EDIT, data={**hers, "stock": "7"})
    assert answer.status_code == 303
    disc = stored(client)
    assert (disc.notes, disc.stock, disc.version) == ("Saved first", 7, 3)
    assert "Another person had changed Notes since you opened the form" in shown(client.get(answer.location).text)


def test_same_change_is_no_conflict(client: FlaskClient) -> None:
    hers = forms.open_form(client, EDIT)
    forms.submit(client, EDIT, name="Same", price="2.5")
    assert client.post(EDIT, data={**hers, "name": "Same", "price": "2.50", "stock": "6"}).status_code == 303
    assert (stored(client).name, stored(client).stock) == ("Same", 6)


@pytest.mark.parametrize(("use", "expected"), [("now", "Theirs"), ("mine", "Mine")])
def test_conflict_is_decided_for_each_field(client: FlaskClient, use: str, expected: str) -> None:
    hers = forms.open_form(client, EDIT)
    forms.submit(client, EDIT, name="Theirs", box="2", price="9")
    answer = client.post(EDIT, data={**hers, "name": "Mine", "notes": "Mine"})
    assert answer.status_code == 409
    assert asked(answer.text) == ["name"]
    assert "Name Theirs Mine" in shown(answer.text)
    assert stored(client).name == "Theirs"
    fields = forms.read(answer.text)
    assert (fields["box"], fields["price"], fields["notes"]) == ("2", "9.00", "Mine")
    assert client.post(EDIT, data={**fields, "name__use": use}).status_code == 303
    disc = stored(client)
    assert (disc.name, disc.box_id, disc.price, disc.notes) == (expected, 2, 9, "Mine")


def test_unanswered_conflict_is_asked_again(client: FlaskClient) -> None:
    hers = forms.open_form(client, EDIT)
    forms.submit(client, EDIT, name="Theirs", stock="1")
    answer = client.post(EDIT, data={**hers, "name": "Mine", "stock": "2"})
    assert asked(answer.text) == ["name", "stock"]
    answer = client.post(EDIT, data={**forms.read(answer.text), "name__use": "mine", "stock__use": "maybe"})
    assert answer.status_code == 409
    assert "Choose one of the two." in answer.text
    # The summary leads to the question without an answer, and to no other.
    assert re.findall(r'<a href="#([\w-]+-use-now)">', answer.text) == ["stock-use-now"]
    assert stored(client).name == "Theirs"


def test_stale_conflict_page_asks_again(client: FlaskClient) -> None:
    hers = forms.open_form(client, EDIT)
    forms.submit(client, EDIT, name="Second")
    answer = client.post(EDIT, data={**hers, "name": "Mine"})
    fields = {**forms.read(answer.text), "name__use": "mine"}
    forms.submit(client, EDIT, stock="8")
    # Nothing that both have changed is new.
    assert client.post(EDIT, data=fields).status_code == 303
    assert (stored(client).name, stored(client).stock) == ("Mine", 8)
    fields = {**forms.open_form(client, EDIT), "name": "Mine again"}
    forms.submit(client, EDIT, name="Third")
    page = client.post(EDIT, data=fields).text
    forms.submit(client, EDIT, name="Fourth")
    answer = client.post(EDIT, data={**forms.read(page), "name__use": "mine"})
    assert answer.status_code == 409
    assert "Name Fourth Mine again" in shown(answer.text)


def test_links_of_both_are_kept(client: FlaskClient) -> None:
    hers = forms.open_form(client, EDIT)
    forms.submit(client, EDIT, tracks=["2"])
    assert client.post(EDIT, data={**hers, "tracks": ["1", "2", "3"]}).status_code == 303
    assert sorted(track.id for track in stored(client).tracks) == [2, 3]


def test_untouched_gone_choice_is_kept(client: FlaskClient) -> None:
    hers = forms.open_form(client, EDIT)
    forms.submit(client, EDIT, box="2")
    with client.application.app_context():
        db.session.delete(db.session.get_one(music.Box, 1))
        db.session.commit()
    assert client.post(EDIT, data={**hers, "stock": "6"}).status_code == 303
    assert (stored(client).box_id, stored(client).stock) == (2, 6)


def test_form_without_origin_asks_all(client: FlaskClient) -> None:
    hers = forms.open_form(client, EDIT)
    forms.submit(client, EDIT, name="Theirs", notes="Theirs")
    for origin in (None, "", "[1]", "{", "[" * 100_000, '{"name": 5}'):
        sent = {**hers, "form__origin": origin} if origin is not None else dict(hers)
        sent = {name: value for name, value in sent.items() if origin is not None or name != "form__origin"}
        answer = client.post(EDIT, data={**sent, "stock": "6"})
        assert answer.status_code == 409
        assert asked(answer.text) == ["name", "stock", "notes"]


def test_row_without_a_version_is_merged(client: FlaskClient) -> None:
    hers = forms.open_form(client, MEMO)
    forms.submit(client, MEMO, title="Theirs")
    assert client.post(MEMO, data={**hers, "body": "Mine"}).status_code == 303
    memo = stored(client, music.Memo)
    assert (memo.title, memo.body) == ("Theirs", "Mine")
    answer = client.post(MEMO, data={**hers, "title": "Mine", "body": "Body"})
    assert answer.status_code == 409
    assert "Title Theirs Mine" in shown(answer.text)


def test_conflict_search_decides_nothing(client: FlaskClient) -> None:
    with client.application.app_context():
        db.session.add_all([music.Genre(id=key, name=f"Genre {key:03}") for key in range(1, 61)])
        db.session.commit()
    hers = forms.open_form(client, EDIT)
    forms.submit(client, EDIT, name="Theirs")
    page = client.post(EDIT, data={**hers, "name": "Mine"}).text
    answer = client.post(EDIT, data={**forms.read(page), "genre__search": "007", "genre__find": "1"})
    assert answer.status_code == 409
    assert ">Genre 007</option>" in answer.text
    assert asked(answer.text) == ["name"]
    sent = {**forms.read(answer.text), "genre": "7", "name__use": "mine"}
    assert client.post(EDIT, data=sent).status_code == 303
    assert (stored(client).name, stored(client).genre_id) == ("Mine", 7)
