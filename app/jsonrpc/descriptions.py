"""Descriptions of each method for its page, in words for people."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import Parameter as Kind
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext

from core.fields.json_schema import json_schema
from core.http.problems import KINDS

from .annotations import LARGEST
from .annotations import SMALLEST
from .documents import params_structure
from .errors import INTERNAL_ERROR
from .errors import INVALID_PARAMS
from .errors import INVALID_REQUEST
from .errors import MESSAGES
from .errors import METHOD_NOT_FOUND
from .errors import OTHER_PROBLEM
from .errors import PARSE_ERROR
from .errors import PROBLEM_CODES
from .methods import Method
from .signatures import Parameter

JsonSchema = dict[str, Any]

#: Hints that are the same for every method, by code.
HINTS = {
    PARSE_ERROR: lazy_gettext("The body is no JSON. Send valid JSON, in UTF-8."),
    INVALID_REQUEST: lazy_gettext("It is no request. Its `data` says why, where the message does not."),
    METHOD_NOT_FOUND: lazy_gettext("`App.index` names all methods."),
    INVALID_PARAMS: lazy_gettext("Correct the parameters that `data.errors` names."),
    INTERNAL_ERROR: KINDS["internal"].hint,
    PROBLEM_CODES["not-found"]: lazy_gettext("What `data.detail` names is not there, or no longer."),
    PROBLEM_CODES["invalid"]: lazy_gettext("Correct what `data.errors` names."),
    PROBLEM_CODES["unavailable"]: lazy_gettext("Nothing was done. Try again after `data.retry_after` seconds."),
    PROBLEM_CODES["too-many-requests"]: lazy_gettext("Wait for a while, then try again."),
    OTHER_PROBLEM: lazy_gettext("`data.type` says what it is."),
}

#: How the formats of texts are called.
FORMATS = {"date": "date", "date-time": "date and time", "time": "time", "uuid": "UUID"}


@dataclass(frozen=True)
class Field:
    """One parameter, as a form asks for it.

    :param control: what is used to enter it: ``choice``, ``number``, ``text`` or ``json``
    :param example: what stands in it at first; ``None`` for nothing
    :param is_rest: whether it is an array of any number of values, which are parameters of their own
    """

    name: str
    words: str
    required: bool
    control: str
    choices: list[str]
    example: str | None
    is_rest: bool


@dataclass(frozen=True)
class Description:
    """One method.

    :param failures: (code, what happened, when)
    :param example: a request that calls it
    """

    method: Method
    fields: list[Field]
    structure: str
    result: str
    failures: list[tuple[int, str, str]]
    example: str


def describe(method: Method) -> Description:
    """Describe a method."""
    signature = method.signature
    sample = method.examples[0] if method.examples else {}
    fields = [_field(method, one, sample) for one in signature.parameters]
    if signature.rest is not None:
        fields.append(_field(method, signature.rest, sample))
    request = {"jsonrpc": "2.0", "method": method.name, **({"params": sample} if sample else {}), "id": 1}
    result = sentences(kind_of(json_schema(signature.result, shown=True)), method.words.get("return", ""))
    failures = [
        (PROBLEM_CODES[kind], KINDS[kind].title, sentences(when))
        for kind, when in method.problems
        if kind in PROBLEM_CODES
    ]
    structure = params_structure(signature)
    return Description(method, fields, structure, result, failures, json.dumps(request, ensure_ascii=False))


def _field(method: Method, one: Parameter, sample: dict[str, Any]) -> Field:
    schema = json_schema(one.field)
    several = one.kind is Kind.VAR_POSITIONAL
    default = None if one.required or several else one.field.serialize("", None, lambda *_: one.default)
    control = "json" if several else control_of(schema)
    example = sample.get(one.name)
    shown = example if isinstance(example, str) and control != "json" else json.dumps(example, ensure_ascii=False)
    kind = f"any number of: {kind_of(schema)}" if several else kind_of(schema)
    without = "" if default is None else f"without it {json.dumps(default, ensure_ascii=False)}"
    return Field(
        name=one.name,
        words=sentences(kind, method.words.get(one.name, ""), without),
        required=one.required,
        control=control,
        choices=[*_choices(schema)],
        example=None if example is None else shown,
        is_rest=several,
    )


def sentences(*parts: str) -> str:
    """Make a sentence of each part."""
    return " ".join(f"{part[0].upper()}{part[1:].rstrip('.')}." for part in parts if part)


def control_of(schema: JsonSchema) -> str:
    """Return what a value is entered with: ``choice``, ``number``, ``text`` or ``json``."""
    types = set(_types(schema)) - {"null"}
    if "enum" in schema or types == {"boolean"}:
        return "choice"
    if types and types <= {"integer", "number"}:
        return "number"
    return "text" if types == {"string"} else "json"


def kind_of(schema: JsonSchema) -> str:
    """Say in a few words what a value is: ``whole number from 1 to 100``."""
    nothing = " or null" if "null" in _types(schema) else ""
    if "enum" in schema:
        return "one of " + ", ".join(str(one) for one in schema["enum"] if one is not None) + nothing
    types = [one for one in _types(schema) if one != "null"]
    if len(types) != 1:
        return "any JSON"
    if types == ["array"]:
        return f"list of: {kind_of(schema['items'])}{nothing}"
    if types == ["object"]:
        names = schema.get("properties", {})
        return (f"object of {', '.join(names)}" if names else "object") + nothing
    return _simple(types[0], schema) + nothing


def _simple(kind: str, schema: JsonSchema) -> str:
    if kind == "string":
        text = FORMATS.get(schema.get("format", ""), "text")
        most = schema.get("maxLength")
        return f"{text} of at most {most} characters" if most else text
    words = {"integer": "whole number", "number": "number", "boolean": "true or false"}
    low, high = schema.get("minimum"), schema.get("maximum")
    # The range of 64 bits is no limit worth a word.
    limits = [one for one in (("from", low), ("to", high)) if one[1] is not None and SMALLEST < one[1] < LARGEST]
    return " ".join([words.get(kind, kind), *(f"{word} {number:,}" for word, number in limits)])


def _types(schema: JsonSchema) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else found


def _choices(schema: JsonSchema) -> Iterator[str]:
    if "enum" in schema:
        yield from (str(one) for one in schema["enum"] if one is not None)
    elif "boolean" in _types(schema):
        yield from ("true", "false")


def codes() -> list[tuple[int, str, str]]:
    """Return (code, what happened, what to do) of every error."""
    found = [(code, MESSAGES[code], HINTS[code]) for code in MESSAGES]
    kinds = {code: KINDS[name] for name, code in reversed(PROBLEM_CODES.items())}
    found += [(code, kind.title, HINTS.get(code, kind.hint)) for code, kind in sorted(kinds.items(), reverse=True)]
    return [*found, (OTHER_PROBLEM, gettext("Another problem"), HINTS[OTHER_PROBLEM])]
