"""Settings of the accounts: registration, sessions, factors, mails."""

from collections.abc import Iterator
from collections.abc import Mapping
from email.errors import ObsoleteHeaderDefect
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote
from urllib.parse import urlsplit

import config
from core.configuration import Setting
from core.configuration import boolean
from core.configuration import host_name
from core.configuration import integer
from core.configuration import one_of
from core.configuration import words

#: Prefixes of the settings' names.
PREFIXES = ("ACCOUNTS", "MAIL", "SESSION")

#: A setting → what it is called elsewhere: other platforms, and the extensions.
ELSEWHERE = {
    "MAIL_URL": ("MAIL_SERVER", "MAIL_USERNAME", "MAIL_PASSWORD", "MAIL_USE_TLS", "MAIL_USE_SSL", "SMTP_HOST"),
    "MAIL_SENDER": ("MAIL_DEFAULT_SENDER",),
    "SESSION_MAX_HOURS": ("PERMANENT_SESSION_LIFETIME",),
    "SESSION_STORE": ("SESSION_TYPE",),
}

#: Sender of mails that do not leave this machine.
LOCAL_SENDER = "no-reply@localhost"


def ways_of_mail(text: str) -> list[str]:
    """Read how mails are sent: each way in a URL."""
    urls = words(text)
    if not all(map(_is_way_of_mail, urls)):
        raise ValueError(_MAIL_CURE)
    return [_placed(url) for url in urls]


def _is_way_of_mail(url: str) -> bool:
    scheme, _, path = url.partition(":")
    if scheme == "folder":
        return bool(path.strip("/")) and "\0" not in unquote(path)
    try:
        parts = urlsplit(url)
        names_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return names_host if parts.scheme in ("smtp", "smtps") else parts.scheme in ("console", "memory")


def _placed(url: str) -> str:
    """Hold the folder of mails to the project, so that it does not follow the current one, and decode it."""
    scheme, _, path = url.partition(":")
    return f"folder:{config.ROOT / unquote(path)}" if scheme == "folder" else url


def sender(text: str) -> str:
    """Read the sender of mails."""
    message = EmailMessage()
    try:
        message["From"] = text
        (address,) = message["From"].addresses
    except (IndexError, ValueError):
        # Python's parser fails on some texts, and reads several addresses from others.
        raise ValueError(_SENDER_CURE) from None
    # A dot in a name that is not in quotes is a defect that every program bears.
    is_broken = any(not isinstance(one, ObsoleteHeaderDefect) for one in message["From"].defects)
    if is_broken or not address.username.isascii() or not address.username or not address.domain:
        raise ValueError(_SENDER_CURE)
    return text.replace(f"@{address.domain}", f"@{host_name(address.domain)}")


_SENDER_CURE = 'write an address, or NAME <ADDRESS>; a name with a comma in quotes: "A, B" <ADDRESS>'
_MAIL_CURE = "write smtp://USER:PASSWORD@HOST:587, smtps://…, console: or folder:PATH, special characters %-encoded"


SETTINGS = (
    Setting(
        "SESSION_STORE",
        one_of("database", "redis"),
        "database",
        "where it is kept who is signed in: `database`, or `redis` at `REDIS_URL`, which must not evict keys then",
    ),
    Setting(
        "SESSION_IDLE_HOURS",
        integer(1, 24 * 400),
        14 * 24,
        "hours after which who does nothing is signed out; two weeks",
    ),
    Setting(
        "SESSION_MAX_HOURS",
        integer(1, 24 * 400),
        30 * 24,
        "longest life of a session in hours, before the user must sign in again; thirty days",
    ),
    Setting(
        "ACCOUNTS_REGISTRATION",
        boolean,
        {"development": True, "testing": True, "production": False},
        "whether visitors may make themselves an account; false in production",
    ),
    Setting(
        "ACCOUNTS_CONFIRM",
        boolean,
        True,
        "whether who registers must follow a link in a mail before signing in, so that the address is theirs",
    ),
    Setting(
        "ACCOUNTS_TOTP",
        boolean,
        True,
        "whether people may add codes of an authenticator app to their password; false switches off those that "
        "there are",
    ),
    Setting(
        "ACCOUNTS_PASSKEYS",
        boolean,
        True,
        "whether people may sign in with passkeys, or add one to their password; false switches off those that "
        "there are",
    ),
    Setting(
        "MAIL_URL",
        ways_of_mail,
        {"development": "console:,folder:instance/mail", "testing": "memory:", "production": ""},
        "how mails are sent: `smtp://user:password@host:587` (with STARTTLS), `smtps://…`, `console:`, `folder:PATH`; "
        "several comma-separated; console and `instance/mail` in development, none in production",
        is_secret=True,
    ),
    Setting("MAIL_SENDER", sender, LOCAL_SENDER, "sender of mails: `Andamio <no-reply@example.org>`"),
)


def faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Say what is missing for mails and sessions to be as they are set."""
    is_production = values["APP_ENV"] == "production"
    if values["SESSION_STORE"] == "redis" and not values["REDIS_URL"]:
        yield "SESSION_STORE is redis, and REDIS_URL is missing: set it, or write SESSION_STORE=database"
    # The links in mails are made from the Host header. What a developer's console shows may follow it.
    leave = is_production or any(url.startswith("smtp") for url in values["MAIL_URL"])
    if leave and values["MAIL_URL"] and not values["TRUSTED_HOSTS"]:
        yield "TRUSTED_HOSTS is missing: without it a visitor chooses where the links in mails lead"
    if is_production and values["MAIL_URL"] and values["MAIL_SENDER"] == LOCAL_SENDER:
        yield "MAIL_SENDER is missing: set it to the address that mails are from"
    if is_production and values["ACCOUNTS_REGISTRATION"] and values["ACCOUNTS_CONFIRM"] and not values["MAIL_URL"]:
        yield "MAIL_URL is missing: who registers gets a mail; set it, or ACCOUNTS_CONFIRM=false"
