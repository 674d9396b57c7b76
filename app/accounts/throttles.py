"""Throttles of guessing: counters, and what a browser is trusted for. No views.

After OWASP's "Slow Down Online Guessing Attacks with Device Cookies" and NIST SP 800-63B, section 3.2.2. No
account is ever locked, for that would let anyone lock any account. What runs out is the attempts

- of one browser at one account, if its user has signed in with it before: its mark is in its
  session cookie, and outlives the sign-out. No guessing of others takes anything from these;
- else of one address at one account; of all unknown browsers at one account; and of one address at all accounts.

An owner at a new browser, whose account is being guessed at, passes by a link in a mail: who comes by it is known
from then on. Counters are kept for what was typed, whether or not there is such an account. Without ``REDIS_URL``
each process counts for itself.
"""

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

import limits
from flask import current_app
from flask import session
from limits.strategies import MovingWindowRateLimiter

from core.api.counters import Counters
from core.api.limits import address

from .counters import ThreadSafeMemory
from .sessions.lifetimes import KNOWN
from .state import accounts_of

#: Accounts that a browser is known for; with one more, the first is forgotten.
MOST_KNOWN = 5


@dataclass(frozen=True)
class Throttle:
    """Limits of one kind of attempts.

    :param own: of a known browser, or of an address, at one account
    :param account: of all unknown browsers at one account
    :param address: of unknown browsers at one address, at all accounts
    """

    name: str
    own: str
    account: str
    address: str


#: Of passwords. NIST stops at 100 in a row for ever; here it is 100 a day, by unknown browsers.
PASSWORDS = Throttle("password", own="10 per 15 minutes", account="30 per hour; 100 per day", address="100 per hour")

#: Of codes of six digits, three of which count at a time: 20 a day leave one chance in 46 for a whole year.
CODES = Throttle("code", own="5 per 15 minutes; 20 per day", account="10 per hour; 20 per day", address="50 per hour")

#: Of links for a new password. By these an owner comes in whose account is guessed at, so that nothing else uses
#: them up; and each counts for a day, so that who is refused one has ten in the mailbox.
LINKS = Throttle("link", own="3 per 15 minutes", account="10 per day", address="30 per hour")

#: Of other mails to one recipient, and of those that one address asks for.
MAILS = Throttle("mail", own="3 per 15 minutes", account="10 per day", address="30 per hour")

#: Of tokens that are none, from one address.
TOKENS = "60 per minute"


class Attempts:
    """Counts the attempts of one application.

    :param url: of Redis
    """

    def __init__(self, url: str | None) -> None:
        self.counters = Counters(MovingWindowRateLimiter, ThreadSafeMemory(), url)

    def hit(self, text: str, *key: str) -> float:
        """Count an attempt, and return the seconds to wait if that was one too many."""
        return self._longest(text, key, lambda place, item: place.hit(item, *key))

    def test(self, text: str, *key: str) -> float:
        """Return the seconds to wait until there is an attempt left."""
        return self._longest(text, key, lambda place, item: place.test(item, *key))

    def clear(self, text: str, *key: str) -> None:
        """Forget what was counted."""
        for item in limits.parse_many(text):
            self.counters.ask(methodcaller("clear", item, *key))

    def _longest(self, text: str, key: tuple[str, ...], count: Callable[[Any, Any], bool]) -> float:
        return max(self._wait(item, key, count) for item in limits.parse_many(text))

    def _wait(self, item: limits.RateLimitItem, key: tuple[str, ...], count: Callable[[Any, Any], bool]) -> float:
        if self.counters.ask(lambda place: count(place, item)):
            return 0.0
        reset_at: float = self.counters.ask(lambda place: place.get_window_stats(item, *key)).reset_time
        return max(1.0, reset_at - time.time())


def _attempts() -> Attempts:
    return accounts_of(current_app).attempts


# --- attempts -----------------------------------------------------------------------------------


def attempt(throttle: Throttle, account: str) -> int:
    """Return the seconds to wait before an attempt may be made; with 0 it is counted as one that has failed.

    It is counted before it is made: of many at once no more are made than may fail.

    :param account: its :func:`mark`
    """
    counters = _attempts()
    wait = 0.0
    if not _browser(account):
        wait = max(
            counters.test(throttle.account, throttle.name, "account", account),
            counters.test(throttle.address, throttle.name, "address", address()),
        )
    if not wait:
        wait = counters.hit(throttle.own, throttle.name, "own", account, _browser(account) or address())
    return math.ceil(wait)


def failed(throttle: Throttle, account: str) -> None:
    """Count for the account and for the address that an attempt has failed."""
    if not _browser(account):
        _attempts().hit(throttle.account, throttle.name, "account", account)
        _attempts().hit(throttle.address, throttle.name, "address", address())


def succeeded(throttle: Throttle, account: str) -> None:
    """Forget this browser's, and this address's, attempts at an account."""
    for whose in {_browser(account), address()} - {""}:
        _attempts().clear(throttle.own, throttle.name, "own", account, whose)


def bad_token() -> int:
    """Count a token that is none, and return the seconds to wait if that was one too many."""
    return math.ceil(_attempts().hit(TOKENS, "token", address()))


# --- known browsers -----------------------------------------------------------------------------


def mark(email: str) -> str:
    """Return what an account is called in counters and cookies, by its address or by what was typed for it."""
    text = b"accounts: throttle\0" + email.strip().lower().encode(errors="surrogatepass")
    config = current_app.config
    found, *earlier = (
        hmac.new(str(key).encode(), text, hashlib.sha256).hexdigest()[:32]
        for key in (config["SECRET_KEY"], *(config["SECRET_KEY_FALLBACKS"] or ()))
    )
    if earlier:
        _rename(earlier, found)
    return found


def _rename(earlier: list[str], mark: str) -> None:
    """Know this browser still: with an earlier SECRET_KEY the account was called otherwise."""
    known = _known()
    if not known.keys().isdisjoint(earlier):
        session[KNOWN] = {mark if name in earlier else name: browser for name, browser in known.items()}


def remember_browser(account: str) -> None:
    """Know this browser from now on: its owner has shown that the account is theirs."""
    known = {name: browser for name, browser in _known().items() if name != account}
    kept = dict(list(known.items())[1 - MOST_KNOWN :])
    session[KNOWN] = kept | {account: _browser(account) or secrets.token_urlsafe(12)}


def _browser(account: str) -> str:
    return _known().get(account, "")


def _known() -> dict[str, str]:
    found: dict[str, str] = session.get(KNOWN) or {}
    return found
