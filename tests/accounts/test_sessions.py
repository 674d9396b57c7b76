"""Sessions that can be ended: asked with cookies as browsers keep and thieves copy them."""

import itertools
import logging
import re
from collections.abc import Callable
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Blueprint
from flask import Flask
from redis import RedisError
from sqlalchemy import delete
from sqlalchemy import event
from sqlalchemy import select
from sqlalchemy.engine import URL

from app.accounts import users
from app.accounts.models import Session
from app.accounts.sessions import in_database
from app.accounts.sessions import lifetimes
from app.accounts.sessions.records import Record
from core.access import identity
from core.api.idempotency import idempotent
from core.data.models import now
from core.http.apis import mark_api
from core.platform import platform_of
from services import db
from tests.accounts.users import PASSWORD
from tests.accounts.users import make_user
from tests.accounts.users import sign_in
from tests.accounts.users import sign_out
from tests.forms import open_form
from tests.forms import submit

NEW = "four quiet otters borrow umbrellas"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

Make = Callable[..., Flask]


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "redis"])
def app(request: pytest.FixtureRequest, make_app: Make, platform: Callable[[str], URL], start_redis: Any) -> Flask:
    """Return the whole application with Ada in it; the records on each engine, and in Redis."""
    if request.param == "redis":
        url = start_redis().url.render_as_string()
        made = make_app(platform("sqlite"), SESSION_STORE="redis", REDIS_URL=url)
    else:
        made = make_app(platform(request.param))
    make_user(made)
    return made


@pytest.fixture
def user_app(sqlite_app: Flask) -> Flask:
    """Return the same where the place of the records does not matter."""
    make_user(sqlite_app)
    return sqlite_app


class Browser:
    """A client of its own, with a cookie that can be copied."""

    def __init__(self, app: Flask, *, signs_in: bool = True, agent: str = AGENT) -> None:
        self.app = app
        self.client = app.test_client()
        self.client.environ_base["HTTP_USER_AGENT"] = agent
        if signs_in:
            assert sign_in(self.client).status_code == 302

    @property
    def cookie(self) -> str:
        found = self.client.get_cookie("session")
        return "" if found is None else found.value

    def copy(self) -> "Browser":
        """Return a thief's browser, with the same cookie."""
        other = Browser(self.app, signs_in=False)
        other.client.set_cookie("session", self.cookie)
        return other

    def is_signed_in(self) -> bool:
        return self.client.get("/accounts/").status_code == 200

    def content(self) -> dict[str, Any]:
        """Return what the cookie says."""
        serializer = self.app.session_interface.get_signing_serializer(self.app)
        return dict(serializer.loads(self.cookie)) if self.cookie else {}

    def press(self, path: str, **fields: str) -> Any:
        """Send one of the forms of the page of sessions."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get("/accounts/sessions").text)
        assert token
        return self.client.post(path, data={"csrf_token": token[1], **fields})


def records(app: Flask) -> list[Record]:
    with app.app_context():
        user = users.find("ada@example.org")
        return list(app.extensions["accounts"].sessions.of(user.id))


# --- ended --------------------------------------------------------------------------------------


def test_cookie_copy_useless_after_sign_out(app):
    ada = Browser(app)
    thief = ada.copy()
    assert thief.is_signed_in()

    sign_out(ada.client)

    assert not thief.is_signed_in()
    assert not ada.is_signed_in()
    assert records(app) == []


def test_password_change_ends_other_sessions(app):
    ada, phone = Browser(app), Browser(app)
    thief = ada.copy()

    fields = {"password": PASSWORD, "new_password": NEW, "new_password_confirm": NEW}
    assert submit(ada.client, "/accounts/password", **fields).status_code == 302

    assert ada.is_signed_in()
    assert not phone.is_signed_in()
    assert not thief.is_signed_in()
    assert len(records(app)) == 1


def test_sign_out_everywhere_ends_others(app):
    ada, phone, tablet = Browser(app), Browser(app), Browser(app)

    answer = ada.press("/accounts/sessions/end-others")

    assert answer.status_code == 303
    assert "Signed out of 2 other browsers." in ada.client.get("/accounts/sessions").text
    assert ada.is_signed_in()
    assert not phone.is_signed_in()
    assert not tablet.is_signed_in()


def test_ending_one_session_leaves_others(app):
    phone = Browser(app, agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1")
    ada, tablet = Browser(app), Browser(app)
    (handle,) = (record.handle for record in records(app) if "iPhone" in record.agent)

    assert ada.press("/accounts/sessions/end", handle=handle).status_code == 303

    assert not phone.is_signed_in()
    assert tablet.is_signed_in()
    assert ada.is_signed_in()


def test_others_session_cannot_be_ended(app):
    ada = Browser(app)
    make_user(app, "eve@example.org", "Eve")
    eve = Browser(app, signs_in=False)
    sign_in(eve.client, "eve@example.org")

    eve.press("/accounts/sessions/end", handle=records(app)[0].handle)
    eve.press("/accounts/sessions/end-others")

    assert ada.is_signed_in()


def test_current_session_not_ended_as_other(app):
    ada = Browser(app)

    assert ada.press("/accounts/sessions/end", handle=records(app)[0].handle).status_code == 400
    assert ada.is_signed_in()


def test_disabling_ends_the_record(app):
    ada = Browser(app)
    with app.app_context():
        users.disable(users.find("ada@example.org"))
        db.session.commit()

    assert not ada.is_signed_in()
    assert records(app) == []


def test_reset_password_ends_all(app):
    ada = Browser(app)
    with app.app_context():
        user = users.find("ada@example.org")
        assert lifetimes.end_all(user, "test") == 1
        db.session.commit()

    assert not ada.is_signed_in()


def test_cookie_copy_gets_no_replay(app):
    shop = Blueprint("shop", __name__, url_prefix="/shop")
    mark_api(shop)
    numbers = itertools.count()

    @shop.post("/once")
    @idempotent
    def once() -> dict[str, Any]:
        return {"name": identity().name, "number": next(numbers)}

    app.register_blueprint(shop)
    ada = Browser(app)
    thief = ada.copy()
    token = open_form(ada.client, "/accounts/profile")["csrf_token"]

    def ask(browser: Browser, token: str) -> Any:
        headers = {"X-CSRFToken": token, "Idempotency-Key": "order-1"}
        return browser.client.post("/shop/once", headers=headers).json

    assert ask(ada, token) == {"name": "Ada", "number": 0}
    assert ask(ada, token) == {"name": "Ada", "number": 0}
    sign_out(ada.client)
    assert ask(thief, token).get("name") != "Ada"
    sign_in(ada.client)
    assert ask(ada, open_form(ada.client, "/accounts/profile")["csrf_token"]) == {"name": "Ada", "number": 0}


# --- a new id -----------------------------------------------------------------------------------


def test_earlier_cookie_stays_anonymous(app):
    ada = Browser(app, signs_in=False)
    ada.client.get("/accounts/sign-in")
    planted = ada.copy()

    sign_in(ada.client)

    assert ada.is_signed_in()
    assert not planted.is_signed_in()


def test_earlier_form_token_invalid(user_app):
    ada = Browser(user_app, signs_in=False)
    before = open_form(ada.client, "/accounts/sign-in")["csrf_token"]
    sign_in(ada.client)

    answer = ada.client.post("/accounts/sign-out", data={"csrf_token": before})

    assert answer.status_code == 400
    assert ada.is_signed_in()


def test_sign_in_again_changes_id(app):
    ada = Browser(app)
    first = ada.content()["sid"]
    sign_out(ada.client)
    sign_in(ada.client)

    assert ada.content()["sid"] != first


def test_reauthentication_changes_id(app):
    ada = Browser(app)
    thief = ada.copy()

    assert submit(ada.client, "/accounts/verify", password=PASSWORD).status_code == 302

    assert ada.is_signed_in()
    assert not thief.is_signed_in()
    assert len(records(app)) == 1


def test_wrong_password_keeps_session(user_app):
    ada = Browser(user_app)
    before = ada.content()["sid"]

    assert submit(ada.client, "/accounts/verify", password="wrong").status_code == 200

    assert ada.content()["sid"] == before
    assert ada.is_signed_in()


def test_records_hold_no_usable_id(app):
    ada = Browser(app)
    sid = ada.content()["sid"]
    (record,) = records(app)

    assert len(sid) >= 43
    assert sid not in repr(record)
    forged = Browser(app, signs_in=False)
    content = ada.content() | {"sid": record.digest}
    serializer = app.session_interface.get_signing_serializer(app)
    forged.client.set_cookie("session", serializer.dumps(content))
    assert not forged.is_signed_in()


def test_record_of_other_account_refused(app):
    make_user(app, "eve@example.org", "Eve")
    eve = Browser(app, signs_in=False)
    sign_in(eve.client, "eve@example.org")
    ada = Browser(app)
    serializer = app.session_interface.get_signing_serializer(app)
    eve.client.set_cookie("session", serializer.dumps(ada.content() | {"sid": eve.content()["sid"]}))

    assert not eve.is_signed_in()


# --- time ---------------------------------------------------------------------------------------


def age(app: Flask, *, created: timedelta = timedelta(), seen: timedelta = timedelta()) -> None:
    """Let all sessions be as old as that."""
    store = app.extensions["accounts"].sessions
    for record in records(app):
        moved = Record(
            record.digest,
            record.user_id,
            now() - created,
            now() - seen,
            record.address,
            record.agent,
        )
        with app.test_request_context("/", method="POST"):
            store.remove([record.digest])
            store.add(moved)
            db.session.commit()


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("created", "seen", "lives"),
    [
        (timedelta(days=20), timedelta(days=13), True),
        (timedelta(days=20), timedelta(days=14), False),
        (timedelta(days=30) - HOUR, HOUR, True),
        (timedelta(days=30), HOUR, False),
    ],
)
def test_session_ends_by_itself(app, created, seen, lives):
    ada = Browser(app)
    age(app, created=created, seen=seen)

    assert ada.is_signed_in() is lives
    assert len(records(app)) == lives


def test_hours_are_set_by_the_configuration(make_app):
    app = make_app(SESSION_IDLE_HOURS=2, SESSION_MAX_HOURS=5)
    make_user(app)
    ada = Browser(app)
    age(app, created=4 * HOUR, seen=1.9 * HOUR)
    assert ada.is_signed_in()
    age(app, created=4 * HOUR, seen=2 * HOUR)
    assert not ada.is_signed_in()


def test_use_is_written_once_a_minute(app):
    ada = Browser(app)
    (first,) = records(app)
    ada.is_signed_in()
    assert records(app)[0].seen_at == first.seen_at

    age(app, seen=timedelta(seconds=61))
    ada.is_signed_in()

    assert now() - records(app)[0].seen_at < timedelta(seconds=30)


def test_reading_an_api_is_no_use(app):
    ada = Browser(app)
    age(app, seen=HOUR)
    platform_of(app).api_endpoints["accounts.index"] = True

    assert ada.is_signed_in()
    assert now() - records(app)[0].seen_at > timedelta(minutes=59)


def test_refused_form_waits_for_no_lock(app):
    ada = Browser(app)
    age(app, seen=HOUR)
    started = now()

    assert submit(ada.client, "/accounts/profile", name="").status_code == 422

    assert now() - started < timedelta(seconds=4)


def test_expired_records_are_cleared_away(user_app, monkeypatch):
    monkeypatch.setattr(lifetimes, "PURGE_ONE_IN", 1)
    for _ in range(3):
        Browser(user_app)
    age(user_app, seen=timedelta(days=15))

    Browser(user_app)

    with user_app.app_context():
        assert len(db.session.scalars(select(Session)).all()) == 1


def test_clearing_away_is_bounded(user_app, monkeypatch):
    monkeypatch.setattr(in_database, "PURGE_ROWS", 2)
    for _ in range(3):
        Browser(user_app)
    age(user_app, seen=timedelta(days=15))
    with user_app.app_context():
        user_app.extensions["accounts"].sessions.purge()
        db.session.commit()
        assert len(db.session.scalars(select(Session)).all()) <= 1


def test_surplus_session_ends_oldest(app, monkeypatch):
    monkeypatch.setattr(lifetimes, "MOST_SESSIONS", 2)
    first = Browser(app)
    age(app, seen=HOUR)
    second, third = Browser(app), Browser(app)

    assert [one.is_signed_in() for one in (first, second, third)] == [False, True, True]


# --- what it costs ------------------------------------------------------------------------------


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    found: list[str] = []
    with app.app_context():
        engine = db.engine

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def test_current_user_costs_one_query(app, statements):
    ada = Browser(app)
    statements.clear()

    assert "Ada" in ada.client.get("/accounts/").text

    assert len(statements) == 1, statements


def test_meaningless_cookie_removed(app, statements, caplog):
    ada = Browser(app)
    thief = ada.copy()
    sign_out(ada.client)
    caplog.clear()
    statements.clear()

    thief.client.get("/")
    thief.client.get("/")

    assert "sid" not in thief.content()
    assert len(statements) <= 1
    assert [one.event for one in caplog.records if hasattr(one, "event")] == ["session.refused"]


# --- cookies ------------------------------------------------------------------------------------


def set_cookies(answer: Any) -> list[str]:
    return answer.headers.getlist("Set-Cookie")


@pytest.mark.parametrize(("stays", "has_expiry"), [(None, False), ("y", True)])
def test_session_stays_only_if_asked_to(user_app, stays, has_expiry):
    ada = Browser(user_app, signs_in=False)

    (cookie,) = set_cookies(sign_in(ada.client, remember=stays))

    assert ("Expires=" in cookie) is has_expiry
    fields = {"password": PASSWORD, "new_password": NEW, "new_password_confirm": NEW}
    (cookie,) = set_cookies(submit(ada.client, "/accounts/password", **fields))
    assert ("Expires=" in cookie) is has_expiry
    assert all("Expires=" not in one for one in set_cookies(sign_out(ada.client)))


def test_there_is_one_cookie(user_app):
    ada = Browser(user_app, signs_in=False)
    answers = [sign_in(ada.client, remember="y"), ada.client.get("/accounts/"), sign_out(ada.client)]

    names = {cookie.partition("=")[0] for answer in answers for cookie in set_cookies(answer)}
    assert names == {"session"}


def test_pages_write_no_cookie_again(user_app):
    ada = Browser(user_app, signs_in=False)
    sign_in(ada.client, remember="y")
    ada.client.get("/accounts/sessions")

    assert set_cookies(ada.client.get("/accounts/sessions")) == []


# --- the page -----------------------------------------------------------------------------------


def test_sessions_page_shows_current_first(app):
    Browser(app, agent="Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0")
    ada = Browser(app)

    page = ada.client.get("/accounts/sessions").text

    assert page.index("Firefox on Linux") < page.index("Edge on Windows")
    assert page.count("This one") == 1
    assert "127.0.0.1" in page


def test_user_agent_escaped(user_app):
    Browser(user_app, agent="<script>alert(1)</script> Firefox/1" + "x" * 500)
    page = Browser(user_app).client.get("/accounts/sessions").text

    assert "<script>alert" not in page


@pytest.mark.parametrize("action", ["end", "end-others"])
def test_ending_asks_who_is_there_again(user_app, action):
    phone = Browser(user_app)
    (of_phone,) = records(user_app)
    ada = Browser(user_app)
    user_app.config["SECURITY_FRESHNESS"] = timedelta(seconds=0.001)

    answer = ada.press(f"/accounts/sessions/{action}", handle=of_phone.handle)

    assert (answer.status_code, answer.location) == (303, "/accounts/verify?next=/accounts/sessions")
    assert phone.is_signed_in()


def test_ending_needs_the_form_token(user_app):
    ada, phone = Browser(user_app), Browser(user_app)

    assert ada.client.post("/accounts/sessions/end-others").status_code == 400
    assert phone.is_signed_in()


def test_sessions_page_needs_sign_in(user_app):
    answer = user_app.test_client().get("/accounts/sessions")

    assert answer.status_code == 303
    assert answer.location.startswith("/accounts/sign-in")


def test_ended_session_signs_in_again(user_app):
    ada = Browser(user_app)
    with user_app.app_context():
        db.session.execute(delete(Session))
        db.session.commit()

    assert sign_in(ada.client).status_code == 302
    assert ada.is_signed_in()


# --- Redis --------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", ["redis"], indirect=True)
def test_redis_away_ends_no_session(app, start_redis, caplog):
    ada = Browser(app)
    store = app.extensions["accounts"].sessions
    client, store._client = store._client, _Gone()

    answer = ada.client.get("/accounts/")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "<h1>Not available right now</h1>" in answer.text
    assert not [one for one in caplog.records if one.levelno > logging.WARNING]
    store._client = client
    assert ada.is_signed_in()


class _Gone:
    """A client of a server that is away."""

    def __getattr__(self, name: str) -> Any:
        def fail(*args: Any) -> Any:
            raise RedisError

        return fail


@pytest.mark.parametrize("app", ["redis"], indirect=True)
def test_records_in_redis_expire_by_themselves(app):
    Browser(app)
    store = app.extensions["accounts"].sessions
    (record,) = records(app)

    seconds = store._client.ttl(f"andamio:session:{record.digest}")

    assert abs(timedelta(days=14).total_seconds() - seconds) < 60
