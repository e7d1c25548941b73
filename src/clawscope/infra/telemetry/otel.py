"""Finished spans out by OTLP over HTTP; OpenTelemetry is imported only where an endpoint is set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clawscope.infra.telemetry.redaction import Redactor
from clawscope.infra.telemetry.settings import TelemetrySettings
from clawscope.infra.telemetry.trace import Trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class FinishedSpan:
    """One span: `kind` is `server`, `client` or `internal`; times in epoch microseconds; attributes without content or secrets."""

    name: str
    kind: str
    trace: Trace
    start_us: int
    end_us: int
    failed: bool = False
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)


class OtlpSpans:
    """Sends batches of spans. The flush job calls it from a worker thread: a send may take up to its deadline of 5 s."""

    def __init__(self, endpoint: str, service: str) -> None:
        # Imported here so that a process that sends no spans does not carry the library.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as said above
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as said above

        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_TIMEOUT_S)
        self._resource = Resource({"service.name": service})
        self._redactor = Redactor()

    def send(self, spans: Sequence[FinishedSpan]) -> bool:
        """Whether the receiver took the batch; a batch that failed is the caller's to count as dropped. Never raises for the network."""
        from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - loaded with the exporter

        sampled = [self._readable(span) for span in spans if span.trace.flags & 1]
        return not sampled or self._exporter.export(sampled) is SpanExportResult.SUCCESS

    def close(self) -> None:
        """Give up the connection."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library leaves it untyped

    def _readable(self, span: FinishedSpan) -> ReadableSpan:
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - loaded with the exporter
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415 - loaded with the exporter

        def context(span_id: str) -> SpanContext:
            return SpanContext(int(span.trace.trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(span.trace.flags))

        return ReadableSpan(
            name=self._redactor.text(span.name),
            context=context(span.trace.span_id),
            parent=context(span.trace.parent_span_id) if span.trace.parent_span_id else None,
            resource=self._resource,
            attributes=self._redactor.fields(span.attributes),
            kind=SpanKind[span.kind.upper()],
            status=Status(StatusCode.ERROR if span.failed else StatusCode.OK),
            start_time=span.start_us * 1000,
            end_time=span.end_us * 1000,
        )


def spans_out(settings: TelemetrySettings, service: str) -> OtlpSpans | None:
    """The exporter, or `None` where no endpoint is set."""
    return OtlpSpans(settings.otlp_endpoint, service) if settings.otlp_endpoint else None
