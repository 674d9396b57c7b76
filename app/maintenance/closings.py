"""Maintenance mode: a file closes the site, because the database may be what is being maintained.

It is looked at once a request, which costs three microseconds, and is replaced as a whole: all processes see the same
at once, also those that start later. Machines that share no folder are closed one by one. No HTTP; that is
:mod:`app.maintenance.refusals`.
"""

import hashlib
import json
import logging
import os
import secrets
import tempfile
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask_babel import format_date
from flask_babel import gettext
from flask_babel import lazy_gettext

logger = logging.getLogger(__name__)

#: Default message to visitors.
MESSAGE = lazy_gettext("The site is being maintained, and will be back soon.")

#: Characters of a message.
LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class Maintenance:
    """One time that the site is closed.

    :param id: no other time has it: a bypass of now is worth nothing the next time
    :param until: when it should be over, as far as is known
    :param bypass: digest of the bypass token; empty if there is none
    """

    id: str
    since: datetime
    until: datetime | None = None
    message: str = ""
    bypass: str = ""

    @property
    def text(self) -> str:
        """Return the message to visitors."""
        message = self.message or str(MESSAGE)
        if self.until is None:
            return message
        end = "" if message[-1] in ".!?…" else "."
        # Without a zero, which not every platform's strftime can leave out.
        moment = f"{format_date(self.until, 'd MMMM y', rebase=False)}, {self.until:%H:%M} UTC"
        return f"{message}{end} " + gettext("Expected back by %(moment)s.", moment=moment)

    def seconds_left(self) -> int | None:
        """Return how long it should take from now; ``None`` if no time was given, below 0 if it takes longer."""
        return None if self.until is None else int((self.until - datetime.now(UTC)).total_seconds())


def current(path: str) -> Maintenance | None:
    """Return the maintenance that there is; ``None`` while the site is open.

    :param path: of the file
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return _read(path, found.st_mtime_ns, found.st_ino)


@lru_cache(maxsize=4)
def _read(path: str, changed_at: int, number: int) -> Maintenance | None:
    # When it was changed, and its number, are only parts of the key: another file, another maintenance.
    try:
        values = json.loads(Path(path).read_text("utf-8"))
        moments = {name: _moment(values[name]) for name in ("since", "until")}
        return Maintenance(**{**values, **moments})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        # It was closed on purpose.
        logger.error("%s cannot be read (%s): the site stays closed until `flask maintenance off`", path, error)
        return Maintenance("", datetime.now(UTC))


def _moment(text: str | None) -> Any:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


# --- changing it --------------------------------------------------------------------------------


def begin(path: str, message: str | None, until: datetime | None, bypass: bool) -> tuple[Maintenance, str]:
    """Close the site; if it is closed already, change what is given and keep the rest.

    :param bypass: whether to make a bypass token; one from before is worthless then
    :return: the maintenance, and the bypass token, which is kept nowhere; else empty
    :raises OSError: if the file cannot be written
    """
    found = current(path)
    if found is None or not found.id:
        found = Maintenance(secrets.token_urlsafe(16), datetime.now(UTC))
    if message is not None:
        found = replace(found, message=message)
    if until is not None:
        found = replace(found, until=until.astimezone(UTC))
    token = secrets.token_urlsafe(32) if bypass else ""
    if token:
        found = replace(found, id=secrets.token_urlsafe(16), bypass=digest(token))
    _write(Path(path), found)
    return found, token


def end(path: str) -> bool:
    """Open the site again.

    :return: whether it was closed
    :raises OSError: if the file cannot be removed
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def digest(token: str) -> str:
    """Return what is kept of a token: who reads the file cannot pass by it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _write(path: Path, maintenance: Maintenance) -> None:
    """Write the file beside its place, and put it there in one step: no reader finds a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(maintenance), default=datetime.isoformat, indent=2)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            # The server may run as another user than the command; there is no secret in it.
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
