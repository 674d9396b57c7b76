"""Rules for passwords: long, and hard to guess (ASVS 5.0, section 6.2; NIST SP 800-63B, section 3.1.1).

There are no rules about kinds of characters, and none grows old.
"""

from typing import Any

from flask_babel import gettext
from flask_security import PasswordUtil

import settings
from core.fields.messages import Message

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


#: The sentences of zxcvbn, to be translated.
FEEDBACK = (
    Message("Use a few words, avoid common phrases."),
    Message("No need for symbols, digits, or uppercase letters."),
    Message("Add another word or two. Uncommon words are better."),
    Message("Straight rows of keys are easy to guess."),
    Message("Short keyboard patterns are easy to guess."),
    Message("Use a longer keyboard pattern with more turns."),
    Message('Repeats like "aaa" are easy to guess.'),
    Message('Repeats like "abcabcabc" are only slightly harder to guess than "abc".'),
    Message("Avoid repeated words and characters."),
    Message('Sequences like "abc" or "6543" are easy to guess.'),
    Message("Avoid sequences."),
    Message("Recent years are easy to guess."),
    Message("Avoid recent years."),
    Message("Avoid years that are associated with you."),
    Message("Dates are often easy to guess."),
    Message("Avoid dates and years that are associated with you."),
    Message("This is a top-10 common password."),
    Message("This is a top-100 common password."),
    Message("This is a very common password."),
    Message("This is similar to a commonly used password."),
    Message("A word by itself is easy to guess."),
    Message("Names and surnames by themselves are easy to guess."),
    Message("Common names and surnames are easy to guess."),
    Message("Capitalization doesn't help very much."),
    Message("All-uppercase is almost as easy to guess as all-lowercase."),
    Message("Reversed words aren't much harder to guess."),
    Message("Predictable substitutions like '@' instead of 'a' don't help very much."),
)


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
            return [
                gettext(
                    "Use at least %(shortest)s characters; a few words in a row are easy to remember.",
                    shortest=SHORTEST,
                )
            ], chosen
        if len(chosen) > LONGEST:
            return [gettext("Use at most %(longest)s characters.", longest=LONGEST)], chosen
        if is_common(chosen[:READ]):
            return [
                gettext("This is too easy to guess: many people use it, or one like it. Use a few words in a row.")
            ], chosen
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
    sentences = (text.rstrip(".") + "." for text in [feedback["warning"], *feedback["suggestions"]] if text)
    said = " ".join(map(gettext, sentences))
    return [gettext("This is too easy to guess. %(said)s", said=said).strip()]
