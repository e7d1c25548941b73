"""Refusals leave events: in a transaction of their own, or through the telemetry buffer where nothing may be written (tokens.md §13)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from clawscope.infra.http.call import Call
from clawscope.infra.telemetry.buffer import TelemetryBuffer
from clawscope.infra.telemetry.metrics import Metrics
from clawscope.issuer.ports import Store
from clawscope.kernel.clock import Clock, monotonic_us
from clawscope.kernel.errors import Code
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id

Refused = Callable[[Call, Code], Awaitable[None]]


class Denials:
    """Makes the hooks endpoints call after a refusal."""

    def __init__(self, store: Store, clock: Clock, telemetry: TelemetryBuffer[Event], metrics: Metrics) -> None:
        self.metrics = metrics
        self._store = store
        self._clock = clock
        self._telemetry = telemetry

    def recorded(self, name: str) -> Refused:
        """Write the refusal as an event; a fault of ours (5xx) is left to the log."""

        async def refused(call: Call, code: Code) -> None:
            if code.status < 500:
                event = self._event(name, call, code.status, {"code": code.name})
                await self._store.transact(lambda work: work.events.put(event))

        return refused

    def buffered(self, name: str) -> Refused:
        """Offer the refusal to the bounded buffer: nothing is written in the request."""

        async def refused(call: Call, code: Code) -> None:
            self._telemetry.offer(self._event(name, call, code.status, {"code": code.name}))

        return refused

    def seen(self, name: str, call: Call, **more: Any) -> None:
        """Offer a high-rate fact to the bounded buffer."""
        self._telemetry.offer(self._event(name, call, 200, more))

    def _event(self, name: str, call: Call, status: int, more: Mapping[str, Any]) -> Event:
        data = {
            "actor": call.principal.credential,
            "route": call.route,
            "status": status,
            "duration_us": monotonic_us() - call.started_us,
            "trace_id": call.trace.trace_id,
            "request_id": call.request_id,
            **more,
        }
        return Event(new_id("evt"), name, self._clock.now(), data)
