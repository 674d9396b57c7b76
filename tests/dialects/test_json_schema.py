"""Fields in the API's document, and their behaviour, are the same: of what only one engine has."""

import pytest

from core.fields.json_schema import json_schema
from tests.core.schema_values import assert_allowed_is_taken
from tests.core.schema_values import assert_forbidden_is_refused
from tests.core.schema_values import distinct
from tests.core.schema_values import fields_of
from tests.dialects import postgres_rows

FIELDS = fields_of(postgres_rows.PostgresRow, postgres_rows.MariaRow)


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
