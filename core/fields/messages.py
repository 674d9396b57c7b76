"""Marshmallow's messages, translated when they are written; it knows one language and formats them itself."""

from string import Formatter
from typing import Any

from flask_babel import gettext
from marshmallow import fields
from marshmallow import schema
from marshmallow import validate

_FORMATTER = Formatter()


class Message(str):
    """A message of a field or a validator: ``default_error_messages = {"invalid": Message("Not a valid colour.")}``."""

    __slots__ = ()

    def format(self, *args: Any, **kwargs: Any) -> "Message":
        """Return it in the language of the answer, with its values; validators do so in two steps."""
        # The text is of the code or of a catalogue, never of a request.
        return Message(_FORMATTER.vformat(translated(self), args, kwargs))


def translated(text: Any) -> str:
    """Return a message in the language of the answer; another text as it is."""
    return gettext(str(text)) if isinstance(text, Message) and text else str(text)


def marshmallow_messages() -> set[str]:
    """Return all messages of Marshmallow, to be translated."""
    found = {text for messages in _dictionaries() for text in messages.values()}
    found |= {text for _, _, text in _attributes() if not text.startswith("Must be {m")}
    # Those that a Range makes of its parts.
    for inclusive in (True, False):
        rule = validate.Range(0, 0, min_inclusive=inclusive, max_inclusive=inclusive)
        found |= {rule.message_min, rule.message_max, rule.message_all}
    return set(map(str, found)) - {"greater than", "less than", "greater than or equal to", "less than or equal to"}


def _dictionaries() -> list[dict[str, Any]]:
    classes = [one for one in vars(fields).values() if isinstance(one, type) and issubclass(one, fields.Field)]
    return [*(one.default_error_messages for one in classes), schema.Schema._default_error_messages]


def _attributes() -> list[tuple[type[Any], str, str]]:
    classes = [one for one in vars(validate).values() if isinstance(one, type)]
    return [
        (one, name, text)
        for one in classes
        for name, text in vars(one).items()
        if name.startswith(("message_", "default_message")) and isinstance(text, str)
    ]


def _mark() -> None:
    for messages in _dictionaries():
        messages.update({name: Message(text) for name, text in messages.items()})
    for owner, name, text in _attributes():
        setattr(owner, name, Message(text))


_mark()
