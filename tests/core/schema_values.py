"""Values that a JSON Schema allows and forbids, for its field to take and refuse.

jsonschema_rs reads regular expressions as JavaScript does: Python's ``$`` is also before a line break.
"""

import copy
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck
from hypothesis import assume
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from marshmallow import ValidationError
from marshmallow import fields

from core.fields.json_schema import COMPONENTS
from core.fields.json_schema import json_schema
from core.fields.strict import WITHOUT_NUL
from tests.core import column_types


def fields_of(*models: type[Any]) -> dict[str, fields.Field[Any]]:
    """Return the fields of models, by the names of both."""
    return {
        f"{model.__name__}.{name}": field
        for model in models
        for name, field in column_types.schema_of(model)().load_fields.items()
    }


def distinct(known: Mapping[str, fields.Field[Any]]) -> list[str]:
    """Return the names without those that are of the kind of an earlier one, with the same schema."""
    found = {(type(field), repr(json_schema(field))): name for name, field in reversed(known.items())}
    return sorted(found.values())


#: Rules that JSON Schema cannot express.
UNSAID = ("same length", "lower end", "is in this range", "no bit set", "in UTC", "levels deep", "1970-01-02")

FORMATS = {
    "uuid": st.uuids(version=4).map(str),
    "date": st.dates().map(str),
    "date-time": st.builds(
        lambda moment, fraction: moment.replace(microsecond=fraction).isoformat(),
        st.datetimes(timezones=st.just(UTC)),
        st.sampled_from([0, 0, 500_000, 1]),
    ),
    "time": st.times(timezones=st.just(UTC)).map(lambda time: time.isoformat()),
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    whole = {**schema, "components": {"schemas": COMPONENTS}}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Make values of a schema, of the words that ours use; some may not match, and are dropped."""
    if "$ref" in schema:
        return json_values
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        rest = {word: rule for word, rule in schema.items() if word != "anyOf"}
        return st.one_of([values({**rest, **branch}) for branch in schema["anyOf"]])
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return st.one_of([_OF_TYPE[type_](schema) for type_ in types])


def _texts(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "format" in schema:
        return FORMATS[schema["format"]]
    pattern = schema.get("pattern", WITHOUT_NUL)
    if pattern == WITHOUT_NUL:
        least, most = schema.get("minLength", 0), schema.get("maxLength", 40)
        return st.text(min_size=least, max_size=max(least, min(most, 40)))
    return st.from_regex(pattern).map(lambda text: text.removesuffix("\n"))


def _objects(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" not in schema:
        return st.dictionaries(st.text(max_size=5), values(schema["additionalProperties"]), max_size=4)
    parts = {name: values(rule) for name, rule in schema["properties"].items()}
    required = {name: parts[name] for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional={n: part for n, part in parts.items() if n not in required})


_OF_TYPE: dict[str, Any] = {
    "null": lambda schema: st.none(),
    "boolean": lambda schema: st.booleans(),
    "integer": lambda schema: st.integers(schema.get("minimum"), schema.get("maximum")),
    "number": lambda schema: st.floats(
        schema.get("minimum", -1e308), schema.get("maximum", 1e308), allow_nan=False, allow_infinity=False
    ),
    "string": _texts,
    "array": lambda schema: st.lists(values(schema["items"]), max_size=4),
    "object": _objects,
}

often = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def refusal(field: fields.Field[Any], value: Any) -> str:
    """Return why a field refuses a value; nothing if it takes it."""
    try:
        field.deserialize(copy.deepcopy(value))
    except ValidationError as error:
        return str(error.messages)
    return ""


@st.composite
def mutations(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Draw what is nearly a value, or anything."""
    value = draw(values(schema))
    if isinstance(value, str) and value:
        place = draw(st.integers(0, len(value)))
        return (
            value[:place]
            + draw(st.sampled_from(["", "0", "9", "-", " ", "\n", "\0", "T", "=", "１", "x"]))
            + (value[place + draw(st.integers(0, 1)) :])
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return value + draw(st.sampled_from([2**8, 2**16, 2**32, 2**64, -(2**64)]))
    if isinstance(value, list):
        return [*value, draw(json_values)]
    if isinstance(value, dict):
        return {**value, draw(st.text(max_size=3)): draw(json_values)}
    return draw(json_values)


def assert_allowed_is_taken(field: fields.Field[Any]) -> None:
    schema = json_schema(field)
    is_valid = validator(schema).is_valid
    taken = 0

    @often
    @given(values(schema))
    def check(value: Any) -> None:
        nonlocal taken
        assume(is_valid(value))
        fault = refusal(field, value)
        assert not fault or any(words in fault for words in UNSAID), value
        taken += not fault

    check()
    assert taken


def assert_forbidden_is_refused(field: fields.Field[Any]) -> None:
    schema = json_schema(field)
    is_valid = validator(schema).is_valid
    refused = 0

    @often
    @given(json_values | mutations(schema))
    def check(value: Any) -> None:
        nonlocal refused
        assume(not is_valid(value))
        refused += 1
        assert refusal(field, value), value

    check()
    assert refused
