"""Totals of the metrics for the plots: since the processes began to count, and the difference of two."""

from collections.abc import Iterable
from collections.abc import Mapping
from operator import add
from typing import Any

from prometheus_client.metrics_core import Metric

from . import measures

#: ``requests``, ``errors``, ``seconds``, ``sql`` and ``exceptions`` by endpoint, ``buckets`` by endpoint a list, the
#: rest by name. Of gauges, ``now`` has what they are.
Totals = dict[str, dict[str, Any]]

_LE = {**{str(float(bound)): number for number, bound in enumerate(measures.BUCKETS)}, "+Inf": len(measures.BUCKETS)}
_BY_ENDPOINT = {
    "http_requests_total": "requests",
    "http_request_duration_seconds_sum": "seconds",
    "database_seconds_total": "sql",
    "database_statements_total": "statements",
}
_BY_NAME = {"database_connection_seconds_total", "database_connection_waits_total"}
_NOW = {"database_connections", "database_connections_in_use", "database_connections_max"}
KINDS = (*_BY_ENDPOINT.values(), "errors", "exceptions", "buckets", "security", "other")


def of(metrics: Iterable[Metric]) -> Totals:
    """Return the totals in metrics that were gathered."""
    found: Totals = {kind: {} for kind in (*KINDS, "now", "memory", "cpu", "start")}
    for metric in metrics:
        for sample in metric.samples:
            _add(found, sample.name, sample.labels, sample.value)
    for counts in found["buckets"].values():
        # As Prometheus has them, each is in all that follow.
        counts[:] = [after - before for before, after in zip([0.0, *counts], counts, strict=False)]
    return found


def _add(found: Totals, name: str, labels: Mapping[str, str], value: float) -> None:
    endpoint = labels.get("endpoint", "")
    if name in _BY_ENDPOINT:
        _sum(found[_BY_ENDPOINT[name]], endpoint, value)
        if name == "http_requests_total" and labels["status"].startswith("5"):
            _sum(found["errors"], endpoint, value)
    elif name == "http_request_duration_seconds_bucket":
        counts = found["buckets"].setdefault(endpoint, [0.0] * len(_LE))
        counts[_LE[labels["le"]]] += value
    elif name == "http_exceptions_total":
        _sum(found["exceptions"], f"{labels['exception']} in {endpoint}", value)
    elif name == "security_events_total":
        _sum(found["security"], labels["event"], value)
    elif name in _BY_NAME:
        _sum(found["other"], name, value)
    elif name in _NOW:
        found["now"][name] = value
    elif name.startswith("process_"):
        kind = {"process_resident_memory_bytes": "memory", "process_cpu_seconds_total": "cpu"}.get(name, "start")
        found[kind][labels["pid"]] = value


def _sum(found: dict[str, float], key: str, value: float) -> None:
    found[key] = found.get(key, 0.0) + value


def between(before: Totals, after: Totals) -> Totals:
    """Return what was added, without what has not changed; of gauges what they are."""
    found = {kind: after[kind] for kind in ("now", "memory")}
    for kind in KINDS:
        old = before.get(kind, {})
        found[kind] = {key: _less(value, old.get(key)) for key, value in after[kind].items() if value != old.get(key)}
    return found


def _less(value: Any, old: Any) -> Any:
    """Return what was added; where there is less than before, the files were deleted: all of it."""
    if isinstance(value, list):
        known = isinstance(old, list) and len(old) == len(value) and sum(old) <= sum(value)
        return [one - other for one, other in zip(value, old, strict=True)] if known else value
    return value - old if old is not None and old <= value else value


def join(records: Iterable[Totals]) -> Totals:
    """Add up what came in several minutes; of gauges the highest."""
    found: Totals = {kind: {} for kind in (*KINDS, "now", "memory")}
    for record in records:
        for kind, values in record.items():
            joined = found[kind]
            for key, value in values.items():
                known = joined.get(key)
                if known is None:
                    joined[key] = value
                elif kind == "buckets":
                    joined[key] = list(map(add, known, value))
                else:
                    joined[key] = max(known, value) if kind in ("now", "memory") else known + value
    return found


def percentile(counts: list[float], share: float) -> float | None:
    """Return how long the fastest ``share`` of the requests took at most, as exact as the buckets.

    :return: seconds; ``None`` without requests, the last bound for what took longer
    """
    wanted = sum(counts) * share
    if not wanted:
        return None
    passed = 0.0
    for number, count in enumerate(counts):
        if count and passed + count >= wanted:
            low = 0.0 if number == 0 else measures.BUCKETS[number - 1]
            high = measures.BUCKETS[min(number, len(measures.BUCKETS) - 1)]
            return low + (high - low) * (wanted - passed) / count
        passed += count
    return float(measures.BUCKETS[-1])


def all_buckets(record: Totals) -> list[float]:
    """Return the buckets of all endpoints together."""
    lists = list(record["buckets"].values())
    return [sum(column) for column in zip(*lists, strict=False)]
