"""Differences of the JSON Schemas of two documents.

Each is compared for whether it takes less (narrower) or more (wider); whether callers send what it
describes, or read it, decides which of the two breaks them. New properties of an answer are no wider:
answers say from the first day that they may get more.
"""

import json
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any

from core.http.problems import Path

from .changes import Change
from .changes import Part
from .changes import compare_named
from .changes import resolve

#: Keywords without a meaning for values.
ANNOTATIONS = ("title", "description", "examples", "example", "default", "deprecated", "$comment")
#: Bounds that narrow as they rise, and as they fall.
LOW = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
HIGH = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
#: Rules of which it is not known how two compare.
RULES = ("pattern", "format", "multipleOf", "uniqueItems", "contentEncoding", "propertyNames", "not", "contains")
#: Rules that are made of schemas.
CHOICES = ("anyOf", "oneOf", "allOf")

TYPES = {"null", "boolean", "integer", "number", "string", "array", "object"}


class SchemaComparison:
    """Compares schemas of two documents."""

    def __init__(self, old: Part, new: Part) -> None:
        self.old = old
        self.new = new
        # Pairs of named schemas that have been compared, for each direction: a schema may contain itself.
        self.seen: set[tuple[str, str, bool]] = set()

    def compare(self, old: Part, new: Part, path: Path, *, sent: bool) -> Iterator[Change]:
        """Compare two schemas.

        :param sent: whether callers send what they describe, rather than read it
        """
        if "$ref" in new:
            path = tuple(new["$ref"].removeprefix("#/").split("/"))
        if "$ref" in old and "$ref" in new:
            pair = (old["$ref"], new["$ref"], sent)
            if pair in self.seen:
                return
            self.seen.add(pair)
        old, new = resolve(self.old, old), resolve(self.new, new)
        if old == new and not _refers(old):
            return
        for text, narrower, name in chain(_types(old, new), _enums(old, new), _bounds(old, new), _rules(old, new)):
            yield Change((*path, name), text, narrower is None or narrower == sent)
        if any(old.get(name) != new.get(name) for name in ANNOTATIONS):
            yield Change(path, "it is described in other words")
        yield from self._properties(old, new, path, sent=sent)
        yield from self._items(old, new, path, sent=sent)
        for name in CHOICES:
            yield from self._branches(name, old, new, path, sent=sent)

    def _properties(self, old: Part, new: Part, path: Path, *, sent: bool) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        yield from compare_named(before, after, (*path, "properties"), "property", partial(self.compare, sent=sent))
        required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in required_after - required_before:
            yield Change((*path, "required"), f"{name} must be there now", sent)
        # One that has gone altogether is reported once.
        for name in (required_before - required_after) & after.keys():
            yield Change((*path, "required"), f"{name} need not be there any more", not sent)
        yield from self._other_properties(old, new, (*path, "additionalProperties"), sent=sent)

    def _other_properties(self, old: Part, new: Part, path: Path, *, sent: bool) -> Iterator[Change]:
        before, after = (one.get("additionalProperties", True) for one in (old, new))
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self.compare(before, after, path, sent=sent)
        elif before != after:
            closed = after is not True and (before is True or after is False)
            yield Change(path, f"other properties are taken {'no more' if closed else 'now'}", closed == sent)

    def _items(self, old: Part, new: Part, path: Path, *, sent: bool) -> Iterator[Change]:
        here = (*path, "items")
        if "items" in old and "items" in new:
            yield from self.compare(old["items"], new["items"], here, sent=sent)
        elif "items" in new:
            yield Change(here, "items are of one kind now", sent)
        elif "items" in old:
            yield Change(here, "items may be anything now", not sent)

    def _branches(self, name: str, old: Part, new: Part, path: Path, *, sent: bool) -> Iterator[Change]:
        if name not in old and name not in new:
            return
        here = (*path, name)
        before, after = _branches(name, old), _branches(name, new)
        # Schemas that look the same, or have the same name, belong together; of the others those at the same place.
        for key in before.keys() & after.keys():
            yield from self.compare(before.pop(key), after.pop(key), here, sent=sent)
        for one, other in zip(before.values(), after.values(), strict=False):
            yield from self.compare(one, other, here, sent=sent)
        if len(before) != len(after):
            gained = len(after) > len(before)
            # A further alternative takes more, a further condition less.
            is_breaking = (gained == (name == "allOf")) == sent
            yield Change(here, f"{name} has {'more' if gained else 'fewer'} branches", is_breaking)


#: A difference of a schema: words, whether it takes less (``None``: one cannot know), and where.
Finding = tuple[str, bool | None, str]


def _types(old: Part, new: Part) -> Iterator[Finding]:
    before, after = _type_set(old), _type_set(new)
    if before - after:
        yield f"the type is {_said(after)} instead of {_said(before)}", True, "type"
    if after - before:
        yield f"the type is {_said(after)} instead of {_said(before)}", False, "type"


def _type_set(schema: Part) -> set[str]:
    named = schema.get("type")
    if named is None:
        # Choices say their own types.
        return TYPES if not {*CHOICES, "enum", "const"} & schema.keys() else {"any"}
    found = {named} if isinstance(named, str) else set(named)
    return found | {"integer"} if "number" in found else found


def _said(types: set[str]) -> str:
    return "anything" if types in (TYPES, {"any"}) else " or ".join(sorted(types))


def _enums(old: Part, new: Part) -> Iterator[Finding]:
    before, after = _values(old), _values(new)
    if before is None and after is None:
        return
    if before is None or (after is not None and before - after):
        yield "fewer values are possible", True, "enum"
    if after is None or (before is not None and after - before):
        yield "more values are possible", False, "enum"


def _values(schema: Part) -> set[str] | None:
    listed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return None if listed is None else {json.dumps(value) for value in listed}


def _bounds(old: Part, new: Part) -> Iterator[Finding]:
    for names, sign in ((LOW, 1), (HIGH, -1)):
        for name in names:
            before, after = old.get(name), new.get(name)
            if before == after:
                continue
            narrower = before is None or (after is not None and (after - before) * sign > 0)
            yield f"{name} is {_shown(after)} instead of {_shown(before)}", narrower, name


def _rules(old: Part, new: Part) -> Iterator[Finding]:
    for name in RULES:
        before, after = old.get(name), new.get(name)
        if before != after:
            narrower = True if before is None else False if after is None else None
            yield f"{name} is {_shown(after)} instead of {_shown(before)}", narrower, name


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)


def _branches(name: str, schema: Part) -> dict[str, Part]:
    """Return the branches by what they look like; a schema without any is a choice of one."""
    plain = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
    listed = schema.get(name, [plain] if plain else [])
    return {one.get("$ref") or json.dumps(one, sort_keys=True): one for one in listed}


def _refers(part: Any) -> bool:
    if isinstance(part, dict):
        return "$ref" in part or any(map(_refers, part.values()))
    return isinstance(part, list) and any(map(_refers, part))
