import enum
import json
import subprocess
import sys
import uuid
from collections import OrderedDict
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC
from datetime import date
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask import render_template_string
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from config import ROOT
from core.http.json import StrictJSONProvider
from core.http.json import dump_bytes

APP = Flask("app")
PROVIDER = StrictJSONProvider(APP)
Pair = namedtuple("Pair", "left right")


@dataclass
class Point:
    x: int


class Shown:
    def __html__(self) -> str:
        return "<b>"


class Color(enum.Enum):
    RED = "red"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)  # fmt: skip


@given(values)
def test_what_is_written_is_read(value: Any) -> None:
    assert PROVIDER.loads(PROVIDER.dumps(value)) == value
    assert json.loads(dump_bytes(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (date(2026, 1, 31), "2026-01-31"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Markup("<b>"), "<b>"),
        (Shown(), "<b>"),
        (Color.RED, "red"),
        ((1, 2), [1, 2]),
        (Pair(1, 2), [1, 2]),
        (Point(1), {"x": 1}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        (float("nan"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_of_python_are_written(value: Any, expected: Any) -> None:
    assert json.loads(PROVIDER.dumps({"x": value})) == {"x": expected}
    assert PROVIDER.response({"x": value}).json == {"x": expected}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 2**64], ids=lambda value: type(value).__name__)
def test_non_json_is_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        PROVIDER.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-Infinity",
        '"\\ud800"',
        b"\xff",
        b"",
        "[" * 5000,
        "[" * 1000 + "]" * 1000,
        '{"a":' * 990 + "1" + "}" * 990,
        "1 2",
        "1" * 5000,
        "01",
        "'a'",
    ],
    ids=lambda text: repr(text[:10]),
)
def test_lenient_json_is_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        PROVIDER.loads(text)


@pytest.mark.parametrize(
    ("text", "name"), [('{"a": 1, "a": 1}', "a"), ('[{"x": {"b": 1, "c": 2, "b": 3}}]', "b"), ('{"": {}, "": 1}', "")]
)
def test_duplicate_name_reported(text: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"the name '{name}' appears twice in one object"):
        PROVIDER.loads(text)


MANY_NAMES = """
from flask import Flask
from core.http.json import StrictJSONProvider
names = [*range(105_000), 104_999]
try:
    StrictJSONProvider(Flask("app")).loads("{" + ",".join(f'"{name}":0' for name in names) + "}")
except ValueError as error:
    print(error)
"""


def test_duplicate_name_found_in_linear_time() -> None:
    # A megabyte of them once took a minute. In a process of its own, to be stopped if it does again.
    command = [sys.executable, "-c", MANY_NAMES]
    done = subprocess.run(command, cwd=ROOT, timeout=50, check=True, capture_output=True, text=True)
    assert done.stdout == "the name '104999' appears twice in one object\n"


def test_pretty_json_is_indented() -> None:
    assert PROVIDER.dumps({"a": 1}, indent=2) == '{\n  "a": 1\n}'


def test_json_in_page_cannot_end_script(sqlite_app: Flask) -> None:
    with sqlite_app.test_request_context():
        assert "</script>" not in render_template_string("{{ text | tojson }}", text="</script>")
