"""Annotations: values that they accept and refuse, and functions that cannot be methods."""

import enum
from collections.abc import Callable
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from decimal import Decimal
from typing import Annotated
from typing import Any
from typing import Literal
from typing import NotRequired
from typing import TypedDict
from uuid import UUID

import pytest
from marshmallow.validate import Length
from marshmallow.validate import Range

from app.jsonrpc.annotations import UnknownAnnotationError
from app.jsonrpc.annotations import field_for
from app.jsonrpc.errors import CallError
from app.jsonrpc.methods import make_method
from app.jsonrpc.signatures import SignatureError
from app.jsonrpc.signatures import signature_of
from core.fields.json_schema import json_schema


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Point(TypedDict):
    x: int
    y: NotRequired[int]


def bind(annotation: Any, value: Any) -> Any:
    def method(value: annotation) -> None: ...

    method.__annotations__["value"] = annotation
    (found,), _ = signature_of(method).bind([value])
    return found


@pytest.mark.parametrize(
    ("annotation", "value", "bound"),
    [
        (int, 12, 12),
        (int, -(2**63), -(2**63)),
        (float, 1, 1.0),
        (float, 1.5, 1.5),
        (bool, True, True),
        (str, "", ""),
        (str, "ü😀", "ü😀"),
        (Decimal, "12.50", Decimal("12.50")),
        (date, "2026-01-31", date(2026, 1, 31)),
        (datetime, "2026-01-31T12:00:00+01:00", datetime(2026, 1, 31, 11, tzinfo=UTC)),
        (time, "12:30:00", time(12, 30)),
        (timedelta, "PT90S", timedelta(seconds=90)),
        (UUID, "5f0c3f8e-6f0a-4b52-9d5e-0d9f6c1c2a11", UUID("5f0c3f8e-6f0a-4b52-9d5e-0d9f6c1c2a11")),
        (Colour, "RED", Colour.RED),
        (list[int], [1, 2], [1, 2]),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (int | None, None, None),
        (int | None, 3, 3),
        (list[int | None], [1, None], [1, None]),
        (Literal["a", "b"], "b", "b"),
        (Literal[1, 2], 2, 2),
        (Any, {"a": [None, 1.5]}, {"a": [None, 1.5]}),
        (Annotated[int, Range(min=1, max=3)], 3, 3),
        (Annotated[int | None, Range(min=1)], None, None),
        (Annotated[list[int], Length(max=2)], [1, 2], [1, 2]),
        (Point, {"x": 1}, {"x": 1}),
        (list[Point], [{"x": 1, "y": 2}], [{"x": 1, "y": 2}]),
    ],
)
def test_value_of_the_annotation_is_taken(annotation: Any, value: Any, bound: Any) -> None:
    found = bind(annotation, value)
    assert (found, type(found)) == (bound, type(bound))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        *((int, value) for value in ("12", 12.0, True, None, [], 2**63, 10**400)),
        *((float, value) for value in ("1.5", True, None, 10**400)),
        *((bool, value) for value in (1, 0, "true", None)),
        *((str, value) for value in (1, None, "a\0b", "\ud800", ["a"])),
        *((Decimal, value) for value in (1, 1.5, "1e3", "NaN", "x")),
        *((date, value) for value in ("2026-02-30", "31.01.2026", "2026-01-31T00:00:00Z", 20260131)),
        *((datetime, value) for value in ("2026-01-31", "2026-01-31T12:00:00", 0)),
        *((UUID, value) for value in ("5f0c3f8e", "{5f0c3f8e-6f0a-4b52-9d5e-0d9f6c1c2a11}", 1)),
        *((Colour, value) for value in ("GREEN", 1, "red", "__class__", ["RED"], {})),
        *((list[int], value) for value in (["1"], 1, {}, "12", None)),
        *((dict[str, int], value) for value in ({"a": "1"}, {"a\0": 1}, [], None)),
        *((Literal["a", "b"], value) for value in ("c", 1, None)),
        *((Literal[1, 2], value) for value in (3, True, "1", 1.0)),
        (Any, "a\0b"),
        (Annotated[int, Range(min=1, max=3)], 4),
        (Annotated[list[int], Length(max=2)], [1, 2, 3]),
        *((Point, value) for value in ({}, {"x": "1"}, {"x": 1, "z": 1}, [], {"x": 1, "y": None})),
    ],
)
def test_value_of_another_kind_is_refused(annotation: Any, value: Any) -> None:
    with pytest.raises(CallError) as caught:
        bind(annotation, value)
    assert caught.value.code == -32602
    assert all(error["pointer"].startswith("#/params/0") for error in caught.value.data["errors"])


def test_error_within_a_value_is_placed() -> None:
    with pytest.raises(CallError) as caught:
        bind(list[Point], [{"x": 1}, {"x": "1"}])
    (error,) = caught.value.data["errors"]
    assert (error["field"], error["pointer"]) == ("value.1.x", "#/params/0/1/x")


def test_error_list_shortened() -> None:
    with pytest.raises(CallError) as caught:
        bind(list[int], ["x"] * 1000)
    assert len(caught.value.data["errors"]) == 21
    assert caught.value.data["errors"][-1]["message"] == "And 980 more."


# --- by position and by name --------------------------------------------------------------------


def mixed(first: int, /, second: int = 2, *, third: int = 3) -> list[int]:
    return [first, second, third]


def plain(first: int, second: int = 2, third: int = 3) -> list[int]:
    return [first, second, third]


def several(first: int, *rest: int) -> list[int]:
    return [first, *rest]


@pytest.mark.parametrize(
    ("function", "params", "result"),
    [
        (plain, [1], [1, 2, 3]),
        (plain, [1, 5, 6], [1, 5, 6]),
        (plain, {"first": 1, "third": 6}, [1, 2, 6]),
        (mixed, [1], [1, 2, 3]),
        (mixed, [1, 5], [1, 5, 3]),
        (several, [1], [1]),
        (several, [1, 2, 3], [1, 2, 3]),
    ],
)
def test_arguments_go_where_they_belong(function: Callable[..., Any], params: Any, result: list[int]) -> None:
    args, kwargs = signature_of(function).bind(params)
    assert function(*args, **kwargs) == result


@pytest.mark.parametrize(
    ("function", "params", "fields"),
    [
        (plain, [], ["first"]),
        (plain, {}, ["first"]),
        (plain, [1, 2, 3, 4], [""]),
        (plain, {"first": 1, "fourth": 4, "fifth": 5}, ["fourth", "fifth"]),
        (plain, ["1", "2"], ["first", "second"]),
        (mixed, [1, 2, 3], [""]),
        (mixed, {"first": 1}, ["first", "first"]),
        (several, [1, "2"], ["rest"]),
        (several, {"first": 1, "rest": [2]}, ["rest"]),
    ],
)
def test_arguments_that_fit_nowhere_are_named(function: Callable[..., Any], params: Any, fields: list[str]) -> None:
    with pytest.raises(CallError) as caught:
        signature_of(function).bind(params)
    assert [error["field"] for error in caught.value.data["errors"]] == fields


# --- what cannot be a method --------------------------------------------------------------------


def unannotated(number) -> None: ...
def keywords(**numbers: int) -> None: ...
async def asynchronous() -> None: ...
def unreadable(number: "Missing") -> None: ...  # noqa: F821
def choice(number: int | str) -> None: ...
def bare(numbers: list) -> None: ...
def numbered(names: dict[int, str]) -> None: ...
def strange(thing: Exception) -> None: ...
def strange_result() -> set[int]: ...
def mixed_literal(thing: Literal["a", 1]) -> None: ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unannotated, "annotate it, `number: int`"),
        (keywords, "name its parameters"),
        (asynchronous, "must be a plain function"),
        (unreadable, "'Missing' is not defined"),
        (choice, "a choice of 2 types"),
        (bare, "'numbers' is"),
        (numbered, "'names' is"),
        (strange, "'thing' is"),
        (strange_result, "its result is"),
        (mixed_literal, "must all be texts"),
    ],
)
def test_invalid_method_signature_explained(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(SignatureError, match=f"{__name__.rpartition('.')[2]}.{function.__name__}") as caught:
        signature_of(function)
    assert words in str(caught.value)


def test_invalid_docstring_example_found() -> None:
    def method(number: int) -> None:
        """Take a number.

        :example: {"number": "1"}
        """

    with pytest.raises(SignatureError, match="An example of the method m is no call of it"):
        make_method("m", method)


# --- what they say of themselves ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (bool, {"type": "boolean"}),
        (int | None, {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1}),
        (Annotated[int, Range(min=1, max=3)], {"type": "integer", "minimum": 1, "maximum": 3}),
        (Colour, {"type": "string", "enum": ["RED", "BLUE"]}),
        (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (
            TypedDict("Flags", {"on": bool, "off": NotRequired[bool]}),
            {
                "type": "object",
                "properties": {"on": {"type": "boolean"}, "off": {"type": "boolean"}},
                "required": ["on"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_annotation_has_a_json_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert json_schema(field_for(annotation)) == schema


def test_unknown_annotation_is_refused() -> None:
    with pytest.raises(UnknownAnnotationError, match="object"):
        field_for(object)
