"""Spans leave by OTLP over HTTP where an endpoint is set, and cost nothing where none is."""

from __future__ import annotations

import gzip
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clawscope.infra.telemetry.otel import FinishedSpan, spans_out
from clawscope.infra.telemetry.settings import TelemetrySettings
from clawscope.infra.telemetry.trace import Trace

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "00f067aa0ba902b8")


@dataclass
class Receiver:
    url: str
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.bodies.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    seen = Receiver(f"http://127.0.0.1:{server.server_port}/v1/traces")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield seen
    server.shutdown()
    server.server_close()


def test_a_span_arrives_with_its_ids_times_and_scrubbed_attributes(receiver: Receiver) -> None:
    out = spans_out(TelemetrySettings(otlp_endpoint=receiver.url), "clawscope")
    assert out is not None
    attributes = {"http.route": "/v1/x", "authorization": "plain-secret", "http.response.status_code": 200}
    unsampled = FinishedSpan("other", "internal", Trace("a" * 32, "b" * 16, flags=0), 1, 2)
    assert out.send([FinishedSpan("POST /v1/x", "server", TRACE, 1_000, 3_000, failed=True, attributes=attributes), unsampled])
    out.close()
    request = ExportTraceServiceRequest.FromString(receiver.bodies[0])
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (TRACE.trace_id, TRACE.span_id, TRACE.parent_span_id)
    assert (span.start_time_unix_nano, span.end_time_unix_nano, span.status.code) == (1_000_000, 3_000_000, 2)
    assert {one.key for one in span.attributes} == set(attributes)
    assert b"plain-secret" not in receiver.bodies[0]
    assert len(request.resource_spans) == 1


def test_nothing_is_imported_without_an_endpoint() -> None:
    assert spans_out(TelemetrySettings(), "clawscope") is None
    code = "import sys, clawscope.infra.telemetry.otel; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=False).returncode == 0


def test_an_endpoint_must_be_a_url() -> None:
    assert TelemetrySettings(otlp_endpoint="collector:4318").problems()
    assert not TelemetrySettings(otlp_endpoint="http://collector:4318/v1/traces").problems()


def test_a_receiver_that_is_gone_is_a_failed_send_and_no_error(receiver: Receiver) -> None:
    out = spans_out(TelemetrySettings(otlp_endpoint="http://127.0.0.1:1/v1/traces"), "clawscope")
    assert out is not None
    threading.Timer(0.3, out.close).start()  # ends the library's waiting between its attempts
    assert not out.send([FinishedSpan("x", "client", TRACE, 1, 2)])
