"""Breaking changes and compatible ones: one change at a time of one small document."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from app.apidocs.differences import compare

#: Media types of requests and responses.
ORDER = {
    "type": "object",
    "description": "An order.",
    "properties": {
        "number": {"type": "integer", "minimum": 1, "maximum": 99},
        "size": {"type": "string", "enum": ["S", "M"]},
        "code": {"type": "string", "maxLength": 10, "pattern": "^[A-Z]+$"},
        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}, "maxItems": 9},
        "either": {"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/Line"}]},
    },
    "required": ["number"],
}
LINE = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "inner": {"$ref": "#/components/schemas/Line"}},
    "required": ["text"],
}


def content(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": {"number": 1}}}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.1",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "/"}],
    "security": [{}],
    "paths": {
        "/orders": {
            "post": {
                "operationId": "order",
                "parameters": [
                    {"name": "dry", "in": "query", "schema": {"type": "boolean"}},
                    {"$ref": "#/components/parameters/Key"},
                ],
                "requestBody": {"required": True, "content": content("OrderInput")},
                "responses": {
                    "201": {"description": "Done.", "headers": {"ETag": {}}, "content": content("Order")},
                    "422": {"$ref": "#/components/responses/invalid"},
                },
            },
            "get": {"operationId": "orders", "responses": {"204": {"description": "None."}}},
        },
        "/stock": {"get": {"operationId": "stock", "responses": {"204": {"description": "None."}}}},
    },
    "components": {
        "schemas": {"Order": ORDER, "OrderInput": {**deepcopy(ORDER), "additionalProperties": False}, "Line": LINE},
        "parameters": {"Key": {"name": "Key", "in": "header", "schema": {"type": "string"}}},
        "responses": {"invalid": {"description": "Invalid."}},
    },
}

Change = Callable[[dict[str, Any]], Any]


def changed(change: Change) -> dict[str, Any]:
    # By way of text: nothing is in two places.
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    change(document)
    return document


def post(document: dict[str, Any]) -> Any:
    return document["paths"]["/orders"]["post"]


def sent(document: dict[str, Any]) -> Any:
    return document["components"]["schemas"]["OrderInput"]


def answered(document: dict[str, Any]) -> Any:
    return document["components"]["schemas"]["Order"]


def parameter(**values: Any) -> dict[str, Any]:
    return {"name": "new", "in": "query", "schema": {"type": "string"}, **values}


def repeatable(items: dict[str, Any]) -> dict[str, Any]:
    return {"schema": {"type": "array", "items": items}, "style": "form", "explode": True}


BREAKING: dict[str, Change] = {
    "path gone": lambda d: d["paths"].pop("/stock"),
    "operation gone": lambda d: d["paths"]["/orders"].pop("get"),
    "other operation id": lambda d: post(d).update(operationId="buy"),
    "other server": lambda d: d.update(servers=[{"url": "/v2"}]),
    "credentials demanded": lambda d: d.update(security=[{"token": []}]),
    "credentials demanded by one": lambda d: post(d).update(security=[{"token": []}]),
    "parameter gone": lambda d: post(d)["parameters"].pop(0),
    "required parameter": lambda d: post(d)["parameters"].append(parameter(required=True)),
    "parameter required now": lambda d: d["components"]["parameters"]["Key"].update(required=True),
    "parameter of another type": lambda d: post(d)["parameters"][0].update(schema={"type": "integer"}),
    "parameter written otherwise": lambda d: post(d)["parameters"][0].update(explode=False),
    "parameter repeatable and narrower": lambda d: post(d)["parameters"][0].update(repeatable({"type": "integer"})),
    "content type taken no more": lambda d: post(d)["requestBody"].update(content={"text/plain": {}}),
    "body taken no more": lambda d: post(d).pop("requestBody"),
    "body demanded": lambda d: d["paths"]["/stock"]["get"].update(
        requestBody={"required": True, "content": content("Order")}
    ),
    "sent property gone": lambda d: sent(d)["properties"].pop("code"),
    "sent property required": lambda d: sent(d)["required"].append("size"),
    "sent type narrower": lambda d: sent(d)["properties"]["number"].update(type=["integer", "null"]) or swap(d),
    "sent enum shorter": lambda d: sent(d)["properties"]["size"].update(enum=["S"]),
    "sent enum new": lambda d: sent(d)["properties"]["code"].update(enum=["A"]),
    "sent minimum raised": lambda d: sent(d)["properties"]["number"].update(minimum=2),
    "sent maximum lowered": lambda d: sent(d)["properties"]["number"].update(maximum=98),
    "sent minimum new": lambda d: sent(d)["properties"]["code"].update(minLength=1),
    "sent pattern changed": lambda d: sent(d)["properties"]["code"].update(pattern="^[A-Y]+$"),
    "sent format new": lambda d: sent(d)["properties"]["code"].update(format="uuid"),
    "sent choice gone": lambda d: sent(d)["properties"]["either"]["anyOf"].pop(0),
    "deep within": lambda d: d["components"]["schemas"]["Line"]["properties"]["text"].update(maxLength=3),
    "answer gone": lambda d: post(d)["responses"].pop("422"),
    "other success": lambda d: post(d)["responses"].update({"202": {"description": "Later."}}),
    "header gone": lambda d: post(d)["responses"]["201"]["headers"].pop("ETag"),
    "content type answered no more": lambda d: post(d)["responses"]["201"].pop("content"),
    "answered property gone": lambda d: answered(d)["properties"].pop("code"),
    "answered property optional": lambda d: answered(d)["required"].remove("number"),
    "answered null": lambda d: answered(d)["properties"]["number"].update(type=["integer", "null"]),
    "answered null by choice": lambda d: answered(d)["properties"].update(
        code={"anyOf": [ORDER["properties"]["code"], {"type": "null"}]}
    ),
    "answered type wider": lambda d: answered(d)["properties"]["number"].update(type="number"),
    "answered enum longer": lambda d: answered(d)["properties"]["size"].update(enum=["S", "M", "L"]),
    "answered enum gone": lambda d: answered(d)["properties"]["size"].pop("enum"),
    "answered maximum raised": lambda d: answered(d)["properties"]["number"].update(maximum=100),
    "answered maximum gone": lambda d: answered(d)["properties"]["number"].pop("maximum"),
    "answered choice more": lambda d: answered(d)["properties"]["either"]["anyOf"].append({"type": "null"}),
}

COMPATIBLE: dict[str, Change] = {
    "path new": lambda d: d["paths"].update({"/new": {}}),
    "operation new": lambda d: d["paths"]["/stock"].update(post=post(d)),
    "deprecated": lambda d: post(d).update(deprecated=True),
    "words": lambda d: d["info"].update(description="A shop."),
    "words of a schema": lambda d: answered(d).update(description="What was ordered."),
    "example": lambda d: post(d)["responses"]["201"]["content"]["application/json"].update(example={"number": 2}),
    "optional parameter": lambda d: post(d)["parameters"].append(parameter()),
    "parameter repeatable now": lambda d: post(d)["parameters"][0].update(repeatable({"type": "boolean"})),
    "body optional now": lambda d: post(d)["requestBody"].update(required=False),
    "content type taken too": lambda d: post(d)["requestBody"]["content"].update({"text/plain": {}}),
    "problem new": lambda d: post(d)["responses"].update({"429": {"description": "Too many."}}),
    "header new": lambda d: post(d)["responses"]["201"]["headers"].update({"Location": {}}),
    "sent property new": lambda d: sent(d)["properties"].update(more={"type": "string"}),
    "sent property optional now": lambda d: sent(d).pop("required"),
    "sent null": lambda d: sent(d)["properties"]["number"].update(type=["integer", "null"]),
    "sent type wider": lambda d: sent(d)["properties"]["number"].update(type="number"),
    "sent enum longer": lambda d: sent(d)["properties"]["size"].update(enum=["S", "M", "L"]),
    "sent minimum lowered": lambda d: sent(d)["properties"]["number"].update(minimum=0),
    "sent pattern gone": lambda d: sent(d)["properties"]["code"].pop("pattern"),
    "sent choice more": lambda d: sent(d)["properties"]["either"]["anyOf"].append({"type": "null"}),
    "answered property new": lambda d: answered(d)["properties"].update(more={"type": "string"}),
    "answered property always there": lambda d: answered(d)["required"].append("code"),
    "answered enum shorter": lambda d: answered(d)["properties"]["size"].update(enum=["S"]),
    "answered maximum lowered": lambda d: answered(d)["properties"]["number"].update(maximum=98),
    "answered choice gone": lambda d: answered(d)["properties"]["either"]["anyOf"].pop(0),
}


def swap(document: dict[str, Any]) -> None:
    """Leave a type that has nothing of the one before."""
    sent(document)["properties"]["number"]["type"] = "boolean"


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING)
def test_breaking_change_reported(change):
    found = compare(DOCUMENT, changed(change))

    assert found
    assert found[0].is_breaking


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_compatible_change_reported_as_such(change):
    found = compare(DOCUMENT, changed(change))

    assert found
    assert not [str(one) for one in found if one.is_breaking]


def test_narrowing_one_way_widens_other():
    for name in ("sent minimum raised", "sent enum shorter", "sent property required"):
        after = changed(BREAKING[name])
        assert not any(one.is_breaking for one in compare(after, DOCUMENT)), name


def test_same_document_has_no_differences():
    assert compare(DOCUMENT, json.loads(json.dumps(DOCUMENT))) == []


def test_change_says_what_and_where():
    (found,) = compare(DOCUMENT, changed(BREAKING["answered null"]))

    assert str(found) == (
        "breaking: the type is integer or null instead of integer (#/components/schemas/Order/properties/number/type)"
    )


def test_shared_schema_reported_once():
    found = compare(DOCUMENT, changed(BREAKING["deep within"]))

    assert [(one.is_breaking, one.place.rpartition("/")[2]) for one in found] == [
        (True, "maxLength"),
        (False, "maxLength"),
    ]
