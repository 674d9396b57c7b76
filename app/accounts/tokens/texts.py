"""The text of a token: a prefix, 256 random bits, a checksum. No database.

The prefix lets those who look for leaked secrets find one in source code and in logs; by the checksum
they, and we, distinguish a token from a similar text, without asking the database.
"""

import hashlib
import re
import secrets
import string
import zlib

#: It never changes: scanners, and ``core.logs.redact``, know a token by it.
PREFIX = "andamio_pat_"

#: Length of the part of a token that is kept in clear, for its owner to recognize it.
SHOWN_LENGTH = len(PREFIX) + 4

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BYTES = 32
_RANDOM_LENGTH = 43  # the digits that 256 bits take in base 62
_CHECK_LENGTH = 6  # and those of 32 bits
_TOKEN = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECK_LENGTH}}}")


def new_text() -> str:
    """Make a random token."""
    number = int.from_bytes(secrets.token_bytes(_RANDOM_BYTES))
    body = f"{PREFIX}{_written(number, _RANDOM_LENGTH)}"
    return body + _check(body)


def is_token(text: str) -> bool:
    """Return whether a text may be a token of this site, as far as can be said without the database."""
    return _TOKEN.fullmatch(text) is not None and _check(text[:-_CHECK_LENGTH]) == text[-_CHECK_LENGTH:]


def digest(text: str) -> str:
    """Return what is kept of a token.

    A fast hash is right here, where a password would need a slow one: 2 ** 256 tokens cannot be tried. What
    is compared is the digest, by the database's index: its timing reveals nothing about a token.
    """
    return hashlib.sha256(text.encode()).hexdigest()


def _check(body: str) -> str:
    return _written(zlib.crc32(body.encode()), _CHECK_LENGTH)


def _written(number: int, length: int) -> str:
    """Write a number in base 62, with zeros in front."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
