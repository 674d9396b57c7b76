import json
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Blueprint
from flask import Flask
from flask import abort
from flask import request
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

import settings
from core.api.idempotency import idempotency_keys
from core.exceptions import Invalid
from core.rest import Api
from core.rest import ModelResource
from core.signals import row_created
from core.signals import row_deleted
from core.signals import row_updated
from services import db
from tests.core.warehouse import Maker
from tests.core.warehouse import Tag
from tests.core.warehouse import Thing
from tests.core.warehouse import ThingSchema
from tests.core.warehouse import boxes
from tests.core.warehouse import things

THINGS = "/warehouse/things"
BULK = f"{THINGS}:bulk"
PEN = {"name": "pen", "maker_id": 1}


def create(**values: Any) -> dict[str, Any]:
    return {"method": "create", "data": {**PEN, **values}}


def update(key: Any, version: Any = 1, **values: Any) -> dict[str, Any]:
    return {"method": "update", "key": key, "version": version, "data": values}


def delete(key: Any, version: Any = 1) -> dict[str, Any]:
    return {"method": "delete", "key": key, "version": version}


def send(client: FlaskClient, *operations: Any, url: str = BULK, headers: Any = None, **more: Any) -> TestResponse:
    return post(client, {"operations": [*operations], **more}, url, headers=headers)


def post(client: FlaskClient, body: Any, url: str = BULK, **options: Any) -> TestResponse:
    # The application's own JSON writes no integers of over 64 bits.
    return client.post(url, data=json.dumps(body), content_type="application/json", **options)


def results(answer: TestResponse) -> list[Any]:
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json["results"]
    return found


def statuses(answer: TestResponse) -> list[int]:
    return [result["status"] for result in results(answer)]


def problem(answer: TestResponse, status: int = 422) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    return answer.json


def pointers(document: Any) -> list[str]:
    return [error["pointer"] for error in document["errors"]]


def made(client: FlaskClient, number: int, **values: Any) -> list[Any]:
    """Create so many things; give their keys."""
    answer = send(client, *(create(**values) for _ in range(number)))
    return [result["item"]["id"] for result in results(answer)]


def names(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(sa.select(Thing.name).order_by(Thing.id)))


@contextmanager
def listening(signal: Any, receive: Callable[..., Any]) -> Iterator[None]:
    signal.connect(receive)
    yield
    signal.disconnect(receive)


# --- what an operation does ---------------------------------------------------------------------


def test_results_follow_operations(app: Flask, client: FlaskClient) -> None:
    first, second = made(client, 2)
    answer = send(client, create(name="cup"), update(first, name="mug"), delete(second))
    found = results(answer)
    assert [result["status"] for result in found] == [201, 200, 204]
    assert [sorted(result) for result in found] == [
        ["etag", "item", "location", "status"], ["etag", "item", "status"], ["status"],
    ]  # fmt: skip
    assert (found[0]["item"]["name"], found[1]["item"]["name"]) == ("cup", "mug")
    assert names(app) == ["mug", "cup"]


def test_results_equal_items(client: FlaskClient) -> None:
    (key,) = made(client, 1)
    created, updated = results(send(client, create(price="2", color="RED"), update(key, rank=5)))
    for result, place in ((created, created["location"]), (updated, f"{THINGS}/{key}")):
        shown = client.get(place)
        assert (shown.json, shown.headers["ETag"]) == (result["item"], result["etag"])


def test_update_is_a_merge_patch(client: FlaskClient) -> None:
    key = results(send(client, create(rank=3, notes="kept", data={"a": 1, "b": {"c": 2}})))[0]["item"]["id"]
    (found,) = results(send(client, update(key, rank=None, data={"b": {"c": None}, "d": 4})))
    assert found["item"] | {"rank": None, "notes": "kept", "data": {"a": 1, "b": {}, "d": 4}} == found["item"]


def test_text_key_shown_unchanged(client: FlaskClient) -> None:
    made = [{"method": "create", "data": {"code": code}} for code in ("a b", "7")]
    answer = send(client, *made, url="/warehouse/tags:bulk")
    assert [result["location"] for result in results(answer)] == ["/warehouse/tags/a%20b", "/warehouse/tags/7"]
    # Without a version there is nothing to hold the change to.
    change = {"method": "update", "key": "a b", "data": {"title": "A"}}
    answer = send(
        client, change, {"method": "delete", "key": "7"}, {"method": "delete", "key": 7}, url="/warehouse/tags:bulk"
    )
    assert statuses(answer) == [200, 204, 422]
    assert client.get("/warehouse/tags").json["items"] == [{"code": "a b", "title": "A"}]


def test_operations_see_what_earlier_ones_did(client: FlaskClient) -> None:
    (key,) = made(client, 1)
    answer = send(client, update(key, name="a"), update(key, 2, name="b"), delete(key, 3), delete(key, 3))
    assert statuses(answer) == [200, 200, 204, 404]
    tag = {"method": "create", "data": {"code": "new"}}
    answer = send(client, tag, {"method": "delete", "key": "new"}, tag, tag, url="/warehouse/tags:bulk")
    assert statuses(answer) == [201, 204, 201, 422]


def test_relationships_are_written_too(client: FlaskClient) -> None:
    send(client, {"method": "create", "data": {"code": "t"}}, url="/warehouse/tags:bulk")
    box = {"method": "create", "data": {"name": "box", "maker_id": 1, "tags": ["t"]}}
    (found,) = results(send(client, box, url="/warehouse/boxes:bulk"))
    (changed,) = results(send(client, update(found["item"]["id"], tags=[]), url="/warehouse/boxes:bulk"))
    assert (found["item"]["tags"], changed["item"]["tags"]) == (["t"], [])
    assert client.get(found["location"]).headers["ETag"] == changed["etag"]


def test_signals_sent_for_each_change(app: Flask, client: FlaskClient) -> None:
    first, second = made(client, 2)
    heard: list[str] = []

    def hear(name: str) -> Any:
        return lambda sender, item: heard.append(f"{name} {item.id}")

    created, updated, deleted = hear("created"), hear("updated"), hear("deleted")
    with listening(row_created, created), listening(row_updated, updated), listening(row_deleted, deleted):
        answer = send(client, update(first, name="x"), delete(second), delete(0), create())
    assert statuses(answer) == [200, 204, 404, 201]
    new = results(answer)[3]["item"]["id"]
    assert heard == [f"updated {first}", f"deleted {second}", f"created {new}"]


# --- what fails ---------------------------------------------------------------------------------


def test_failed_operation_leaves_the_others(app: Flask, client: FlaskClient) -> None:
    (key,) = made(client, 1, code="taken")
    answer = send(
        client,
        create(name="a"),
        create(code="taken"),
        create(maker_id=99),
        create(name="forbidden"),
        create(rank=-100),
        update(key, code="free"),
        create(name="b", code="taken"),
        delete(10**6),
    )
    assert statuses(answer) == [201, 422, 422, 422, 422, 200, 201, 404]
    assert names(app) == ["pen", "a", "b"]
    found = results(answer)
    assert [pointers(found[number]["problem"]) for number in (1, 2, 3, 4, 7)] == [
        ["#/operations/1/data/code"],
        ["#/operations/2/data/maker_id"],
        ["#/operations/3/data/name"],
        ["#/operations/4/data/rank"],
        ["#/operations/7"],
    ]
    assert found[7]["problem"]["type"] == "/problems/not-found"
    assert found[7]["problem"]["detail"] == f"There is no thing {10**6}."


def test_referenced_row_not_deleted(app: Flask, client: FlaskClient) -> None:
    made(client, 1)
    with app.app_context():
        db.session.add(Maker(id=50, name="B"))
        db.session.commit()
    answer = send(client, *({"method": "delete", "key": key} for key in (1, 50)), url="/warehouse/makers:bulk")
    assert statuses(answer) == [409, 204]
    assert results(answer)[0]["problem"]["type"] == "/problems/in-use"


def test_change_is_held_to_the_version(app: Flask, client: FlaskClient) -> None:
    first, second = made(client, 2)
    without = [{"method": "update", "key": first, "data": {"name": "x"}}, {"method": "delete", "key": second}]
    answer = send(client, *without, update(first, 2, name="x"), delete(second, 0), update(first, -1, name="x"))
    assert statuses(answer) == [428, 428, 412, 412, 412]
    assert [result["problem"]["type"].rpartition("/")[2] for result in results(answer)] == [
        *["precondition-required"] * 2,
        *["precondition-failed"] * 3,
    ]
    assert names(app) == ["pen", "pen"]


def test_receiver_that_refuses_undoes_its_operation(app: Flask, client: FlaskClient) -> None:
    def refuse(sender: Any, item: Any) -> None:
        if item.name == "bad":
            db.session.add(Tag(code="side"))
            db.session.flush()
            raise Invalid({"name": ["Not today."]})

    with listening(row_created, refuse):
        answer = send(client, create(name="good"), create(name="bad"), create(name="fine"))
    assert statuses(answer) == [201, 422, 201]
    assert pointers(results(answer)[1]["problem"]) == ["#/operations/1/data/name"]
    assert names(app) == ["good", "fine"]
    assert client.get("/warehouse/tags").json["items"] == []


def test_crash_undoes_everything(app: Flask, client: FlaskClient) -> None:
    def crash(sender: Any, item: Any) -> None:
        if item.name == "bad":
            raise RuntimeError("an internal detail")

    with listening(row_created, crash):
        answer = send(client, create(name="good"), create(name="bad"))
    assert problem(answer, 500)["type"] == "/problems/internal"
    assert "internal detail" not in answer.text
    assert names(app) == []


# --- all or nothing -----------------------------------------------------------------------------


def test_atomic_does_all(app: Flask, client: FlaskClient) -> None:
    first, second = made(client, 2)
    answer = send(client, create(name="a"), update(first, name="b"), delete(second), atomic=True)
    assert statuses(answer) == [201, 200, 204]
    assert names(app) == ["b", "a"]


@pytest.mark.parametrize(
    ("wrong", "status", "pointer"),
    [
        (create(name="x" * 41), 422, "#/operations/1/data/name"),
        (create(code="taken"), 422, "#/operations/1/data/code"),
        (create(maker_id=9), 422, "#/operations/1/data/maker_id"),
        (create(name="forbidden"), 422, "#/operations/1/data/name"),
        (create(id=4), 422, "#/operations/1/data/id"),
        ({"method": "delete", "key": 10**6}, 404, "#/operations/1"),
        ({"method": "destroy"}, 422, "#/operations/1/method"),
        ({"method": "delete"}, 422, "#/operations/1/key"),
        (7, 422, "#/operations/1"),
    ],
)
def test_atomic_does_nothing_if_one_fails(
    app: Flask, client: FlaskClient, wrong: Any, status: int, pointer: str
) -> None:
    (key,) = made(client, 1, code="taken")
    answer = send(client, update(key, name="b"), wrong, create(name="c"), atomic=True)
    document = problem(answer, status)
    assert pointers(document) == [pointer]
    assert document["request_id"] == answer.headers["X-Request-ID"]
    assert names(app) == ["pen"]


def test_atomic_holds_to_versions(app: Flask, client: FlaskClient) -> None:
    first, second = made(client, 2)
    document = problem(send(client, update(first, name="b"), delete(second, 2), atomic=True), 412)
    assert (document["type"], pointers(document)) == ("/problems/precondition-failed", ["#/operations/1"])
    document = problem(send(client, {"method": "delete", "key": first}, atomic=True), 428)
    assert pointers(document) == ["#/operations/0"]
    assert names(app) == ["pen", "pen"]


# --- the request --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["#/operations"]),
        ([], ["#"]),
        ("text", ["#"]),
        (None, ["#"]),
        ({"operations": []}, ["#/operations"]),
        ({"operations": None}, ["#/operations"]),
        ({"operations": {"0": create()}}, ["#/operations"]),
        ({"operations": "create"}, ["#/operations"]),
        ({"operations": [create()], "atomic": "yes"}, ["#/atomic"]),
        ({"operations": [create()], "atomic": None}, ["#/atomic"]),
        ({"operations": [create()], "other": 1, "a/b": 2}, ["#/other", "#/a~1b"]),
        ({"operations": [create()] * 101}, ["#/operations"]),
    ],
)
def test_body_of_another_shape_is_refused(
    sqlite_app: Flask, sqlite_client: FlaskClient, body: Any, expected: list[str]
) -> None:
    assert sorted(pointers(problem(post(sqlite_client, body)))) == sorted(expected)
    assert names(sqlite_app) == []


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (None, [""]),
        (True, [""]),
        ("create", [""]),
        ([create()], [""]),
        ({}, ["/method"]),
        ({"method": None, "data": PEN}, ["/method"]),
        ({"method": ["create"], "data": PEN}, ["/method"]),
        ({"method": {"create": 1}, "data": PEN}, ["/method"]),
        ({"method": "CREATE", "data": PEN}, ["/method"]),
        ({"method": "list"}, ["/method"]),
        ({"method": "create"}, ["/data"]),
        ({"method": "create", "data": None}, ["/data"]),
        ({"method": "create", "data": [PEN]}, ["/data"]),
        ({"method": "create", "data": "pen"}, ["/data"]),
        ({"method": "create", "data": {}}, ["/data/maker_id", "/data/name"]),
        ({"method": "create", "data": {**PEN, "other": 1}}, ["/data/other"]),
        ({"method": "create", "data": {**PEN, "version": 1}}, ["/data/version"]),
        ({"method": "create", "data": {**PEN, "name": "\0"}}, ["/data/name"]),
        ({"method": "create", "data": PEN, "key": 1}, ["/key"]),
        ({"method": "create", "data": PEN, "version": 1}, ["/version"]),
        ({"method": "create", "data": PEN, "x/y": 1}, ["/x~1y"]),
        ({"method": "update", "key": 1, "version": 1}, ["/data"]),
        ({"method": "update", "version": 1, "data": {}}, ["/key"]),
        ({"method": "delete", "key": 1, "version": 1, "data": {}}, ["/data"]),
        (delete(None), ["/key"]),
        (delete(True), ["/key"]),
        (delete("1"), ["/key"]),
        (delete(1.0), ["/key"]),
        (delete([1]), ["/key"]),
        (delete({"id": 1}), ["/key"]),
        (delete(10**30), ["/key"]),
        (delete(1, "1"), ["/version"]),
        (delete(1, True), ["/version"]),
        (delete(1, None), ["/version"]),
        (delete(1, 1.5), ["/version"]),
        (update(1, 1, name=None), ["/data/name"]),
        (update(1, 1, created_at="2026-01-01T00:00:00Z"), ["/data/created_at"]),
    ],
)
def test_malformed_operation_refused_alone(
    sqlite_app: Flask, sqlite_client: FlaskClient, operation: Any, expected: list[str]
) -> None:
    answer = send(sqlite_client, operation, create(name="other"))
    assert statuses(answer) == [422, 201]
    assert sorted(pointers(results(answer)[0]["problem"])) == [f"#/operations/0{place}" for place in expected]
    assert names(sqlite_app) == ["other"]


@pytest.mark.parametrize("key", [-1, 0, 2**31 - 1, -(2**31)])
def test_unknown_key_not_found(client: FlaskClient, key: int) -> None:
    assert statuses(send(client, delete(key), update(key, name="x"))) == [404, 404]


def test_key_cannot_be_changed(client: FlaskClient) -> None:
    send(client, {"method": "create", "data": {"code": "a"}}, url="/warehouse/tags:bulk")
    answer = send(client, {"method": "update", "key": "a", "data": {"code": "b"}}, url="/warehouse/tags:bulk")
    assert statuses(answer) == [422]
    assert pointers(results(answer)[0]["problem"]) == ["#/operations/0/data/code"]


def test_non_json_body_refused(sqlite_client: FlaskClient) -> None:
    problem(sqlite_client.post(BULK, data="{", content_type="application/json"), 400)
    problem(sqlite_client.post(BULK, data="operations=1", content_type="application/x-www-form-urlencoded"), 415)
    problem(sqlite_client.post(BULK, data=json.dumps({"operations": [create()]}), content_type="text/plain"), 415)
    problem(sqlite_client.post(BULK), 415)
    twice = '{"operations": [{"method": "delete", "method": "create"}]}'
    problem(sqlite_client.post(BULK, data=twice, content_type="application/json"), 400)


def test_bulk_follows_api_contract(sqlite_app: Flask, sqlite_client: FlaskClient) -> None:
    problem(send(sqlite_client, create(), url=f"{BULK}?x=1"), 400)
    problem(send(sqlite_client, create(), headers={"Accept": "text/html"}), 406)
    refused = sqlite_client.get(BULK)
    problem(refused, 405)
    assert set(refused.allow) == {"POST", "OPTIONS"}
    assert set(sqlite_client.options(BULK).allow) == {"POST", "OPTIONS"}
    assert names(sqlite_app) == []


def test_many_errors_are_counted(sqlite_client: FlaskClient) -> None:
    document = results(send(sqlite_client, create(**{f"x{number}": 1 for number in range(50)})))[0]["problem"]
    assert len(document["errors"]) == 21
    assert document["errors"][-1]["message"] == "And 30 more."


def test_operation_count_limited(app: Flask, client: FlaskClient) -> None:
    assert statuses(send(client, *[create()] * settings.MAX_OPERATIONS)) == [201] * settings.MAX_OPERATIONS
    assert len(names(app)) == settings.MAX_OPERATIONS


# --- the same request again ---------------------------------------------------------------------


@pytest.mark.parametrize("atomic", [False, True])
def test_repeated_request_gets_the_same_results(app: Flask, client: FlaskClient, atomic: bool) -> None:
    operations = [create(), create(), *([] if atomic else [create(rank="x")])]
    headers = {"Idempotency-Key": "bulk"}
    first, again = (send(client, *operations, headers=headers, atomic=atomic) for _ in range(2))
    assert again.data == first.data
    assert again.headers["Idempotency-Replayed"] == "true"
    assert names(app) == ["pen", "pen"]


def test_failed_whole_leaves_no_key(app: Flask, client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "bulk"}
    problem(send(client, create(), create(maker_id=9), atomic=True, headers=headers))
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(idempotency_keys)) == 0
    assert statuses(send(client, create(), headers=headers)) == [201]


# --- what it costs ------------------------------------------------------------------------------


def statements(app: Flask, work: Callable[[], Any]) -> list[str]:
    heard: list[str] = []

    def hear(*args: Any) -> None:
        heard.append(args[2])

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", hear)
    work()
    sa.event.remove(engine, "before_cursor_execute", hear)
    return heard


def test_rows_are_read_at_once(app: Flask, client: FlaskClient) -> None:
    keys = made(client, 10)
    heard = statements(app, lambda: send(client, *(update(key, name="x") for key in keys)))
    assert len([text for text in heard if text.lstrip().startswith("SELECT")]) == 1
    assert len([text for text in heard if text.startswith("UPDATE")]) == 10
    heard = statements(app, lambda: send(client, *(update(key, 2, name="y") for key in keys), atomic=True))
    assert len([text for text in heard if not text.startswith("BEGIN")]) == 11


def test_all_is_committed_once(app: Flask, client: FlaskClient) -> None:
    commits: list[Any] = []
    with app.app_context():
        engine = db.engine

    def hear(connection: Any) -> None:
        commits.append(connection)

    sa.event.listen(engine, "commit", hear)
    send(client, create(), create(rank="x"), create())
    sa.event.remove(engine, "commit", hear)
    assert len(commits) == 1


# --- several at once ----------------------------------------------------------------------------


def test_of_racing_changes_one_wins(app: Flask, client: FlaskClient) -> None:
    keys = made(client, 3)
    barrier = threading.Barrier(4)

    def run(number: int) -> list[int]:
        barrier.wait()
        return statuses(send(app.test_client(), *(update(key, name=f"by {number}") for key in keys)))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run, range(4)))
    for column in zip(*found, strict=True):
        assert sorted(column) == [200, 412, 412, 412]


# --- which resources have it --------------------------------------------------------------------


class Few(ModelResource):
    verbs = things
    schema = ThingSchema
    bulk = 2


class NoBulk(Few):
    bulk = 0


class Refusing(ModelResource):
    """Writes in its own way, which a bulk would pass by."""

    verbs = things
    schema = ThingSchema

    def post(self) -> Any:
        abort(403)


class Chosen(Refusing):
    bulk = 5


def members_only(view: Any) -> Any:
    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if "X-Member" not in request.headers:
            abort(403)
        return view(*args, **kwargs)

    return checked


class Decorated(ModelResource):
    verbs = boxes
    schema = ThingSchema
    decorators = [members_only]


class MethodDecorated(Few):
    method_decorators = {"patch": [members_only]}


@pytest.fixture
def other_client(make_app: Callable[..., Flask], database_url: Callable[[str], URL]) -> FlaskClient:
    app = make_app(database_url("sqlite"), ["app.bulk", "tests.core.warehouse"])
    bp = Blueprint("other", __name__, url_prefix="/other")
    api = Api(bp)
    for resource in (Few, NoBulk, Refusing, Chosen, Decorated, MethodDecorated):
        resource.register(api, f"/{resource.__name__.lower()}")
    app.register_blueprint(bp)
    return app.test_client()


def test_resource_says_how_many(other_client: FlaskClient) -> None:
    operation = {"method": "delete", "key": 1}
    assert statuses(send(other_client, operation, operation, url="/other/few:bulk")) == [404, 404]
    document = problem(send(other_client, *[operation] * 3, url="/other/few:bulk"))
    assert document["errors"][0]["message"] == "Give 1 to 2 operations."


@pytest.mark.parametrize(("url", "status"), [("nobulk", 404), ("refusing", 404), ("chosen", 200)])
def test_custom_writer_has_no_bulk(other_client: FlaskClient, url: str, status: int) -> None:
    assert send(other_client, {"method": "delete", "key": 1}, url=f"/other/{url}:bulk").status_code == status


@pytest.mark.parametrize("url", ["decorated", "methoddecorated"])
def test_decorators_of_the_resource_hold(other_client: FlaskClient, url: str) -> None:
    operation = {"method": "delete", "key": 1}
    assert send(other_client, operation, url=f"/other/{url}:bulk").status_code == 403
    assert send(other_client, operation, url=f"/other/{url}:bulk", headers={"X-Member": "1"}).status_code == 200


def test_only_what_the_resource_allows(sqlite_client: FlaskClient) -> None:
    answer = send(sqlite_client, create(), {"method": "delete", "key": 1, "version": 1}, url="/warehouse/new:bulk")
    assert statuses(answer) == [201, 422]
    (error,) = results(answer)[1]["problem"]["errors"]
    assert (error["pointer"], error["message"]) == ("#/operations/1/method", "It must be create.")
    assert send(sqlite_client, create(), url="/warehouse/shown:bulk").status_code == 404


def test_plain_prefix_bulk_in_api(make_app: Callable[..., Flask], write_module: Any) -> None:
    source = """
    from flask import Blueprint
    from core.rest import Api, ModelResource
    from tests.core.warehouse import ThingSchema, things

    class Loose(ModelResource):
        verbs = things
        schema = ThingSchema

    bp = Blueprint("loose", __name__)
    Loose.register(Api(bp), "/loose")
    """
    app = make_app(None, ["app.bulk", write_module("loose", init=source)])
    for url in ("/loose:bulk", "/loose", "/loose/1"):
        assert problem(app.test_client().put(url), 415 if url == "/loose/1" else 405)
