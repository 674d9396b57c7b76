"""Measures an engine's connections: how many are open and in use, for how long, and who had to wait for one."""

from time import perf_counter
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import Pool
from sqlalchemy import event

from . import measures

_SINCE = "monitoring_used_since"


def listen(engine: Engine, most: int) -> None:
    """Measure from now on.

    :param most: connections that there can be at once
    """
    _time_waits(engine.pool, most)

    @event.listens_for(engine, "engine_disposed")
    def disposed(engine: Engine) -> None:
        # There is a new pool, without connections.
        measures.CONNECTIONS.set(0)
        _time_waits(engine.pool, most)

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        measures.CONNECTIONS.inc()
        measures.MOST_CONNECTIONS.set(most)

    @event.listens_for(engine, "close")
    def close(connection: Any, record: Any) -> None:
        measures.CONNECTIONS.dec()

    # After the ping of core/data/engines.py, which may refuse the connection.
    @event.listens_for(engine, "checkout")
    def checkout(connection: Any, record: Any, proxy: Any) -> None:
        record.record_info[_SINCE] = perf_counter()
        measures.IN_USE.inc()

    @event.listens_for(engine, "checkin")
    def checkin(connection: Any, record: Any) -> None:
        since = record.record_info.pop(_SINCE, None)
        if since is not None:
            measures.IN_USE.dec()
            measures.USED_SECONDS.inc(perf_counter() - since)


def _time_waits(pool: Pool, most: int) -> None:
    """Time who asks this pool while all of its connections are in use: it has no event for that."""
    in_use = getattr(pool, "checkedout", None)
    if in_use is None:
        return
    give = pool.connect

    def connect() -> Any:
        if in_use() < most:
            return give()
        started = perf_counter()
        try:
            return give()
        finally:
            measures.WAITS.inc()
            measures.WAIT_SECONDS.inc(perf_counter() - started)

    pool.connect = connect  # type: ignore[method-assign]  # there is no event
