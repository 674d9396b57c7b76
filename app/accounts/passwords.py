"""Rules for passwords: long, and hard to guess (ASVS 5.0, section 6.2; NIST SP 800-63B, section 3.1.1).

There are no rules about kinds of characters, and none grows old.
"""

from typing import Any

from flask_security import PasswordUtil

import settings

from .common_passwords import estimate
from .common_passwords import is_common
from .models import User

#: ASVS asks for 8 and recommends 15; what is shorter than that has to stand zxcvbn's attack as well.
SHORTEST = 12
#: ASVS asks that 64 are taken. There is an end, so that a request cannot hold the process.
LONGEST = 1024
#: Of zxcvbn's scores, 0 to 4: guessed in less than 10^8 tries is refused.
LOWEST_SCORE = 3
#: zxcvbn reads no more; its time grows with the square of the length.
READ = 72


class Passwords(PasswordUtil):
    """Says what is wrong with a password, in words that help to find a better one."""

    def normalize(self, password: str) -> str:
        """Return a password as it is hashed; of one that is too long, no more than shows that.

        Compatibility letters grow eighteenfold (U+FDFA), beyond what the hash takes.
        """
        return super().normalize(password)[: LONGEST + 1]

    def validate(self, password: str, is_register: bool, **kwargs: Any) -> tuple[list[str] | None, str]:
        """Return (what is wrong or ``None``, the password as it is hashed)."""
        chosen = self.normalize(password)
        if len(chosen) < SHORTEST:
            return [f"Use at least {SHORTEST} characters; a few words in a row are easy to remember."], chosen
        if len(chosen) > LONGEST:
            return [f"Use at most {LONGEST} characters."], chosen
        if is_common(chosen[:READ]):
            return ["This is too easy to guess: many people use it, or one like it. Use a few words in a row."], chosen
        return _guessable(chosen, _known(**kwargs)), chosen


def _known(user: User | None = None, email: str | None = None, name: str | None = None, **others: object) -> list[str]:
    """Return the words that an attacker would try first."""
    words = [settings.SITE_NAME, email or getattr(user, "email", ""), name or getattr(user, "name", "")]
    return [part for word in words if word for part in (word, *word.replace("@", " ").replace(".", " ").split())]


def _guessable(password: str, known: list[str]) -> list[str] | None:
    found = estimate(password[:READ], known)
    if found["score"] >= LOWEST_SCORE:
        return None
    feedback = found["feedback"]
    said = " ".join(text.rstrip(".") + "." for text in [feedback["warning"], *feedback["suggestions"]] if text)
    return [f"This is too easy to guess. {said}".strip()]
