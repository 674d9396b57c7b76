"""Spans as a collector gets them: a server of HTTP that takes OTLP, and the platform by gunicorn before it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config import ROOT
from core.modules import ModuleError
from tests.monitoring.serving import GUNICORN
from tests.monitoring.serving import Site
from tests.monitoring.serving import wait
from tests.servers import START_SECONDS

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans: list[tuple[dict[str, Any], Any]] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, trace: str) -> list[Any]:
        return [span for _, span in self.spans if span.trace_id.hex() == trace]

    def of_request(self, request_id: str) -> list[tuple[dict[str, Any], Any]]:
        """Return the spans of a request, each with its resource."""
        return [pair for pair in self.spans if request_id in str(pair[1].attributes)]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        sent = ExportTraceServiceRequest.FromString(body)
        for one in sent.resource_spans:
            resource = attributes(one.resource)
            self.server.spans += [(resource, span) for scope in one.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def attributes(one: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def server(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a traced site of two workers that came of one process by forks."""
    folder = tmp_path_factory.mktemp("traces")
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    command = (*GUNICORN, "--workers=2", "--preload")
    found = Site(command, folder, DATABASE_URL=f"sqlite:///{folder}/x.db", DATABASE_COMMENTS="request", **traced)
    yield found
    found.stop()


def asked(server: Site, collector: Collector, path: str, spans: int, number: int) -> list[Any]:
    """Ask as a part of a trace, and wait for its spans; the request's own comes first."""
    trace = f"{TRACE[:-4]}{number:04x}"
    headers = {"traceparent": f"00-{trace}-{PARENT}-01", "X-Request-ID": f"request-{number:04}"}
    server.ask(path, headers)
    wait(lambda: len(collector.of(trace)) >= spans, server.log)
    return sorted(collector.of(trace), key=lambda span: span.parent_span_id.hex() != PARENT)


def test_request_span_has_statements(server: Site, collector: Collector) -> None:
    request, *statements = asked(server, collector, "/faulty/sql?one=hunter2", 3, 1)
    found = attributes(request)

    assert request.name == "GET /faulty/sql"
    assert request.parent_span_id.hex() == PARENT
    assert (found["http.route"], found["http.response.status_code"]) == ("/faulty/sql", 200)
    assert {span.parent_span_id for span in statements} == {request.span_id}
    texts = [attributes(span)["db.query.text"] for span in statements]
    # By the session, and by hand.
    assert any("SELECT 1 WHERE 1 = ?" in text for text in texts)
    assert any("SELECT 2 AS two" in text for text in texts)
    assert "hunter2" not in str(request)


def test_exception_in_span_and_log(server: Site, collector: Collector) -> None:
    (request,) = asked(server, collector, "/faulty/boom", 1, 2)

    assert request.status.code == request.status.STATUS_CODE_ERROR
    (event,) = request.events
    assert attributes(event)["exception.type"] == "ValueError"
    assert "hunter2" not in str(event)
    lines = [json.loads(line) for line in server.log().splitlines() if "request-0002" in line]
    assert len(lines) == 2
    assert {line["trace_id"] for line in lines} == {request.trace_id.hex()}


def test_span_has_no_link_token(server: Site, collector: Collector) -> None:
    (request,) = asked(server, collector, "/faulty/link/5uper5ecret", 1, 4)

    assert attributes(request)["url.path"] == "/faulty/link/[filtered]"
    assert "5uper5ecret" not in str(request)


def test_failed_statement_is_span_error(server: Site, collector: Collector) -> None:
    _, *statements = asked(server, collector, "/faulty/lost", 2, 3)

    failed = [span for span in statements if span.status.code == span.status.STATUS_CODE_ERROR]
    assert ["nowhere" in attributes(span)["db.query.text"] for span in failed] == [True]


def test_what_is_no_trace_begins_one(server: Site, collector: Collector) -> None:
    sent = {"traceparent": "00-hunter2-x", "tracestate": "=,=" * 99, "X-Request-ID": "request-no-trace"}
    assert server.ask("/status", sent)[0] == 201

    # Among others: spans of earlier requests may still arrive.
    wait(lambda: collector.of_request("request-no-trace"), server.log)
    ((resource, span),) = collector.of_request("request-no-trace")
    assert (span.name, span.parent_span_id) == ("GET /status", b"")
    assert resource["service.name"]


def test_unresponsive_collector_delays_no_request(tmp_path: Path) -> None:
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    # A process that waited for it would exceed the timeouts of this test.
    traced["OTEL_EXPORTER_OTLP_TIMEOUT"] = "3600"
    site = Site((*GUNICORN, "--workers=1", "--preload"), tmp_path, DATABASE_URL="sqlite://", **traced)
    assert [site.ask("/status")[0] for _ in range(20)] == [201] * 20
    site.process.terminate()
    assert site.process.wait(START_SECONDS) == 0


def test_tracing_not_imported_when_unset() -> None:
    code = "import sys; from tests.monitoring.site import app; print(*sys.modules)"
    environ = {"APP_ENV": "testing", "SECRET_KEY": "x" * 40, "DATABASE_URL": "sqlite://"}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    loaded = set(ran.stdout.split())

    assert "app.monitoring.recording" in loaded
    # redis-py imports OpenTelemetry's metrics by itself, where they are installed.
    assert not loaded & {"app.monitoring.traces", "opentelemetry.sdk.trace", "opentelemetry.exporter"}


def test_missing_packages_are_named(make_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.delitem(sys.modules, "app.monitoring.traces", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(
        ModuleError, match=r"OTLP_ENDPOINT asks for traces, .*write opentelemetry-sdk and .*`make lock`"
    ):
        make_app(None, ["app.monitoring"])
