"""The page's view of the minutes: plots, tables, and a few numbers above."""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from functools import partial
from typing import Any

from flask_babel import gettext

from . import totals
from .minutes import Minute
from .plots import Line
from .plots import Plot
from .plots import Value
from .totals import Totals

#: Hours that can be shown, with the minutes of a step of the lines, and of a row of the table.
RANGES = {1: (1, 5), 6: (2, 30), 24: (5, 120)}

#: Rows of the table of endpoints.
MOST_ENDPOINTS = 20


@dataclass(frozen=True)
class Overview:
    """All that the page shows.

    :param marks: where the lines begin and end, and what is in between, as times of the day
    """

    hours: int
    marks: list[str]
    facts: list[tuple[str, str]]
    plots: list[Plot]
    columns: list[str]
    rows: list[list[str]]
    endpoints: list[dict[str, Any]]
    faults: list[tuple[str, str]]
    security: list[tuple[str, str]]


def of(minutes: Sequence[Minute], hours: int, moment: float) -> Overview:
    """Return what came in the last hours.

    :param moment: now, in minutes since 1970
    """
    step, long_step = RANGES[hours]
    now, passed = int(moment), moment % 1
    first = now + 1 - hours * 60
    records = _by_step(minutes, first, now, step)
    several = long_step // step
    rows = [totals.join(records[place : place + several]) for place in range(0, len(records), several)]
    whole = totals.join(rows)
    plots = _plots(records, step, passed)
    cells = _cells(_plots(rows, long_step, passed))
    return Overview(
        hours=hours,
        marks=[_time(first + hours * 60 * part // 4) for part in range(5)],
        facts=_facts(whole),
        plots=plots,
        columns=["Time (UTC)", *(line.label for plot in plots for line in plot.lines)],
        rows=[[_time(first + place * long_step), *texts] for place, texts in enumerate(cells)],
        endpoints=_endpoints(whole),
        faults=_counts(whole["exceptions"]),
        security=_counts(whole["security"]),
    )


def _by_step(minutes: Sequence[Minute], first: int, now: int, step: int) -> list[Totals]:
    """Add up the minutes of each step; where nothing came, there is an empty record."""
    found: list[list[Totals]] = [[] for _ in range((now + 1 - first) // step)]
    for minute, record in minutes:
        if first <= minute <= now:
            found[(minute - first) // step].append(record)
    return [totals.join(records) if records else {} for records in found]


# --- the plots ----------------------------------------------------------------------------------


def _plots(records: Sequence[Totals], step: int, passed: float) -> list[Plot]:
    """Return the plots of some steps, the last of which goes on.

    :param passed: how much of this minute is over
    """
    lengths = [float(step)] * (len(records) - 1) + [step - 1 + max(passed, 0.1)]

    def line(label: str, measure: Callable[[Totals], Value], kind: str = "main") -> Line:
        return Line(label, [measure(record) if record.get("now") else None for record in records], kind)

    def a_minute(label: str, count: Callable[[Totals], float], kind: str = "main") -> Line:
        values = [count(one) / minutes if one else 0.0 for one, minutes in zip(records, lengths, strict=True)]
        return Line(label, values, kind)

    return [
        Plot("requests", "Requests", [a_minute(gettext("Requests a minute"), partial(_all, "requests"))], number),
        Plot("errors", "Errors", [a_minute("Errors (5xx) a minute", partial(_all, "errors"), "bad")], number),
        Plot(
            "latency",
            gettext("Time to answer"),
            [
                line(gettext("Half are faster than"), lambda one: _percentile(one, 0.5)),
                line(gettext("95 % are faster than"), lambda one: _percentile(one, 0.95), "second"),
                line(gettext("99 % are faster than"), lambda one: _percentile(one, 0.99), "third"),
            ],
            duration,
        ),
        Plot(
            "time",
            gettext("Where the time goes"),
            [
                a_minute(gettext("Seconds a minute, of all workers"), partial(_all, "seconds")),
                a_minute(gettext("of it in SQL"), partial(_all, "sql"), "second"),
            ],
            duration,
        ),
        Plot(
            "database",
            gettext("Database connections"),
            [
                a_minute(
                    gettext("In use, on average"), lambda one: _other(one, "database_connection_seconds_total") / 60
                ),
                line("Open", lambda one: one["now"].get("database_connections"), "second"),
                a_minute(gettext("Waits a minute"), partial(_other, name="database_connection_waits_total"), "bad"),
            ],
            number,
        ),
        Plot(
            "memory",
            gettext("Memory of the workers"),
            [
                line(gettext("The largest"), lambda one: max(map(_mebibytes, one["memory"].values()), default=None)),
                line(
                    gettext("All together"), lambda one: sum(map(_mebibytes, one["memory"].values())) or None, "second"
                ),
            ],
            memory,
        ),
    ]


def _all(kind: str, record: Totals) -> float:
    return sum(record[kind].values())


def _mebibytes(size: float) -> float:
    return size / 2**20


def _percentile(record: Totals, share: float) -> Value:
    return totals.percentile(totals.all_buckets(record), share)


def _other(record: Totals, name: str) -> float:
    value: float = record["other"].get(name, 0.0)
    return value


def _cells(plots: Sequence[Plot]) -> list[list[str]]:
    """Return the values of all lines, as text, step by step."""
    columns = [
        ["–" if value is None else plot.text(value) for value in line.values] for plot in plots for line in plot.lines
    ]
    return [list(row) for row in zip(*columns, strict=True)]


# --- numbers ------------------------------------------------------------------------------------


def _facts(whole: Totals) -> list[tuple[str, str]]:
    asked, failed = sum(whole["requests"].values()), sum(whole["errors"].values())
    seconds, sql = sum(whole["seconds"].values()), sum(whole["sql"].values())
    p95 = _percentile(whole, 0.95)
    facts = [("Requests", number(asked)), ("Errors (5xx)", f"{number(failed)} ({share(failed, asked)})")]
    facts.append((gettext("95 % are faster than"), "–" if p95 is None else duration(p95)))
    facts.append((gettext("Spent in SQL"), share(sql, seconds)))
    facts.append((gettext("Waits for a connection"), number(_other(whole, "database_connection_waits_total"))))
    return facts


def _endpoints(whole: Totals) -> list[dict[str, Any]]:
    """Return the slowest first: by what the slowest of twenty requests take."""
    found = []
    for endpoint, counts in whole["buckets"].items():
        asked, failed = whole["requests"].get(endpoint, 0.0), whole["errors"].get(endpoint, 0.0)
        if not asked:
            continue
        seconds, sql = whole["seconds"].get(endpoint, 0.0), whole["sql"].get(endpoint, 0.0)
        p95 = totals.percentile(counts, 0.95) or 0.0
        statements = whole["statements"].get(endpoint, 0.0) / asked
        row = {"name": endpoint, "p95": p95, "asked": number(asked), "errors": number(failed), "fails": failed > 0}
        row |= {"mean": duration(seconds / asked), "slow": duration(p95), "sql": share(sql, seconds)}
        found.append({**row, "statements": number(statements)})
    found.sort(key=lambda row: -row["p95"])
    # Those that fail are shown in any case.
    return [row for place, row in enumerate(found) if place < MOST_ENDPOINTS or row["fails"]]


def _counts(found: dict[str, float]) -> list[tuple[str, str]]:
    return [(name, number(count)) for name, count in sorted(found.items(), key=lambda pair: -pair[1])]


def number(value: float) -> str:
    """Write a number for people."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def duration(seconds: float) -> str:
    """Write a duration for people."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def memory(mebibytes: float) -> str:
    """Write a size for people."""
    return f"{mebibytes:,.0f} MiB"


def share(part: float, whole: float) -> str:
    """Write how much of something a part is."""
    return f"{100 * part / whole:.2g} %" if whole else "–"


def _time(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * 60, UTC):%H:%M}"
