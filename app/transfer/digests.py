"""A number for a set of rows: the same in whatever order they come, on whatever engine they are."""

import hashlib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import orjson

from .kinds import canonical

_SIZE = 1 << 128


class Digest:
    """Takes encoded rows one by one.

    :param kinds: of the columns, in their order
    :param start: what an earlier one had come to
    """

    def __init__(self, kinds: Mapping[str, str], start: str = "0") -> None:
        spellings = [canonical(kind) for kind in kinds.values()]
        self._spellings: list[tuple[int, Callable[[Any], Any]]] = [
            (place, spell) for place, spell in enumerate(spellings) if spell is not None
        ]
        self._sum = int(start, 16)

    def add(self, row: Sequence[Any], line: bytes | None = None) -> None:
        """Take a row.

        :param line: its JSON, where that is there already
        """
        if self._spellings:
            spelt = list(row)
            for place, spell in self._spellings:
                if spelt[place] is not None:
                    spelt[place] = spell(spelt[place])
            line = orjson.dumps(spelt)
        hashed = hashlib.blake2b(line or orjson.dumps(list(row)), digest_size=16).digest()
        # A sum does not depend on the order; it can be carried on after a break.
        self._sum = (self._sum + int.from_bytes(hashed, "big")) % _SIZE

    def __str__(self) -> str:
        return f"{self._sum:032x}"
