"""The records of sessions, wherever they are kept: what each says, and what a place must do. No HTTP.

What is kept of a session's id is its SHA-256: who reads the records cannot take a session over. Two hundred and
fifty-six random bits need no slower hash, and what is compared is found by an index: its timing reveals nothing.
"""

from abc import ABC
from abc import abstractmethod
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta

from .owners import Owner


@dataclass(frozen=True)
class Record:
    """A browser that is signed in.

    :param agent: what the browser says of itself
    """

    digest: str
    user_id: int
    created_at: datetime
    seen_at: datetime
    address: str | None
    agent: str | None

    @property
    def handle(self) -> str:
        """Return the id for pages; it serves only to end a session of one's own."""
        return handle_of(self.digest)


def handle_of(digest: str) -> str:
    """Return what a page calls a session by."""
    return digest[:16]


class Store(ABC):
    """Keeps records.

    :param idle: after which an unused session ends
    :param longest: after which every session ends
    """

    def __init__(self, idle: timedelta, longest: timedelta) -> None:
        self.idle = idle
        self.longest = longest

    def is_live(self, record: Record, moment: datetime) -> bool:
        """Return whether a session has not ended by itself."""
        return record.seen_at > moment - self.idle and record.created_at > moment - self.longest

    @abstractmethod
    def add(self, record: Record) -> None:
        """Keep a new record."""

    @abstractmethod
    def find(self, digest: str, uniquifier: str, before: datetime) -> tuple[Owner, bool] | None:
        """Return the owner of a session, and whether it was unused since ``before``; one question to the database.

        :param uniquifier: what the session calls the user; another one since then has ended all sessions
        """

    @abstractmethod
    def touch(self, digest: str, moment: datetime, before: datetime) -> None:
        """Write that a session was used, unless another request has since ``before``."""

    @abstractmethod
    def remove(self, digests: Collection[str]) -> None:
        """End sessions."""

    @abstractmethod
    def of(self, user_id: int) -> Sequence[Record]:
        """Return the sessions of a user that have not ended, the latest used first."""

    @abstractmethod
    def undo(self, digest: str) -> None:
        """Forget a record whose request's transaction was rolled back."""

    @abstractmethod
    def purge(self) -> None:
        """Clear away records of sessions that have ended by themselves."""
