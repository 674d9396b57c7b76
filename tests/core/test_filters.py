"""The filters of a list as a browser sends them: each takes what its control makes."""

import html
import re
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.exceptions import BadQuery
from services import db
from tests.core import music
from tests.identities import editor

LIST = "/music/discs"


@pytest.fixture
def sender() -> Callable[[], Any]:
    """Send requests as an editor, who may do everything."""
    return editor


@pytest.fixture
def client(make_app: Callable[..., Flask], database_of: Callable[..., URL], engine_name: str) -> FlaskClient:
    """Return a client of a shop with one disc, on each engine."""
    app = make_app(database_of(engine_name, music.Base.metadata), [music.__name__])
    with app.app_context():
        values = {"made_at": datetime(2026, 2, 28, 12, 30, 15, tzinfo=UTC), "opens": time(7, 5), "price": Decimal("10")}
        length = timedelta(hours=1, minutes=30)
        db.session.add(music.Disc(name="Disc", stock=5, length=length, box=music.Box(name="Box"), **values))
        db.session.commit()
    return app.test_client()


#: The value that a browser sends, or a person types; and whether the disc is found.
TYPED = [
    ("made_at__gte", "2026-02-28T12:30", True),
    ("made_at__gte", "2026-02-28T12:30:15", True),
    ("made_at__gte", "2026-02-28T12:30:15.000", True),
    ("made_at__gte", "2026-02-28T12:31", False),
    ("made_at__gte", "2026-02-28 12:30", True),
    ("made_at__gte", "2026-02-28T13:30:15+01:00", True),
    ("made_at__lt", "2026-02-28T12:30", False),
    ("opens", "07:05", True),
    ("opens", "07:05:00", True),
    ("opens", "07:06", False),
    ("length__lte", "1:30", True),
    ("length__lte", "01:29:59", False),
    ("length__lte", "PT1H30M", True),
    ("price__gte", ".5", True),
    ("price__gte", "1e1", True),
    ("price__gte", "10.", True),
    ("price__lte", "9.99", False),
    ("stock", "5.0", True),
    ("stock__gte", "1e1", False),
    ("stock__gte", "-3", True),
    ("stock__gte", " 3 ", True),
]


@pytest.mark.parametrize(("parameter", "text", "expected"), TYPED)
def test_filter_takes_what_is_typed(client: FlaskClient, parameter: str, text: str, expected: bool) -> None:
    answer = client.get(LIST, query_string={parameter: text})
    assert answer.status_code == 200
    assert ("1 disc" in answer.text) is expected


def test_datetime_control_names_its_zone(client: FlaskClient) -> None:
    page = client.get(LIST, query_string={"made_at__gte": "2026-02-28T13:30:15+01:00"}).text
    assert ">Made at from (UTC)</label>" in page
    (control,) = re.findall(r'<input[^>]* name="made_at__gte"[^>]*>', page)
    assert 'type="datetime-local"' in control
    assert 'value="2026-02-28T12:30:15"' in control


# A refused value reaches no engine.
@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("parameter", "text", "said"),
    [
        ("made_at__gte", "yesterday", "Not a date and time: write 2026-01-31 12:00."),
        ("made_at__gte", "2026-02-30T12:00", "Not a date and time: write 2026-01-31 12:00."),
        ("opens", "7", "Not a time of day"),
        ("length__lte", "long", "Not a duration: write 26:30"),
        ("price__gte", "cheap", "Not a number"),
        ("price__gte", "1,5", "Not a number"),
        ("stock", "5.5", "Not a valid integer."),
    ],
)
def test_invalid_value_stands_at_control(client: FlaskClient, parameter: str, text: str, said: str) -> None:
    answer = client.get(LIST, query_string={parameter: text})
    assert answer.status_code == 400
    (control,) = re.findall(rf'<input[^>]* name="{parameter}"[^>]*>', answer.text)
    # A browser would show nothing of it in a control of its kind.
    assert 'type="text"' in control
    assert f'value="{html.escape(text)}"' in control
    errors = answer.text.partition(f'id="filter-{parameter}-error">')[2]
    assert html.unescape(errors).startswith(said)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("parameter", "text"),
    [("made_at__gte", "2026-02-28T12:30"), ("length__lte", "1:30"), ("price__gte", ".5"), ("stock", "5.0")],
)
def test_listing_stays_strict(client: FlaskClient, parameter: str, text: str) -> None:
    with client.application.test_request_context(), pytest.raises(BadQuery):
        music.DiscPages.verbs.listing.parse({parameter: text})
