"""The objects that the accounts of one application keep, ``app.extensions["accounts"]``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from .mails import Transport
    from .sessions.records import Store
    from .throttles import Attempts


@dataclass
class Accounts:
    """The objects of one application.

    :param transports: what sends its mails, made at its first mail
    """

    attempts: "Attempts"
    sessions: "Store"
    transports: "list[Transport] | None" = None


def accounts_of(app: Flask) -> Accounts:
    """Return the objects that the accounts of an application keep."""
    found: Accounts = app.extensions["accounts"]
    return found
