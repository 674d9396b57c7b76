"""Keep secrets and control characters out of the log."""

import re
from typing import Any

#: Names of values that must not be logged. What precedes a name (``X-Api-Key``, ``csrf_token``) is not
#: matched: an unbounded prefix made 7,000 letters of a visitor's path hold the process for minutes.
_NAMES = r"(?:password|passwd|secret|token|api[_-]?key|session|authorization|cookie)[\w-]{0,30}"

#: ``password=…``, ``"token": "…"``, ``Authorization: Bearer …``, ``postgresql://user:password@host``,
#: and ``PRODUCT_pat_…``, as personal access tokens begin, wherever it stands, also in an address.
#: The name or the scheme stays, so that the line stays useful.
_SECRETS = re.compile(
    rf"""(?ix)
    (?P<name> {_NAMES} \\?["']? \s{{0,3}} [=:] \s{{0,3}} (?:(?:basic|bearer|token|digest)\s{{1,3}})? )
    (?: "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | \\?["']? [^\s"'&,;\\()\[\]{{}}]+ )
    | (?<=://) (?P<user> [^/\s:@]*): [^/\s]+ (?=@)
    | (?P<kind> (?<![a-z]) [a-z]{{1,20}}_pat_) \w{{1,200}}
    """
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)

#: The colours of werkzeug's lines.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def redact(text: str) -> str:
    """Replace what looks like a secret with ``[filtered]``."""
    return _SECRETS.sub(lambda found: f"{found['name'] or found['kind'] or found['user'] + ':'}[filtered]", text)


def is_secret_name(name: str) -> bool:
    """Return whether a value of this name must not be logged."""
    return _SECRET_NAME.search(name) is not None


def redact_value(value: Any, name: str = "") -> Any:
    """Redact the strings of a value that becomes JSON, and all of one that has a secret's name."""
    if is_secret_name(name):
        return "[filtered]"
    if isinstance(value, str):
        return redact(_COLOURS.sub("", value))
    if isinstance(value, dict):
        return {key: redact_value(one, str(key)) for key, one in value.items()}
    return [redact_value(one) for one in value] if isinstance(value, list | tuple) else value


def escape(text: str) -> str:
    """Redact, and escape what would end the line or steer the terminal: a visitor chooses the path that is logged."""
    text = redact(_COLOURS.sub("", text))
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
