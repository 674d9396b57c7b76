"""The document of the methods for programs."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

Call = Callable[..., Any]


@pytest.fixture
def document(call: Call) -> Any:
    return call("rpc.discover")["result"]


def method(document: Any, name: str) -> Any:
    (found,) = [one for one in document["methods"] if one["name"] == name]
    return found


def test_document_names_every_method(document: Any, call: Call) -> None:
    assert document["openrpc"].startswith("1.3.")
    assert [one["name"] for one in document["methods"]] == call("App.index")["result"]["methods"]
    assert document["servers"] == [{"name": "Andamio", "url": "/rpc"}]


def test_method_is_described(document: Any) -> None:
    number = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
    assert method(document, "numbers.subtract") == {
        "name": "numbers.subtract",
        "tags": [{"name": "numbers"}],
        "summary": "Subtract one number from another.",
        "description": "Both are whole.",
        "paramStructure": "either",
        "params": [
            {"name": "minuend", "required": True, "schema": number, "description": "what is taken from"},
            {"name": "subtrahend", "required": False, "schema": {**number, "default": 1}},
        ],
        "result": {"name": "result", "schema": {"type": "integer"}, "description": "the difference"},
        "errors": [{"$ref": "#/components/errors/not-found"}, {"$ref": "#/components/errors/unavailable"}],
        "examples": [
            {
                "name": "numbers.subtract 1",
                "params": [{"name": "minuend", "value": 42}, {"name": "subtrahend", "value": 23}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("name", "structure"),
    [("numbers.subtract", "either"), ("numbers.paint", "by-name"), ("numbers.total", "by-position")],
)
def test_document_says_how_parameters_are_given(document: Any, name: str, structure: str) -> None:
    assert method(document, name)["paramStructure"] == structure


def test_references_lead_somewhere(document: Any) -> None:
    for one in document["methods"]:
        for error in one["errors"]:
            *_, kind, name = error["$ref"].split("/")
            assert name in document["components"][kind]


def test_api_document_has_method_examples(make_app: Call, write_module: Call) -> None:
    pytest.importorskip("app.apidocs", reason="app.apidocs is not installed")
    source = '''
        def sell(number: int) -> None:
            """Sell so many.

            :example: {"number": 3}
            """
    '''
    app: Flask = make_app(None, ["app.jsonrpc", "app.apidocs", write_module("shop", source)])
    operation = app.test_client().get("/openapi.json").json["paths"]["/rpc"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert examples["shop.sell"]["value"] == {
        "jsonrpc": "2.0",
        "method": "shop.sell",
        "params": {"number": 3},
        "id": 1,
    }
    assert {"200", "204", "400", "406", "413", "415", "503"} <= operation["responses"].keys()
