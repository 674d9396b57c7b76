"""JSON as the platform speaks it: written by orjson, read strictly."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider


class StrictJSONProvider(JSONProvider):
    """Flask's ``app.json``: money as strings, times in ISO 8601, input without surprises."""

    def dumps(self, obj: Any, *, indent: int | None = None, **_: Any) -> str:
        """Write JSON; other options of the standard library's ``dumps`` are without effect."""
        options = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indent else 0)
        return orjson.dumps(obj, default_value, options).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """Read JSON strictly."""
        return load_strictly(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Answer with JSON, indented in debug mode."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE if self._app.debug else 0
        body = dump_bytes(self._prepare_response_obj(args, kwargs), options | orjson.OPT_NON_STR_KEYS)
        return Response(body, mimetype="application/json")


def dump_bytes(obj: Any, options: int = 0) -> bytes:
    """Write JSON as bytes, the fast way."""
    return orjson.dumps(obj, default_value, options)


def load_strictly(text: str | bytes) -> Any:
    """Read JSON strictly (RFC 8259, and I-JSON's rules of RFC 7493).

    :raises ValueError: for NaN and Infinity, invalid UTF-8, lone surrogates, nesting beyond
        about 900 levels and, unlike the standard library, a name that appears twice in one object
    """
    orjson.loads(text)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def default_value(value: Any) -> Any:
    """Return what orjson should write for a type that it does not know."""
    if isinstance(value, Decimal):
        return format(value, "f")
    # A subclass of str, such as Markup.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "__html__"):
        return str(value.__html__())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"the name {twice!r} appears twice in one object")
    return found
