"""The records of sessions in Redis: nothing is written to the database for who only reads.

Each is a hash that expires by itself; a set for each user says which are theirs. Redis must not evict them
(``maxmemory-policy noeviction``), and what it forgets signs people out: no more than that.
"""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from functools import partial
from typing import Any

import redis
from flask_babel import gettext

from core.data import cursors
from core.data.circuit_breaker import CircuitBreaker
from core.data.circuit_breaker import CircuitOpenError
from core.data.models import now
from core.http.problems import KINDS
from core.http.problems import Problem
from core.http.problems import Refusal

from ..roles.permissions import HELD
from ..roles.permissions import HELD_COLUMNS
from .owners import COLUMNS
from .owners import Owner
from .owners import read_owner
from .records import Record
from .records import Store

#: Seconds that Redis may take.
REDIS_SECONDS = 2.0

#: Seconds after which a caller may come back when Redis was away.
RETRY_AFTER = "2"

_FIND = f"""
    SELECT {COLUMNS}, {HELD_COLUMNS}
    FROM accounts_user person
    {HELD}
    WHERE person.id = :id AND person.fs_uniquifier = :uniquifier AND person.active
"""  # noqa: S608 - of our own words


class RedisStore(Store):
    """Keeps records in Redis."""

    def __init__(self, idle: timedelta, longest: timedelta, url: str) -> None:
        super().__init__(idle, longest)
        waits: dict[str, Any] = {"socket_connect_timeout": REDIS_SECONDS, "socket_timeout": REDIS_SECONDS}
        self._client: Any = redis.Redis.from_url(url, decode_responses=True, **waits)
        self._breaker = CircuitBreaker(lambda error: isinstance(error, redis.TimeoutError))

    def add(self, record: Record) -> None:
        fields = {
            "user_id": record.user_id,
            "created_at": record.created_at.timestamp(),
            "seen_at": record.seen_at.timestamp(),
            "address": record.address or "",
            "agent": record.agent or "",
        }
        pipe = self._client.pipeline()
        pipe.hset(_key(record.digest), mapping=fields)
        pipe.expireat(_key(record.digest), self._ends_at(record, record.seen_at))
        pipe.sadd(_keys_of(record.user_id), record.digest)
        pipe.expire(_keys_of(record.user_id), self.longest)
        self._asked(pipe.execute)

    def find(self, digest: str, uniquifier: str, before: datetime) -> tuple[Owner, bool] | None:
        record = _read(digest, self._asked(self._client.hgetall, _key(digest)))
        if record is None or not self.is_live(record, now()):
            return None
        rows = cursors.read_tuples(_FIND, {"id": record.user_id, "uniquifier": uniquifier})
        return (read_owner(rows), record.seen_at <= before) if rows else None

    def touch(self, digest: str, moment: datetime, before: datetime) -> None:
        seconds = self.idle.total_seconds(), self.longest.total_seconds()
        self._asked(self._client.eval, _TOUCH, 1, _key(digest), moment.timestamp(), *seconds)

    def remove(self, digests: Collection[str]) -> None:
        # Those of each user forget them when they are read.
        if digests:
            self._asked(self._client.delete, *map(_key, digests))

    def of(self, user_id: int) -> Sequence[Record]:
        digests = sorted(self._asked(self._client.smembers, _keys_of(user_id)))
        pipe = self._client.pipeline()
        for digest in digests:
            pipe.hgetall(_key(digest))
        read = dict(zip(digests, self._asked(pipe.execute), strict=True))
        moment = now()
        found = {digest: _read(digest, fields) for digest, fields in read.items()}
        live = [record for record in found.values() if record is not None and self.is_live(record, moment)]
        gone = [digest for digest, record in found.items() if record is None]
        if gone:
            self._asked(self._client.srem, _keys_of(user_id), *gone)
        return sorted(live, key=lambda record: record.seen_at, reverse=True)

    def undo(self, digest: str) -> None:
        self.remove([digest])

    def purge(self) -> None:
        """Leave it to Redis."""

    def _asked(self, ask: Callable[..., Any], *args: Any) -> Any:
        """Return what Redis answers; without it sessions cannot be looked up, and that is no sign-out."""
        try:
            return self._breaker.call(partial(ask, *args))
        except (redis.RedisError, CircuitOpenError) as error:
            detail = gettext("The records of who is signed in cannot be read right now.")
            raise Refusal(Problem(KINDS["unavailable"], detail, headers={"Retry-After": RETRY_AFTER})) from error

    def _ends_at(self, record: Record, seen_at: datetime) -> int:
        return int(min(seen_at + self.idle, record.created_at + self.longest).timestamp()) + 1


# Not simply set: one that has just been ended would come to life again. It ends when :meth:`_ends_at` says.
_TOUCH = """
local created_at = redis.call('hget', KEYS[1], 'created_at')
if created_at then
    redis.call('hset', KEYS[1], 'seen_at', ARGV[1])
    redis.call('expireat', KEYS[1], math.floor(math.min(ARGV[1] + ARGV[2], created_at + ARGV[3])) + 1)
end
"""


def _key(digest: str) -> str:
    return f"andamio:session:{digest}"


def _keys_of(user_id: int) -> str:
    return f"andamio:sessions:{user_id}"


def _read(digest: str, fields: dict[str, str]) -> Record | None:
    if not fields or "user_id" not in fields:
        return None
    created_at, seen_at = (datetime.fromtimestamp(float(fields[name]), UTC) for name in ("created_at", "seen_at"))
    user_id = int(fields["user_id"])
    return Record(digest, user_id, created_at, seen_at, fields["address"] or None, fields["agent"] or None)
