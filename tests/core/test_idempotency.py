import json
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint
from flask import Flask
from flask import abort
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

import settings
from core.api import idempotency
from core.api.idempotency import idempotency_keys
from core.api.idempotency import idempotent
from core.api.idempotency import purge
from core.data.models import now
from core.http.apis import mark_api
from core.signals import row_created
from services import db
from tests.core.warehouse import Maker
from tests.core.warehouse import Tag
from tests.core.warehouse import Thing

PEN = {"name": "pen", "maker_id": 1}
THINGS = "/warehouse/things"
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def send(client: FlaskClient, key: str = KEY, url: str = THINGS, body: Any = PEN, **headers: str) -> TestResponse:
    return client.post(url, json=body, headers={"Idempotency-Key": key, **headers})


def count(app: Flask, table: Any = Thing) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def problem(answer: TestResponse, status: int, kind: str) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["type"] == f"/problems/{kind}"
    return answer.json


@contextmanager
def listening(receive: Callable[..., Any]) -> Iterator[None]:
    row_created.connect(receive)
    yield
    row_created.disconnect(receive)


# --- repeating ----------------------------------------------------------------------------------


def test_repeated_request_replays_answer(app: Flask, client: FlaskClient) -> None:
    first = send(client)
    again = send(client)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    for name in ("Location", "ETag", "Content-Type"):
        assert again.headers[name] == first.headers[name]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert count(app) == 1


def test_another_key_is_another_request(app: Flask, client: FlaskClient) -> None:
    assert send(client, "a").json["id"] != send(client, "b").json["id"]
    assert send(client, "A").json["id"] not in (send(client, "a").json["id"], send(client, "b").json["id"])
    assert count(app) == 3


def test_replay_after_item_changed(client: FlaskClient) -> None:
    first = send(client)
    place = first.headers["Location"]
    assert client.delete(place, headers={"If-Match": first.headers["ETag"]}).status_code == 204
    assert send(client).data == first.data


def test_large_answer_is_kept_whole(client: FlaskClient) -> None:
    body = {**PEN, "data": "ñ" * 200_000}
    first = send(client, body=body)
    assert len(first.data) > 400_000
    assert send(client, body=body).data == first.data


def test_without_a_key_nothing_is_kept(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    assert sqlite_client.post(THINGS, json=PEN).status_code == 201
    assert sqlite_client.post(THINGS, json=PEN).status_code == 201
    assert (count(sqlite_app), count(sqlite_app, idempotency_keys)) == (2, 0)


def test_key_costs_two_statements(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "PURGE_ONE_IN", 10**9)
    heard: list[str] = []

    def hear(*args: Any) -> None:
        heard.append(args[2])

    with app.app_context():
        engine = db.engine
    client.post(THINGS, json=PEN)
    sa.event.listen(engine, "before_cursor_execute", hear)
    lengths = []
    for post in (lambda: client.post(THINGS, json=PEN), lambda: send(client), lambda: send(client)):
        heard.clear()
        post()
        lengths.append(len([text for text in heard if not text.startswith("BEGIN")]))
    sa.event.remove(engine, "before_cursor_execute", hear)
    plain, keyed, repeated = lengths
    assert (keyed - plain, repeated) == (2, 2)


# --- the key ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a", "!", "x" * 255, '"quoted"', " padded ", "a,b", "a;b=c", "~"])
def test_key_of_visible_characters_is_taken(sqlite_client: FlaskClient, key: str) -> None:
    assert send(sqlite_client, key).status_code == 201
    assert "Idempotency-Replayed" in send(sqlite_client, key).headers


@pytest.mark.parametrize(
    "key",
    ["", " ", '""', '"', '"open', "in the middle", "x" * 256, "tab\there", "ü", "\x7f", 'a"b', "a\\b", '"a", "b"'],
)
def test_malformed_key_is_refused(sqlite_app: Flask, sqlite_client: FlaskClient, key: str) -> None:
    document = problem(send(sqlite_client, key), 400, "bad-request")
    assert "Idempotency-Key" in document["detail"]
    assert count(sqlite_app) == 0


def test_quotes_do_not_make_another_key(sqlite_client: FlaskClient) -> None:
    assert send(sqlite_client, "same").data == send(sqlite_client, '"same"').data


def test_key_belongs_to_caller(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    callers = [{}, {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}]
    assert len({send(sqlite_client, **caller).json["id"] for caller in callers}) == 3
    assert len({send(sqlite_client, **caller).json["id"] for caller in callers}) == 3
    assert count(sqlite_app) == 3


def test_key_belongs_to_address(sqlite_client: FlaskClient) -> None:
    assert send(sqlite_client).status_code == 201
    answer = send(sqlite_client, url="/warehouse/makers", body={"name": "Bcme"})
    assert (answer.status_code, answer.json["name"]) == (201, "Bcme")


# --- another request ----------------------------------------------------------------------------


def test_other_body_same_key_refused(app: Flask, client: FlaskClient) -> None:
    first = send(client)
    problem(send(client, body={**PEN, "rank": 1}), 422, "idempotency-key-reused")
    assert send(client).data == first.data
    assert count(app) == 1


def test_other_query_is_other_request(sqlite_client: FlaskClient) -> None:
    assert send(sqlite_client).status_code == 201
    problem(send(sqlite_client, url=f"{THINGS}?x=1"), 422, "idempotency-key-reused")
    options = {"data": json.dumps(PEN), "headers": {"Idempotency-Key": KEY}}
    answer = sqlite_client.post(THINGS, content_type="text/plain", **options)
    problem(answer, 422, "idempotency-key-reused")


# --- nothing is left of what failed -------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [({**PEN, "rank": "x"}, 422), ({**PEN, "maker_id": 9}, 422), ({**PEN, "name": "forbidden"}, 422)],
)
def test_refused_request_leaves_no_key(app: Flask, client: FlaskClient, body: Any, status: int) -> None:
    assert send(client, body=body).status_code == status
    assert count(app, idempotency_keys) == 0
    assert send(client).status_code == 201


def test_crash_leaves_no_key(app: Flask, client: FlaskClient) -> None:
    def crash(sender: Any, item: Any) -> None:
        raise RuntimeError

    with listening(crash):
        problem(send(client), 500, "internal")
    assert (count(app), count(app, idempotency_keys)) == (0, 0)
    answer = send(client)
    assert (answer.status_code, "Idempotency-Replayed" in answer.headers) == (201, False)


# --- expiry -------------------------------------------------------------------------------------


def age(app: Flask, **past: float) -> None:
    with app.app_context():
        db.session.execute(sa.update(idempotency_keys).values(expires_at=now() - timedelta(**past)))
        db.session.commit()


def test_key_expires_after_setting(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    before = now()
    send(sqlite_client)
    with sqlite_app.app_context():
        expires_at = db.session.scalar(sa.select(idempotency_keys.c.expires_at))
    lasts = expires_at - before
    assert timedelta() <= lasts - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS) < timedelta(minutes=1)


def test_expired_key_counts_as_new(app: Flask, client: FlaskClient) -> None:
    first = send(client)
    age(app, seconds=1)
    second = send(client, body={**PEN, "rank": 2})
    assert (second.status_code, second.json["rank"]) == (201, 2)
    assert second.json["id"] != first.json["id"]
    assert send(client, body={**PEN, "rank": 2}).data == second.data
    assert count(app) == 2


def test_expired_key_renewed_once(app: Flask, client: FlaskClient) -> None:
    send(client)
    age(app, hours=1)
    statuses = [status for status, _ in race(app, 4)]
    assert set(statuses) <= {201, 409}
    assert count(app) == 2


def test_expired_keys_are_deleted_in_passing(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        send(client, f"old-{number}")
    age(app, hours=1)
    monkeypatch.setattr(idempotency, "PURGE_ROWS", 3)
    monkeypatch.setattr(idempotency, "PURGE_ONE_IN", 1)
    send(client, "new")
    assert count(app, idempotency_keys) == 3
    send(client, "newer")
    assert count(app, idempotency_keys) == 2
    assert "Idempotency-Replayed" in send(client, "new").headers


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_cleanup_skips_locked_rows(app: Flask, client: FlaskClient) -> None:
    for key in ("a", "b"):
        send(client, key)
    age(app, hours=1)
    with app.app_context():
        keys = idempotency_keys
        with db.engine.connect() as other:
            other.execute(sa.select(keys.c.id).order_by(keys.c.expires_at, keys.c.id).limit(1).with_for_update()).all()
            purge()
    assert count(app, idempotency_keys) == 1


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_failed_cleanup_keeps_answer(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(idempotency, "PURGE_ONE_IN", 1)
    monkeypatch.setattr(idempotency, "PURGE_ROWS", -1)
    assert send(client).status_code == 201
    assert "expired idempotency keys could not be deleted" in caplog.text


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_connection_lost_in_cleanup_keeps_answer(
    make_proxied_app: Any, engine_name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app, proxy = make_proxied_app(engine_name)
    with app.app_context():
        db.session.add(Maker(id=1, name="Acme"))
        db.session.commit()

    def lose_and_purge() -> None:
        proxy.cut()
        proxy.restore()
        purge()

    monkeypatch.setattr(idempotency, "purge", lose_and_purge)
    monkeypatch.setattr(idempotency, "PURGE_ONE_IN", 1)
    assert send(app.test_client()).status_code == 201
    assert "expired idempotency keys could not be deleted" in caplog.text
    assert count(app) == 1


# --- several at once ----------------------------------------------------------------------------


def race(app: Flask, number: int, **options: Any) -> list[tuple[int, bytes]]:
    """Send the same request so many times at once."""
    barrier = threading.Barrier(number)

    def run(_: int) -> tuple[int, bytes]:
        barrier.wait()
        answer = send(app.test_client(), **options)
        return answer.status_code, answer.data

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_racing_requests_create_one_row(app: Flask, client: FlaskClient) -> None:
    for number in range(5):
        answers = race(app, 6, key=f"race-{number}")
        assert {status for status, _ in answers} <= {201, 409}
        assert len({body for status, body in answers if status == 201}) == 1
    assert count(app) == 5
    assert count(app, idempotency_keys) == 5


def test_racing_repetitions_all_get_the_answer(app: Flask, client: FlaskClient) -> None:
    first = send(client)
    assert race(app, 6) == [(201, first.data)] * 6


class Slow:
    """Holds the first request that creates a row until it is let go."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, sender: Any, item: Any) -> None:
        if not self.began.is_set():
            self.began.set()
            assert self.go.wait(10)


def test_request_in_flight_refused(app: Flask, client: FlaskClient, engine_name: str) -> None:
    slow = Slow()
    with ThreadPoolExecutor(2) as pool, listening(slow):
        first = pool.submit(send, app.test_client())
        assert slow.began.wait(10)
        second = pool.submit(send, app.test_client())
        if engine_name == "sqlite":
            # It has one writer at a time: the second waits its turn.
            slow.go.set()
            assert second.result(10).data == first.result(10).data
            assert "Idempotency-Replayed" in second.result().headers
        else:
            # The first has not been let go.
            answer = second.result(2)
            problem(answer, 409, "idempotency-in-flight")
            assert answer.headers["Retry-After"] == "1"
            slow.go.set()
            assert first.result(10).status_code == 201
    assert send(client).data == first.result().data
    assert count(app) == 1


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_request_in_flight_blocks_no_other(app: Flask, client: FlaskClient) -> None:
    slow = Slow()
    with ThreadPoolExecutor(1) as pool, listening(slow):
        first = pool.submit(send, app.test_client())
        assert slow.began.wait(10)
        others = [send(client, f"other-{number}").status_code for number in range(20)]
        slow.go.set()
    assert others == [201] * 20
    assert first.result().status_code == 201


# --- views of modules ---------------------------------------------------------------------------


@pytest.fixture
def app_with_counters(make_app: Callable[..., Flask], database_url: Callable[[str], URL], engine_name: str) -> Flask:
    """Return an application with views that do something with tags."""
    app = make_app(database_url(engine_name), ["tests.core.warehouse"])
    bp = Blueprint("counter", __name__, url_prefix="/warehouse/counter")

    @bp.post("/add")
    @idempotent
    def add() -> Any:
        code = f"t{len(db.session.scalars(sa.select(Tag)).all())}"
        db.session.add(Tag(code=code))
        return {"code": code}, 202, {"X-More": "1", "Link": '</warehouse>; rel="up"'}

    @bp.post("/nothing")
    @idempotent
    def nothing() -> Any:
        db.session.add(Tag(code="n"))
        return "", 204

    @bp.post("/refuse")
    @idempotent
    def refuse() -> Any:
        db.session.add(Maker(name="lost"))
        db.session.flush()
        return {"why": "so"}, 409

    @bp.post("/half")
    @idempotent
    def half() -> Any:
        db.session.add(Tag(code="half"))
        db.session.commit()
        abort(400)

    @bp.post("/undo")
    @idempotent
    def undo() -> Any:
        db.session.rollback()
        return {}

    mark_api(bp)
    app.register_blueprint(bp)
    return app


def test_any_view_can_be_done_once(app_with_counters: Flask) -> None:
    client = app_with_counters.test_client()
    first, again = (send(client, url="/warehouse/counter/add") for _ in range(2))
    assert (again.status_code, again.json) == (first.status_code, first.json) == (202, {"code": "t0"})
    assert again.headers["Link"] == first.headers["Link"]
    assert ("X-More" in first.headers, "X-More" in again.headers) == (True, False)
    assert app_with_counters.view_functions["counter.add"].idempotent
    assert count(app_with_counters, Tag) == 1


def test_view_commits_without_a_key_too(app_with_counters: Flask) -> None:
    assert app_with_counters.test_client().post("/warehouse/counter/add").status_code == 202
    assert count(app_with_counters, Tag) == 1


def test_answer_without_a_body_is_repeated(app_with_counters: Flask) -> None:
    client = app_with_counters.test_client()
    first, again = (send(client, url="/warehouse/counter/nothing") for _ in range(2))
    assert (first.status_code, again.status_code, again.data) == (204, 204, b"")
    assert again.headers.get("Content-Type") == first.headers.get("Content-Type")


def test_error_answer_rolls_back_unkept(app_with_counters: Flask) -> None:
    client = app_with_counters.test_client()
    for options in ({}, {"headers": {"Idempotency-Key": KEY}}):
        answer = client.post("/warehouse/counter/refuse", **options)
        assert (answer.status_code, answer.json) == (409, {"why": "so"})
    assert (count(app_with_counters, Maker), count(app_with_counters, idempotency_keys)) == (0, 0)


def test_half_committed_work_not_repeated(app_with_counters: Flask) -> None:
    client = app_with_counters.test_client()
    assert send(client, url="/warehouse/counter/half").status_code == 400
    problem(send(client, url="/warehouse/counter/half"), 409, "idempotency-in-flight")
    age(app_with_counters, seconds=1)
    # It is done again, and meets its own half.
    problem(send(client, url="/warehouse/counter/half"), 409, "conflict")


def test_view_that_rolls_back_logged(app_with_counters: Flask, caplog: pytest.LogCaptureFixture) -> None:
    assert send(app_with_counters.test_client(), url="/warehouse/counter/undo").status_code == 500
    assert "put what may fail into db.session.begin_nested()" in caplog.text
