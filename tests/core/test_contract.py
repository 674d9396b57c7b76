"""A view is held to what is said above it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint
from flask import Flask
from flask import Response
from flask import request
from flask.testing import FlaskClient
from marshmallow import Schema
from marshmallow import ValidationError
from marshmallow import validate
from marshmallow import validates_schema

from core.api.contract import Contract
from core.api.contract import contract
from core.fields import Flag
from core.fields import Real
from core.fields import Text
from core.fields import Whole
from core.fields.temporal import Moment
from core.http.apis import mark_api


class OrderSchema(Schema):
    number = Whole(required=True, validate=validate.Range(1, 99))
    note = Text()


class QuestionSchema(Schema):
    least = Whole(load_default=3)
    since = Moment(data_key="from")
    live = Flag()
    weight = Real()
    word = Text(validate=validate.Length(max=5))

    @validates_schema
    def check(self, data: Any, **kwargs: Any) -> None:
        if data.get("word") == "wrong":
            raise ValidationError("It is wrong.")
        if data.get("word") == "least":
            raise ValidationError("Take another.", "least")


class NeedySchema(Schema):
    key = Text(required=True)


class AnswerSchema(Schema):
    got = Text()


bp = Blueprint("stall", __name__, url_prefix="/stall")
mark_api(bp)


@bp.get("/question")
@contract(query=QuestionSchema, answer=AnswerSchema)
def question(query: dict[str, Any]) -> dict[str, Any]:
    """Ask."""
    return {"got": query}


@bp.get("/needy")
@contract(query=NeedySchema, answer=AnswerSchema)
def needy(query: dict[str, Any]) -> dict[str, Any]:
    return {"got": query}


@bp.post("/order/<int:table>")
@contract(body=OrderSchema, answer=AnswerSchema, status=201, problems=("in-use",), examples={"one": {"number": 1}})
def order(table: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"got": [table, body]}


@bp.post("/batch")
@contract(
    body=OrderSchema, batch=3, media=("application/json", "text/plain"), query=QuestionSchema, answer=AnswerSchema
)
def batch(body: list[Any], query: dict[str, Any]) -> dict[str, Any]:
    return {"got": [body, query["least"]]}


@bp.delete("/nothing")
@contract()
def nothing() -> None:
    """Give nothing."""


@bp.get("/own")
@contract(answer=AnswerSchema)
def own() -> Response:
    return Response(request.method, 418, {"Cache-Control": "max-age=60"}, mimetype="text/plain")


@pytest.fixture
def client(make_app: Callable[..., Flask], database_url: Callable[[str], Any]) -> FlaskClient:
    app = make_app(database_url("sqlite"), [])
    app.register_blueprint(bp)
    return app.test_client()


def errors(answer: Any, status: int, kind: str) -> list[tuple[str | None, str]]:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    assert answer.json["type"] == f"/problems/{kind}"
    return [(e.get("parameter") or e.get("pointer"), e["message"]) for e in answer.json.get("errors", [])]


# --- what it says -------------------------------------------------------------------------------


def test_contract_readable_from_view() -> None:
    terms = order.contract
    assert isinstance(terms, Contract)
    assert isinstance(terms.body, OrderSchema)
    assert (terms.status, terms.problems, terms.media, terms.batch) == (201, ("in-use",), ("application/json",), None)
    assert terms.query is None
    assert question.contract.status == 200
    assert nothing.contract.status == 204
    assert question.__doc__ == "Ask."


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"query": QuestionSchema}, "has a query: the view must take it"),
        ({"body": OrderSchema}, "has a body: the view must take it"),
        ({"batch": 3}, "has a batch of 3"),
        ({"problems": ("unknown",)}, "names the problem 'unknown'"),
        ({"medias": ("text/plain",)}, "medias"),
    ],
)
def test_impossible_contract_fails_start(options: dict[str, Any], fault: str) -> None:
    def view() -> None:
        """Take nothing."""

    with pytest.raises(TypeError, match=fault):
        contract(**options)(view)


def test_batch_of_none_fails_at_start() -> None:
    def view(body: Any) -> None:
        """Take nothing."""

    with pytest.raises(TypeError, match="batch of 0"):
        contract(body=OrderSchema, batch=0)(view)


# --- the query string ---------------------------------------------------------------------------


def test_parameters_are_loaded(client: FlaskClient) -> None:
    answer = client.get("/stall/question?least=7&from=2026-01-31T12:00:00%2B01:00&live=true&weight=0.5&word=a%20b")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json["got"] == {
        "least": 7,
        "since": "2026-01-31T11:00:00+00:00",
        "live": True,
        "weight": 0.5,
        "word": "a b",
    }


def test_parameters_have_defaults(client: FlaskClient) -> None:
    assert client.get("/stall/question").json["got"] == {"least": 3}


def test_empty_parameter_is_a_value(client: FlaskClient) -> None:
    assert client.get("/stall/question?word=").json["got"] == {"least": 3, "word": ""}
    found = errors(client.get("/stall/question?least=&from=&live=&weight="), 400, "bad-query")
    assert [name for name, _ in found] == ["least", "from", "live", "weight"]


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("least=x", ["least"]),
        ("least=1.0", ["least"]),
        ("least=1&least=2", ["least"]),
        ("live=yes", ["live"]),
        ("weight=nan", ["weight"]),
        ("weight=0x1", ["weight"]),
        ("from=now", ["from"]),
        ("since=2026-01-31T12:00:00Z", ["since"]),
        ("word=toolong", ["word"]),
        ("least=x&word=toolong&other=1", ["other", "least", "word"]),
        ("word=least", ["least"]),
    ],
)
def test_wrong_parameters_all_named(client: FlaskClient, query: str, parameters: list[str]) -> None:
    found = errors(client.get(f"/stall/question?{query}"), 400, "bad-query")
    assert [name for name, _ in found] == parameters


def test_rule_over_several_parameters_is_held(client: FlaskClient) -> None:
    found = errors(client.get("/stall/question?word=wrong"), 400, "bad-query")
    assert [message for _, message in found] == ["It is wrong."]


def test_known_parameters_listed_once(client: FlaskClient) -> None:
    found = errors(client.get("/stall/question?a=1&b=2"), 400, "bad-query")
    assert found == [
        ("a", "Unknown parameter. There are least, from, live, weight, word."),
        ("b", "Unknown parameter."),
    ]


def test_parameter_that_is_missing_is_named(client: FlaskClient) -> None:
    assert errors(client.get("/stall/needy"), 400, "bad-query") == [("key", "Missing data for required field.")]
    assert client.get("/stall/needy?key=a").json["got"] == {"key": "a"}


def test_view_without_parameters_takes_none(client: FlaskClient) -> None:
    found = errors(client.post("/stall/order/1?a=1", json={"number": 1}), 400, "bad-query")
    assert found == [("a", "Unknown parameter. There are none.")]


# --- the body -----------------------------------------------------------------------------------


def test_body_is_loaded_beside_the_path(client: FlaskClient) -> None:
    answer = client.post("/stall/order/4", json={"number": 7, "note": "hot"})
    assert (answer.status_code, answer.json) == (201, {"got": [4, {"number": 7, "note": "hot"}]})


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"number": "7"}, ["#/number"]),
        ({"number": 100, "other": 1}, ["#/number", "#/other"]),
        ({}, ["#/number"]),
        ([], ["#"]),
        ([{"number": 1}], ["#"]),
        ("text", ["#"]),
        (7, ["#"]),
    ],
)
def test_body_that_is_wrong_is_refused(client: FlaskClient, body: object, pointers: list[str]) -> None:
    found = errors(client.post("/stall/order/1", json=body), 422, "invalid")
    assert sorted(str(pointer) for pointer, _ in found) == pointers


def test_batch_is_always_a_list(client: FlaskClient) -> None:
    one = {"number": 1}
    assert client.post("/stall/batch", json=one).json["got"] == [[one], 3]
    assert client.post("/stall/batch?least=1", json=[one, one, one]).json["got"] == [[one, one, one], 1]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([], ["#"]),
        ([{"number": 1}] * 4, ["#"]),
        ([{"number": 1}, {"number": 0}, 7], ["#/1/number", "#/2"]),
        ({"number": 0}, ["#/number"]),
        (7, ["#"]),
        ([[[]]], ["#/0"]),
    ],
)
def test_invalid_batch_refused_whole(client: FlaskClient, body: object, pointers: list[str]) -> None:
    found = errors(client.post("/stall/batch", json=body), 422, "invalid")
    assert [pointer for pointer, _ in found] == pointers


def test_content_type_must_be_declared(client: FlaskClient) -> None:
    def send(path: str, text: str, media: str) -> Any:
        return client.post(f"/stall/{path}", data=text, content_type=media)

    assert send("batch", '{"number": 1}', "text/plain; charset=UTF-8").status_code == 200
    assert errors(send("order/1", '{"number": 1}', "text/plain"), 415, "unsupported-media-type") == []
    assert errors(send("batch", '{"number": 1}', "text/html"), 415, "unsupported-media-type") == []
    assert errors(send("batch", "{", "text/plain"), 400, "bad-request") == []


# --- the answer ---------------------------------------------------------------------------------


def test_answer_of_none_has_no_body(client: FlaskClient) -> None:
    answer = client.delete("/stall/nothing")
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers


def test_response_of_the_view_passes_untouched(client: FlaskClient) -> None:
    answer = client.get("/stall/own")
    assert (answer.status_code, answer.text, answer.mimetype) == (418, "GET", "text/plain")


def test_shared_caching_off_by_default(client: FlaskClient) -> None:
    assert client.get("/stall/question").headers["Cache-Control"] == "private, no-cache"
    assert client.get("/stall/own").headers["Cache-Control"] == "max-age=60"


def test_non_json_client_refused_first(client: FlaskClient) -> None:
    for method, path in (("GET", "question"), ("POST", "order/1"), ("DELETE", "nothing")):
        answer = client.open(f"/stall/{path}", method=method, headers={"Accept": "text/html"}, json={"number": 1})
        assert errors(answer, 406, "not-acceptable") == []


def test_head_and_options_are_answered(client: FlaskClient) -> None:
    head = client.head("/stall/question")
    assert (head.status_code, head.data) == (200, b"")
    assert set(client.options("/stall/question").allow) == {"GET", "HEAD", "OPTIONS"}
