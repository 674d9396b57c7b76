"""Takes the measures: of each request around the application, of connections by the pool's events.

Around, because all answers pass there, those of the router and of a broken hook as well. What is measured ends when
the application has given its answer; what a body takes that is streamed is not in it.
"""

import importlib
import logging
import os
from bisect import bisect_left
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

from flask import Flask
from flask import got_request_exception
from flask import request

from core.access import security_log
from core.data import execution
from core.modules import ModuleError
from services import db

from . import measures
from . import pools
from . import request_log
from . import sharing
from .minutes import Minutes
from .sharing import SharedValue

logger = logging.getLogger(__name__)

#: Methods that count by name; all others count as one.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}

#: Endpoint of requests that the router has refused.
NO_ENDPOINT = "none"

#: OpenTelemetry's own variables; where none is set, nothing of it is imported.
TRACED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

IN_FLIGHT: SharedValue = measures.IN_FLIGHT._value


@dataclass(frozen=True, slots=True)
class Series:
    """The values that a request adds to: prometheus-client's own methods cost twice as much, and a lock each."""

    requests: SharedValue
    seconds: SharedValue
    buckets: list[SharedValue]
    sql_seconds: SharedValue
    sql_statements: SharedValue


def install(app: Flask, early: Sequence[str] = ()) -> None:
    """Measure this application from now on.

    :param early: metrics that were made before this module was there
    """
    if early:
        logger.warning("each process counts for itself: %s; name app.monitoring above", ", ".join(early))
    recorder = Recorder(app, app.wsgi_app)
    app.wsgi_app = recorder  # type: ignore[method-assign]  # as Flask documents it
    app.extensions["monitoring"] = recorder.minutes
    got_request_exception.connect(count_exception, app)
    security_log.logger.addFilter(count_security_event)
    with app.app_context():
        for engine in db.engines.values():
            pools.listen(engine, _most_connections(app))
    named = [name for name in TRACED_BY if os.environ.get(name)]
    if named and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true":
        _import_traces(named[0]).install(app)


def _import_traces(variable: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__package__}.traces")
    except ModuleNotFoundError as error:
        raise ModuleError(
            f"{variable} asks for traces, and {error.name!r} is not installed: write opentelemetry-sdk and "
            "opentelemetry-exporter-otlp-proto-http into requirements.in, run `make lock` and install what it pins, or "
            f"remove {variable}."
        ) from error


class Recorder:
    """The application, with a clock at its door."""

    def __init__(self, app: Flask, inner: Callable[..., Iterable[bytes]]) -> None:
        folder = app.config["METRICS_FOLDER"]
        self._folder = Path(folder) if folder else None
        self._inner = inner
        self._series: dict[tuple[str, str | None, str], Series] = {}
        self._slow = app.config["SLOW_REQUEST_SECONDS"] or float("inf")
        self.minutes = Minutes(app.config["APP_ENV"])

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, and measure it."""
        if not sharing.state.has_begun:
            sharing.begin(self._folder)
        self.minutes.tick()
        said: tuple[str, str | None] = ("500", None)

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            nonlocal said
            # Flask has put its request there, and takes it away before the application returns.
            asked = environ.get("werkzeug.request")
            said = (status[:3], asked and asked.endpoint)
            seconds = perf_counter() - started
            if asked and (seconds > self._slow or status >= "5"):
                request_log.write(status[:3], seconds, spent)
            return start_response(status, headers, *exc_info)

        state = sharing.state
        with state.lock:
            IN_FLIGHT.add(1)
        spent, token = execution.begin()
        started = perf_counter()
        try:
            return self._inner(environ, start)
        finally:
            seconds = perf_counter() - started
            execution.end(token)
            key = (*said, environ["REQUEST_METHOD"])
            series = self._series.get(key) or self._find(*key)
            with state.lock:
                IN_FLIGHT.add(-1)
                series.requests.add(1)
                series.seconds.add(seconds)
                series.buckets[bisect_left(measures.BUCKETS, seconds)].add(1)
                if spent.statements:
                    series.sql_seconds.add(spent.seconds)
                    series.sql_statements.add(spent.statements)

    def _find(self, status: str, endpoint: str | None, method: str) -> Series:
        name = endpoint or NO_ENDPOINT
        known = method if method in METHODS else "other"
        duration = measures.DURATION.labels(name)
        series = Series(
            measures.REQUESTS.labels(name, known, status)._value,
            duration._sum,
            duration._buckets,
            measures.SQL_SECONDS.labels(name)._value,
            measures.SQL_STATEMENTS.labels(name)._value,
        )
        if known == method:
            self._series[status, endpoint, method] = series
        return series


def _most_connections(app: Flask) -> int:
    # SQLAlchemy's own numbers where nothing is said, which is for SQLite.
    options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]
    most: int = options.get("pool_size", 5) + options.get("max_overflow", 10)
    return most


def count_exception(app: Flask, exception: BaseException, **_: Any) -> None:
    """Count an unhandled exception."""
    measures.EXCEPTIONS.labels(request.endpoint or NO_ENDPOINT, type(exception).__name__).inc()


def count_security_event(record: logging.LogRecord) -> bool:
    """Count a line of the security log; the log is as it was."""
    event = getattr(record, "event", None)
    if event is not None:
        measures.SECURITY_EVENTS.labels(event, getattr(record, "outcome", "")).inc()
    return True
