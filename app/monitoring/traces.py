"""Traces by OpenTelemetry: a span for each request, beneath it one for each statement. Imported only where configured.

By OpenTelemetry's own variables, ``OTEL_EXPORTER_OTLP_ENDPOINT`` and the others that its SDK reads. Its
instrumentations for Flask and SQLAlchemy are pre-releases, and the latter refuses SQLAlchemy 2.1: what is needed of
them is here. Names of attributes are those of its semantic conventions.
"""

import atexit
import logging
import os
import threading
import traceback
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from flask import Flask
from flask import got_request_exception
from opentelemetry import context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span
from opentelemetry.trace import SpanKind
from opentelemetry.trace import Status
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Engine
from sqlalchemy import event

import settings
from core.http import paths
from core.logs import redact
from core.logs import request_id
from services import db

#: How long a process that ends waits until its last spans are sent.
LAST_SECONDS = 2.0

_SYSTEMS = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mariadb", "sqlite": "sqlite"}
_propagator = TraceContextTextMapPropagator()
_lock = threading.Lock()


def install(app: Flask) -> None:
    """Trace this application from now on."""
    app.wsgi_app = Traced(app.wsgi_app)  # type: ignore[method-assign]  # as Flask documents it
    got_request_exception.connect(record_exception, app)
    for handler in logging.getLogger().handlers:
        handler.addFilter(add_ids)
    with app.app_context():
        for engine in db.engines.values():
            _listen(engine)


def start() -> None:
    """Start to send spans, in the process that answers: threads do not outlive a fork."""
    with _lock:
        if isinstance(trace.get_tracer_provider(), TracerProvider):
            return
        named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if named else {"service.name": settings.SITE_NAME.lower()})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(provider)
        atexit.register(_send_the_last, provider, os.getpid())


def _send_the_last(provider: TracerProvider, pid: int) -> None:
    # By a thread, because it has no limit of its own: an unresponsive collector must not delay a request.
    if os.getpid() == pid:
        sender = threading.Thread(target=provider.shutdown, daemon=True)
        sender.start()
        sender.join(LAST_SECONDS)


class Traced:
    """The application, with a span around each request."""

    def __init__(self, inner: Callable[..., Iterable[bytes]]) -> None:
        self._inner = inner
        self._has_started = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, as part of the caller's trace if it names one."""
        if not self._has_started:
            start()
            self._has_started = True
        sent = {name: environ.get(f"HTTP_{name.upper()}", "") for name in ("traceparent", "tracestate")}
        method = environ["REQUEST_METHOD"]
        about = {"http.request.method": method, "url.scheme": environ["wsgi.url_scheme"]}
        about |= {"server.address": environ.get("SERVER_NAME", "")}
        tracer = trace.get_tracer(__name__)
        span = tracer.start_span(method, _propagator.extract(sent), SpanKind.SERVER, about)

        def start_with_span(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            _describe(span, environ, method, status)
            return start_response(status, headers, *exc_info)

        token = context.attach(trace.set_span_in_context(span))
        try:
            return self._inner(environ, start_with_span)
        except BaseException as error:
            _record(span, error)
            raise
        finally:
            context.detach(token)
            span.end()


def _describe(span: Span, environ: dict[str, Any], method: str, status: str) -> None:
    """Say of a span what the router has found, and what was answered."""
    asked = environ.get("werkzeug.request")
    rule = getattr(asked, "url_rule", None)
    if rule is not None:
        span.update_name(f"{method} {rule.rule}")
        span.set_attribute("http.route", rule.rule)
        span.set_attribute("code.function.name", rule.endpoint)
    if asked is not None:
        # Not before the router has matched, which shows the secret parts.
        span.set_attribute("url.path", redact(paths.without_secrets(asked)))
        span.set_attribute("http.request.header.x-request-id", [request_id() or ""])
    span.set_attribute("http.response.status_code", int(status[:3]))
    if status >= "5":
        span.set_status(Status(StatusCode.ERROR))


def record_exception(app: Flask, exception: BaseException, **_: Any) -> None:
    """Record an unhandled exception in the request's span."""
    _record(trace.get_current_span(), exception)


def _record(span: Span, error: BaseException) -> None:
    text = redact("".join(traceback.format_exception(error)))
    about = {"exception.type": type(error).__qualname__, "exception.message": redact(str(error))}
    span.add_event("exception", {**about, "exception.stacktrace": text})
    span.set_status(Status(StatusCode.ERROR))


def add_ids(record: logging.LogRecord) -> bool:
    """Let a line of the log say of which trace it is."""
    current = trace.get_current_span().get_span_context()
    if current.is_valid:
        record.trace_id = trace.format_trace_id(current.trace_id)
        record.span_id = trace.format_span_id(current.span_id)
    return True


# --- statements ---------------------------------------------------------------------------------


def _listen(engine: Engine) -> None:
    system = _SYSTEMS.get(engine.dialect.name, "other_sql")
    database = str(engine.url.database or "")

    @event.listens_for(engine, "before_cursor_execute")
    def before(connection: Any, cursor: Any, sql: str, parameters: Any, running: Any, many: bool) -> None:
        if not trace.get_current_span().is_recording():
            return
        word = sql.split(None, 1)[0].upper() if sql.strip() else "SQL"
        # The prepared statement: values are sent beside it, and not recorded.
        about = {"db.system.name": system, "db.namespace": database, "db.operation.name": word, "db.query.text": sql}
        running.monitoring_span = trace.get_tracer(__name__).start_span(word, kind=SpanKind.CLIENT, attributes=about)

    @event.listens_for(engine, "after_cursor_execute")
    def after(connection: Any, cursor: Any, sql: str, parameters: Any, running: Any, many: bool) -> None:
        _end(running)

    @event.listens_for(engine, "handle_error")
    def failed(context: Any) -> None:
        _end(context.execution_context, type(context.original_exception).__name__)


def _end(running: Any, error: str | None = None) -> None:
    span: Span | None = getattr(running, "monitoring_span", None)
    if span is None:
        return
    running.monitoring_span = None
    if error is not None:
        # Its message may have values.
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end()
