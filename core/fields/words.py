"""Names as people read them."""

import json
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

#: Characters that a page cannot hold: control characters and Unicode's noncharacters (HTML, section 13.2.3.5).
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
    + "]"
)


def printable(text: str) -> str:
    """Return a text as a page can hold it, with U+FFFD for each character that HTML forbids; Markup stays Markup."""
    if not _FORBIDDEN.search(text):
        return text
    return text.translate({ord(one): "\ufffd" for found in _FORBIDDEN.findall(text) for one in found})


def escaped_json(text: str) -> str:
    """Return JSON that a page can hold: characters that HTML forbids are written as JSON escapes them."""
    return _FORBIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def words(name: str) -> str:
    """Return ``order line`` for ``OrderLine`` and for ``order_line``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").lower()


def plural(noun: str) -> str:
    """Return ``categories`` for ``category``, ``boxes`` for ``box`` and ``products`` for ``product``."""
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if re.search(r"(s|x|z|ch|sh)$", noun) else f"{noun}s"


def label(name: str, info: Mapping[str, Any]) -> str:
    """Return what people read for an attribute: the ``label`` of its ``info``, or its name in words."""
    return str(info.get("label") or words(name).capitalize())


def choice_label(member: Any) -> str:
    """Return what people read for a choice: its ``label``, or its name in words."""
    name = getattr(member, "name", member)
    return str(getattr(member, "label", None) or name.replace("_", " ").capitalize())


def enum_choices(type_: sa.Enum) -> dict[str, Any]:
    """Return the names of an enum's choices, each with its value in Python."""
    if type_.enum_class is None:
        return {name: name for name in type_.enums}
    return {member.name: member for member in type_.enum_class}
