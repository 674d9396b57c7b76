"""The dispatcher alone: every example of the specification, and whatever else may be sent."""

import builtins
import json
import logging
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from app.jsonrpc.calls import Dispatcher
from app.jsonrpc.methods import make_method


def subtract(minuend: int, subtrahend: int) -> int:
    return minuend - subtrahend


def sum(*numbers: int) -> int:
    return builtins.sum(numbers)


def update(*numbers: int) -> None:
    heard.append([*numbers])


def notify_hello(*numbers: int) -> None:
    heard.append([*numbers])


def get_data() -> list[Any]:
    return ["hello", 5]


def fail() -> None:
    raise RuntimeError("the password is hunter2")


def give_a_set() -> Any:
    return {1}


FUNCTIONS = (subtract, sum, update, notify_hello, get_data, fail, give_a_set)
heard: list[Any] = []


@pytest.fixture(autouse=True)
def no_signals() -> None:
    heard.clear()


DISPATCHER = Dispatcher({one.__name__: make_method(one.__name__, one) for one in FUNCTIONS}, most_calls=10)


def ask(text: str | bytes) -> Any:
    reply = DISPATCHER.answer(text.encode() if isinstance(text, str) else text)
    return None if reply.body is None else json.loads(reply.body)


def call(method: str, params: Any = None, **more: Any) -> Any:
    return ask(json.dumps({"jsonrpc": "2.0", "method": method, "params": params or [], "id": 1, **more}))


INVALID = {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": None}
UNPARSED = {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": None}

#: Section 7 of the specification, in its order and in its words.
EXAMPLES: list[tuple[str, Any]] = [
    (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        {"jsonrpc": "2.0", "result": 19, "id": 1},
    ),
    (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        {"jsonrpc": "2.0", "result": -19, "id": 2},
    ),
    (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        {"jsonrpc": "2.0", "result": 19, "id": 3},
    ),
    (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        {"jsonrpc": "2.0", "result": 19, "id": 4},
    ),
    ('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    ('{"jsonrpc": "2.0", "method": "foobar"}', None),
    (
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"},
    ),
    ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', UNPARSED),
    ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', INVALID),
    (
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]',
        UNPARSED,
    ),
    ("[]", INVALID),
    ("[1]", [INVALID]),
    ("[1,2,3]", [INVALID, INVALID, INVALID]),
    (
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
        '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},'
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},'
        '{"foo": "boo"},'
        '{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
        '{"jsonrpc": "2.0", "method": "get_data", "id": "9"}]',
        [
            {"jsonrpc": "2.0", "result": 7, "id": "1"},
            {"jsonrpc": "2.0", "result": 19, "id": "2"},
            INVALID,
            {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
            {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"},
        ],
    ),
    (
        '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
        '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
        None,
    ),
]


@pytest.mark.parametrize(("sent", "answered"), EXAMPLES)
def test_specification_example_answered_accordingly(sent: str, answered: Any) -> None:
    assert ask(sent) == answered


def test_notifications_are_run() -> None:
    ask('{"jsonrpc": "2.0", "method": "update", "params": [1, 2]}')
    ask('[{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]')
    assert heard == [[1, 2], [7]]


@pytest.mark.parametrize("method", ["nothing", "fail", "subtract", "give_a_set"])
def test_notification_never_answered(method: str) -> None:
    assert ask(json.dumps({"jsonrpc": "2.0", "method": method})) is None


@pytest.mark.parametrize("id", ["", "a", "ü", 0, -1, 2**63 - 1, -(2**63), None])
def test_id_returned_unchanged(id: Any) -> None:
    assert call("get_data", id=id) == {"jsonrpc": "2.0", "result": ["hello", 5], "id": id}


@pytest.mark.parametrize("id", [True, 1.0, 1.5, 2**63, [], {}, [1], {"a": 1}])
def test_id_of_another_kind_is_refused(id: Any) -> None:
    answer = call("get_data", id=id)
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)
    assert '"id"' in answer["error"]["data"]["detail"]


@pytest.mark.parametrize(
    "member",
    [{"jsonrpc": "1.0"}, {"jsonrpc": 2.0}, {"jsonrpc": None}, {"params": "x"}, {"params": None}, {"param": [1]}],
)
def test_invalid_member_refused(member: dict[str, Any]) -> None:
    request = {"jsonrpc": "2.0", "method": "get_data", "id": 1, **member}
    answer = ask(json.dumps(request))
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)
    assert answer["error"]["data"]["detail"]


@pytest.mark.parametrize("sent", ["1", '"x"', "null", "true", "{}", '{"method": "get_data", "id": 1}'])
def test_what_is_no_request_is_refused(sent: str) -> None:
    assert ask(sent) == INVALID
    assert DISPATCHER.answer(sent.encode()).refused


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b" ",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"jsonrpc": "2.0", "method": "get_data", "id": ' + b"1" * 5000 + b"}",
        b'{"jsonrpc": "2.0", "method": "get_data", "id": 1, "id": 2}',
        b'{"jsonrpc": "2.0", "method": "get_data", "id": NaN}',
        b'{"jsonrpc": "2.0", "method": "get_data", "id": "\\ud800"}',
        '{"jsonrpc": "2.0", "method": "get_data", "id": 1}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_is_refused(sent: bytes) -> None:
    assert ask(sent) == UNPARSED
    assert DISPATCHER.answer(sent).refused


def test_batch_has_a_limit() -> None:
    one = {"jsonrpc": "2.0", "method": "update", "params": [1]}
    assert ask(json.dumps([one] * 10)) is None
    heard.clear()
    answer = ask(json.dumps([one] * 11))
    assert answer["error"]["code"] == -32600
    assert "at most 10 calls" in answer["error"]["data"]["detail"]
    assert heard == []


def test_slow_batch_is_cut_short() -> None:
    dispatcher = Dispatcher(DISPATCHER.methods, seconds=lambda: -1)
    calls = [{"jsonrpc": "2.0", "method": "update", "params": [1], "id": 7}, {"jsonrpc": "2.0", "method": "update"}]
    (answer,) = json.loads(dispatcher.answer(json.dumps(calls).encode()).body or b"")
    assert answer["error"]["code"] == -32005
    assert "was not begun" in answer["error"]["data"]["detail"]
    assert (answer["id"], heard) == (7, [])
    # One that comes alone is not late.
    assert json.loads(dispatcher.answer(json.dumps(calls[0]).encode()).body or b"")["result"] is None


def test_duplicate_batch_id_answered_twice() -> None:
    one = {"jsonrpc": "2.0", "method": "get_data", "id": 1}
    assert [answer["id"] for answer in ask(json.dumps([one, one]))] == [1, 1]


@pytest.mark.parametrize("method", ["fail", "give_a_set"])
def test_unhandled_exception_logged_not_shown(method: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert call(method) == {"jsonrpc": "2.0", "error": {"code": -32603, "message": "Internal error"}, "id": 1}
    assert caplog.messages == [f"the method {method} failed"]
    assert caplog.records[0].exc_info


def test_invalid_params_are_named() -> None:
    answer = call("subtract", {"minuend": "42", "x": 1})
    assert (answer["error"]["code"], answer["error"]["message"]) == (-32602, "Invalid params")
    assert [(one["field"], one["pointer"]) for one in answer["error"]["data"]["errors"]] == [
        ("x", "#/params/x"),
        ("minuend", "#/params/minuend"),
        ("subtrahend", "#/params"),
    ]


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="ignore")))
@example(b'{"jsonrpc":"2.0","method":"sum","params":[1e308,-0],"id":-0}')
def test_no_bytes_make_it_raise(sent: bytes) -> None:
    DISPATCHER.answer(sent)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | json_values,
        "method": st.sampled_from(["subtract", "sum", "get_data", "give_a_set", "nothing"]) | json_values,
        "params": st.lists(json_values, max_size=3) | json_values,
        "id": json_values,
    },
)


@given(requests | st.lists(requests | json_values, max_size=12))
def test_answer_matches_its_request(sent: Any) -> None:
    logging.disable()
    try:
        answered = ask(json.dumps(sent))
    finally:
        logging.disable(logging.NOTSET)
    for answer in answered if isinstance(answered, list) else filter(None, [answered]):
        assert answer["jsonrpc"] == "2.0"
        assert ("result" in answer) != ("error" in answer)
        assert answer.keys() - {"result", "error"} == {"jsonrpc", "id"}
