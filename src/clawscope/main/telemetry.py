"""What leaves the bounded buffers once a second: high-rate facts into the counters, spans to the collector."""

from __future__ import annotations

import asyncio

from clawscope.infra.telemetry.buffer import TelemetryBuffer
from clawscope.infra.telemetry.metrics import Metrics
from clawscope.infra.telemetry.otel import FinishedSpan, spans_out
from clawscope.infra.telemetry.settings import TelemetrySettings
from clawscope.kernel.events import Event

_BATCH = 2000


class TelemetryOut:
    """The buffers of one process. Offering never waits; what does not fit is counted as dropped."""

    def __init__(self, settings: TelemetrySettings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._exporter = spans_out(settings, "clawscope-issuer")
        self._dropped_told = 0
        self.facts: TelemetryBuffer[Event] = TelemetryBuffer(settings.buffer_size)
        self.spans: TelemetryBuffer[FinishedSpan] | None = TelemetryBuffer(settings.buffer_size) if self._exporter is not None else None

    async def flush(self) -> None:
        """Empty both buffers; a batch of spans the collector did not take is dropped and counted."""
        while batch := self.facts.drain(_BATCH):
            for fact in batch:
                self._count(fact)
            await asyncio.sleep(0)
        while self.spans is not None and self._exporter is not None and (spans := self.spans.drain(_BATCH)):
            if not await asyncio.to_thread(self._exporter.send, spans):
                self._metrics.dropped("collector", len(spans))
        dropped = self.facts.dropped + (self.spans.dropped if self.spans is not None else 0)
        if dropped > self._dropped_told:
            self._metrics.dropped("buffer_full", dropped - self._dropped_told)
            self._dropped_told = dropped

    def close(self) -> None:
        """Let go of the collector."""
        if self._exporter is not None:
            self._exporter.close()

    def _count(self, fact: Event) -> None:
        name = fact.name.split(".")[1]
        self._metrics.introspected(name, str(fact.data.get("code") or fact.data.get("reason_code") or fact.data.get("active", "ok")))
