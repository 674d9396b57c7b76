"""Fields in the API's document, and their behaviour, are the same."""

from typing import Any

import pytest
from marshmallow import fields
from marshmallow import validate

from core.fields import Exact
from core.fields import Text
from core.fields import Whole
from core.fields.json_schema import json_schema
from tests.core import archive
from tests.core import column_types
from tests.core import warehouse
from tests.core.schema_values import assert_allowed_is_taken
from tests.core.schema_values import assert_forbidden_is_refused
from tests.core.schema_values import distinct
from tests.core.schema_values import fields_of

FIELDS = fields_of(column_types.CommonRow, warehouse.Thing, archive.Document)


@pytest.mark.parametrize("name", distinct(FIELDS))
@pytest.mark.slow
def test_what_the_schema_allows_is_taken(name: str) -> None:
    assert_allowed_is_taken(FIELDS[name])


@pytest.mark.parametrize("name", distinct(FIELDS))
@pytest.mark.slow
def test_what_the_schema_forbids_is_refused(name: str) -> None:
    assert_forbidden_is_refused(FIELDS[name])


@pytest.mark.parametrize("name", FIELDS)
def test_shown_fields_have_no_limits(name: str) -> None:
    """A row may be older than a rule."""
    said = str(json_schema(FIELDS[name], shown=True))
    assert not any(word in said for word in ("'maximum'", "'maxLength'", "'maxItems'", "u0000", "{1,"))


def test_words_for_people_are_said() -> None:
    field = Text(metadata={"label": "Head", "description": "Short."})
    assert json_schema(field) | {"title": "Head", "description": "Short."} == json_schema(field)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (Whole(validate=[validate.Range(-5, 10), validate.Range(0, 20)]), {"minimum": 0, "maximum": 10}),
        (Whole(validate=validate.Range(0, 5, max_inclusive=False)), {"exclusiveMaximum": 5}),
        (Exact(precision=5, scale=2), {"pattern": r"^[+-]?[0-9]{1,3}(\.[0-9]{0,2})?$"}),
        (Exact(precision=5, scale=2, validate=validate.Range(0)), {"pattern": r"^[+]?[0-9]{1,3}(\.[0-9]{0,2})?$"}),
        (Exact(precision=2, scale=2), {"pattern": r"^[+-]?0(\.[0-9]{0,2})?$"}),
        (Text(validate=validate.OneOf(["a", "b"]), allow_none=True), {"enum": ["a", "b", None]}),
        (Text(validate=validate.Regexp("[a-z]+"), allow_none=True), {"allOf": [{"pattern": "^(?:[a-z]+)"}]}),
        (fields.List(fields.Integer(), allow_none=True), {"type": ["array", "null"], "items": {"type": "integer"}}),
        (fields.Enum(column_types.Metal), {"enum": ["GOLD", "LEAD"]}),
        (fields.Email(), {"format": "email"}),
        (fields.Field(), {}),
    ],
)
def test_rules_of_a_field_are_said(field: fields.Field[Any], words: dict[str, Any]) -> None:
    assert json_schema(field) | words == json_schema(field)


def test_related_rows_are_their_keys() -> None:
    box = warehouse.BoxSchema().fields
    crate = warehouse.CrateSchema().load_fields
    number = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
    assert json_schema(crate["maker"]) == number
    labels = {"type": "array", "items": number, "uniqueItems": True, "maxItems": 1000}
    assert json_schema(crate["labels"]) | labels == json_schema(crate["labels"])
    assert json_schema(crate["spot"])["required"] == ["aisle", "level"]
    assert json_schema(box["inside"], shown=True) == {"type": ["integer", "null"]}
    assert json_schema(box["maker"], shown=True) == {"type": "integer"}
