"""Names as people read them."""

import enum
import json
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import pgettext
from flask_babel.speaklater import LazyString

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


def module_of(model: type[Any]) -> str:
    """Return the label of the module that a model, or an enum, stands in: ``shop`` for ``app.shop.models``."""
    return model.__module__.partition(".models")[0].rpartition(".")[2]


def derived(text: str, model: type[Any]) -> str:
    """Return a text that was derived from a model in the language of the answer.

    Its translation is the one with the context of the module, else the one without.
    """
    found = pgettext(module_of(model), text)
    return found if found != text else gettext(text)


def lazily(text: str, model: type[Any]) -> str:
    """Return a text like :func:`derived`, translated whenever it is written."""
    return LazyString(derived, text, model)


def noun(model: type[Any]) -> str:
    """Return what people call a row of a model, in the language of the answer."""
    return derived(words(model.__name__), model)


def label_text(name: str, info: Mapping[str, Any]) -> str:
    """Return what people read for an attribute in English: the ``label`` of its ``info``, or its name in words."""
    return str(info.get("label") or words(name).capitalize())


def label(name: str, info: Mapping[str, Any], model: type[Any]) -> str:
    """Return what people read for an attribute, in the language of the answer."""
    return derived(label_text(name, info), model)


def right_text(permission: str) -> str:
    """Return what a permission allows in English: ``Edit product`` for ``shop.product.edit``."""
    _, noun, verb = permission.split(".")
    return f"{verb.capitalize()} {words(noun)}"


def choice_text(member: Any) -> str:
    """Return what people read for a choice in English: its ``label``, or its name in words."""
    name = getattr(member, "name", member)
    return str(getattr(member, "label", None) or name.replace("_", " ").capitalize())


def choice_label(member: Any, model: type[Any] | None = None) -> str:
    """Return what people read for a choice, in the language of the answer.

    :param model: the one that has the column, for choices without a class of their own
    """
    owner = type(member) if isinstance(member, enum.Enum) else model
    text = choice_text(member)
    return text if owner is None else derived(text, owner)


def enum_choices(type_: sa.Enum) -> dict[str, Any]:
    """Return the names of an enum's choices, each with its value in Python."""
    if type_.enum_class is None:
        return {name: name for name in type_.enums}
    return {member.name: member for member in type_.enum_class}
