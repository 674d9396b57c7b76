"""Words that stand in the place of a key in the addresses of a model's rows, and which no key may be therefore."""

from typing import Any
from weakref import WeakKeyDictionary

from ..data.models import key_fault

#: By model: its faces are declared once, whichever applications have them.
_reserved: WeakKeyDictionary[type[Any], set[str]] = WeakKeyDictionary()


def reserve(model: type[Any], word: str) -> None:
    """Keep a word from being the key of a row: it stands for something else in an address."""
    _reserved.setdefault(model, set()).add(word)


def address_fault(model: type[Any], key: str) -> str | None:
    """Return why a row with this key would have no address; ``None`` if it has one."""
    if key in _reserved.get(model, ()):
        return f"No address can name “{key}”: it stands for something else there."
    return key_fault(key)
