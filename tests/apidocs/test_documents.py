import re
from collections.abc import Callable
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from flask import Blueprint
from flask import Flask
from jsonschema import Draft202012Validator
from marshmallow import Schema
from marshmallow import fields
from marshmallow import validate
from openapi_spec_validator import validate as validate_document

from app.apidocs import documents
from core.api.contract import contract
from core.api.deprecation import Deprecation
from core.http.apis import mark_api
from core.http.problems import KINDS
from tests.core import warehouse

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def warehouse_document(make_app: Callable[..., Flask]) -> documents.Document:
    """Return the document of a module with a column of every type, and a relationship of every kind."""
    return documents.build(make_app(None, ["app.bulk", warehouse.__name__, "app.apidocs"]))


@pytest.fixture(params=["document", "warehouse_document"])
def each_document(request: pytest.FixtureRequest) -> documents.Document:
    """Return one document after the other."""
    found: documents.Document = request.getfixturevalue(request.param)
    return found


# --- the document as a whole --------------------------------------------------------------------


def test_document_is_valid(each_document):
    validate_document(each_document)


def test_document_is_clean_under_redocly(each_document, lint):
    done = lint(each_document, "@redocly/cli/bin/cli.js", "lint", "--config", "redocly.yaml", "--max-problems", "1000")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()


def test_document_is_clean_under_spectral(each_document, lint):
    done = lint(
        each_document,
        "@stoplight/spectral-cli/dist/index.js",
        "lint",
        "--ruleset",
        "spectral.yaml",
        "--fail-severity=hint",
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_document_is_the_same_each_time(make_app):
    first, second = (documents.text(documents.build(make_app())) for _ in range(2))

    assert first == second


def test_document_has_every_operation(sqlite_app, document):
    served = {
        (documents.path(rule), method.lower())
        for rule in documents.rules(sqlite_app)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}

    assert described == served


def test_pages_are_not_in_the_document(document):
    assert not {"/", "/docs", "/problems/{name}"} & set(document["paths"])


def test_every_operation_says_what_it_does(each_document):
    found = [one for _, _, one in operations(each_document)]

    assert all(one["summary"] and one["description"] and one["tags"] for one in found)
    assert len({one["operationId"] for one in found}) == len(found)
    assert all(re.fullmatch("[A-Za-z0-9]+", one["operationId"]) for one in found)


def test_every_problem_is_a_known_kind(document):
    for _, _, one in operations(document):
        for status, answer in one["responses"].items():
            # A view may describe its own.
            if int(status) >= 400 and "$ref" in answer:
                name = answer["$ref"].rpartition("/")[2]
                assert {str(KINDS[kind].status) for kind in name.split(".")} == {status}


def test_every_example_fits_its_schema(each_document):
    found = list(examples(each_document))

    assert found
    for place, schema, example in found:
        root = {**schema, "components": each_document["components"]}
        faults = [error.message for error in Draft202012Validator(root).iter_errors(example)]
        assert not faults, f"{place}: {example}: {faults}"


def operations(document: documents.Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def examples(part: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (place, schema, example) for every content type and parameter."""
    if isinstance(part, list):
        for number, one in enumerate(part):
            yield from examples(one, f"{place}/{number}")
    elif isinstance(part, dict):
        if isinstance(part.get("schema"), dict):
            if "example" in part:
                yield place, part["schema"], part["example"]
            for name, one in part.get("examples", {}).items():
                yield f"{place}/{name}", part["schema"], one["value"]
        for name, one in part.items():
            yield from examples(one, f"{place}/{name}")


# --- what it says of a resource -----------------------------------------------------------------


@pytest.fixture
def thing_operations(warehouse_document):
    """Return what is said of the paths of things, by what is asked for."""
    paths = warehouse_document["paths"]
    return {
        "list": paths["/warehouse/things"],
        "item": paths["/warehouse/things/{key}"],
        "bulk": paths["/warehouse/things:bulk"],
    }


def named(document: documents.Document, name: str) -> Any:
    return document["components"]["schemas"][name]


def test_inputs_exclude_read_only_and_unknown(warehouse_document):
    output, whole, patch = (named(warehouse_document, name) for name in ("Thing", "ThingInput", "ThingPatch"))

    assert {"id", "version", "created_at"} <= set(output["properties"])
    assert not {"id", "version", "created_at"} & (set(whole["properties"]) | set(patch["properties"]))
    assert whole["additionalProperties"] is False
    assert patch["additionalProperties"] is False
    assert set(whole["required"]) == {"name", "maker_id"}
    assert "required" not in patch
    assert set(output["required"]) == set(output["properties"]) - {"maker", "owner"}


def test_filters_have_column_types(thing_operations):
    parameters = {one["name"]: one["schema"] for one in thing_operations["list"]["get"]["parameters"] if "name" in one}

    assert parameters["rank__gte"] == {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
    assert parameters["rank__isnull"] == {"type": "boolean"}
    assert parameters["live"]["items"] == {"type": "boolean"}
    assert parameters["color"]["items"]["enum"] == ["RED", "GREEN"]
    assert parameters["uid__in"]["items"]["format"] == "uuid"
    assert parameters["sort"]["items"]["enum"][:4] == ["id", "-id", "name", "-name"]
    assert parameters["include"]["items"]["enum"] == ["maker", "owner"]


def test_versioned_changes_require_if_match(warehouse_document, thing_operations):
    (thing,) = (one for one in thing_operations["item"]["patch"]["parameters"] if one.get("name") == "If-Match")
    maker = warehouse_document["paths"]["/warehouse/makers/{key}"]["patch"]["parameters"]

    assert thing["required"]
    assert {"$ref": "#/components/parameters/If-Match"} in maker
    assert "428" in thing_operations["item"]["patch"]["responses"]


def test_only_what_is_allowed_is_described(warehouse_document):
    paths = warehouse_document["paths"]

    assert set(paths["/warehouse/shown"]) == set(paths["/warehouse/shown/{key}"]) == {"get"}
    assert set(paths["/warehouse/new"]) == {"post"}
    assert "/warehouse/new/{key}" not in paths


def test_create_links_to_item_operations(thing_operations):
    links = thing_operations["list"]["post"]["responses"]["201"]["links"]

    assert set(links) == {"get", "replace", "update", "delete"}
    assert links["delete"]["parameters"] == {
        "path.key": "$response.body#/id",
        "header.If-Match": "$response.header.ETag",
    }


def test_bulk_has_operation_per_method(warehouse_document, thing_operations):
    body = thing_operations["bulk"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ThingsBulk"}
    operation = named(warehouse_document, "ThingsBulk")["properties"]["operations"]["items"]

    assert set(operation["discriminator"]["mapping"]) == {"create", "update", "delete"}
    assert named(warehouse_document, "ThingsBulkUpdate")["required"] == ["method", "key", "version", "data"]


# --- what it says of other views ----------------------------------------------------------------


def test_plain_view_described_by_docstring(make_app):
    app = make_app(None, ["app.apidocs"])
    bank = Blueprint("bank", __name__, url_prefix="/bank")
    mark_api(bank)

    @bank.get("/rates/<int:year>")
    def rates(year: int) -> dict[str, str]:
        """Return the rates of a year.

        All of them, by currency.

        :param year: from 1900 on
        """
        return {}

    app.register_blueprint(bank)
    document = documents.build(app)
    found = document["paths"]["/bank/rates/{year}"]["get"]

    assert (found["summary"], found["description"]) == ("Return the rates of a year", "All of them, by currency.")
    assert found["operationId"] == "bankRates"
    assert found["parameters"][0]["schema"] == {"type": "integer"}
    shown = found["responses"]["200"]["content"]["application/json"]["schema"]
    assert shown == {"type": "object", "additionalProperties": {"type": "string"}}
    assert "bank" in {tag["name"] for tag in document["tags"]}


class OrderSchema(Schema):
    """An order."""

    number = fields.Integer(required=True, validate=validate.Range(1))
    note = fields.String()


class ChoiceSchema(Schema):
    """Selection of orders."""

    since = fields.Date(required=True, metadata={"description": "Only later ones."})


def test_contract_view_described_by_contract(make_app):
    app = make_app(None, ["app.apidocs"])

    @app.post("/orders")
    @contract(query=ChoiceSchema, body=OrderSchema, answer=OrderSchema, status=201, batch=5, problems=["in-use"])
    def order(query, body):
        """Order something."""

    found = documents.build(app)
    operation = found["paths"]["/orders"]["post"]

    (parameter,) = operation["parameters"]
    assert (parameter["name"], parameter["required"]) == ("since", True)
    assert parameter["schema"] == {"type": "string", "format": "date"}
    one, several = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert one == several["items"] == {"$ref": "#/components/schemas/OrderInput"}
    assert several["maxItems"] == 5
    assert named(found, "OrderInput")["properties"]["number"]["minimum"] == 1
    assert named(found, "Order")["required"] == ["number"]
    assert {"201", "409", "415", "422"} <= set(operation["responses"])


def test_limits_and_deprecations_are_mirrored(make_app, monkeypatch):
    monkeypatch.setattr(warehouse.ThingResource, "rate_limit", "100 per minute", raising=False)
    old = Deprecation(since=date(2026, 1, 1), sunset=date(2027, 1, 1), successor="/v2/tags")
    monkeypatch.setattr(warehouse.TagResource, "deprecation", old, raising=False)
    app = make_app(None, [warehouse.__name__, "app.limits", "app.deprecation", "app.apidocs"])
    paths = documents.build(app)["paths"]
    thing, tag = paths["/warehouse/things/{key}"]["get"], paths["/warehouse/tags/{key}"]["get"]

    assert thing["responses"]["429"] == {"$ref": "#/components/responses/too-many-requests"}
    assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(
        thing["responses"]["200"]["headers"]
    )
    assert "At most 100 per minute." in thing["description"]
    assert "429" not in tag["responses"]
    assert tag["deprecated"]
    assert {"Deprecation", "Sunset"} <= set(tag["responses"]["200"]["headers"])
    assert "Deprecated since 2026-01-01, gone from 2027-01-01 on. Use /v2/tags instead." in tag["description"]
    assert "deprecated" not in thing
