"""From ASGI to an endpoint and back: caller, limits, body, handler, answer; in that order (tokens.md §2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from clawscope.infra.http.call import Call, Reply, StreamReply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.idempotency import Idempotency
from clawscope.infra.http.needs import Gate
from clawscope.infra.http.parse import read_body, read_form, read_json, read_query
from clawscope.infra.http.problem import encode, rendered
from clawscope.infra.http.stream import send_pieces
from clawscope.infra.limit.source_rate import SourceRate
from clawscope.infra.telemetry.buffer import TelemetryBuffer
from clawscope.infra.telemetry.metrics import Metrics
from clawscope.infra.telemetry.otel import FinishedSpan
from clawscope.infra.telemetry.trace import Trace
from clawscope.kernel.clock import Clock, monotonic_us
from clawscope.kernel.codes import METHOD_NOT_ALLOWED, RATE_LIMITED
from clawscope.kernel.errors import Code
from clawscope.kernel.ids import new_id

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REPEATABLE = frozenset({"audience", "resource"})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every dispatch needs: the gate, idempotency, the source limiter, metrics, the clock, the base of problem types."""

    gate: Gate
    idempotency: Idempotency
    limiter: SourceRate | None
    metrics: Metrics
    clock: Clock
    base_url: str
    spans: TelemetryBuffer[FinishedSpan] | None = None


class Dispatch:
    """The ASGI application of one address: its endpoints by method."""

    def __init__(self, endpoints: Mapping[str, Endpoint], around: Surroundings) -> None:
        self._endpoints = dict(endpoints)
        self._around = around
        # Another method is refused in the shape the address speaks.
        self._any = next(iter(endpoints.values()))
        self._allow = ", ".join(sorted(endpoints))

    async def __call__(self, scope: Any, params: Mapping[str, str], receive: Any, send: Any) -> None:
        """Serve one request; `params` are the decoded path parameters."""
        endpoint = self._endpoints.get(scope["method"])
        route = endpoint.operation if endpoint else scope["method"]
        call = Call(scope, params, route, new_id("req"), _trace(scope["headers"]))
        limits: dict[str, str] = {}
        spoken = endpoint or self._any
        run = partial(self._run, endpoint, call, receive, limits)
        reply, code = await rendered(call, run, spoken.shape, spoken.refusal_extra, self._around.base_url, spoken.otherwise)
        if code is not None and endpoint is not None:
            await self._after_refusal(endpoint, call, code)
        await send_reply(send, receive, reply, call.request_id, call.trace.trace_id, limits)
        took_us = monotonic_us() - call.started_us
        method = endpoint.method if endpoint else "other"
        self._around.metrics.observe_request("issuer", spoken.path, method, reply.status, took_us / 1e6)
        if self._around.spans is not None:
            self._around.spans.offer(_span(call, reply.status, self._around.clock.now_ms() * 1000, took_us))

    async def _run(self, endpoint: Endpoint | None, call: Call, receive: Any, limits: dict[str, str]) -> Reply | StreamReply:
        if endpoint is None:
            raise METHOD_NOT_ALLOWED(f"allowed: {self._allow}", headers={"Allow": self._allow})
        if endpoint.rated:
            self._charge(call.source, limits)
        if endpoint.needs.kind != "public":
            call.principal = await self._around.gate(endpoint.needs, call)
        if endpoint.before is not None:
            await endpoint.before(call)
        call.query = read_query(call.raw_query, endpoint.query)
        if call.method in _BODY_METHODS:
            call.raw_body = await read_body(receive, call.headers, endpoint.most_bytes)
            call.body = (
                read_form(call.raw_body, call.headers, endpoint.body, _REPEATABLE)
                if endpoint.form
                else read_json(call.raw_body, endpoint.body, exact=endpoint.exact_numbers)
            )
        if endpoint.idempotent:
            return await self._once(endpoint, call)
        return await endpoint.handler(call)

    async def _once(self, endpoint: Endpoint, call: Call) -> Reply | StreamReply:
        kept = await self._around.idempotency.begin(call, endpoint.operation)
        if kept is not None:
            if endpoint.remint is not None:
                kept.body = await endpoint.remint(kept.body)
            kept.headers = {"Cache-Control": "no-store", "Idempotency-Replayed": "true"}
            return kept
        reply = await endpoint.handler(call)
        if call.ticket is not None and isinstance(reply, Reply) and endpoint.remint is None:
            await self._around.idempotency.finish(call.ticket, reply)
        return reply

    async def _after_refusal(self, endpoint: Endpoint, call: Call, code: Code) -> None:
        self._around.metrics.observe_refusal(code.name)

        async def tidy() -> Reply:
            if call.ticket is not None:
                await self._around.idempotency.abandon(call.ticket)
            if endpoint.refused is not None:
                await endpoint.refused(call, code)
            return Reply()

        # The refusal stands whatever its bookkeeping meets: an error here is logged by the renderer, not answered.
        await rendered(call, tidy, "problem", {}, self._around.base_url)

    def _charge(self, source: str, limits: dict[str, str]) -> None:
        limiter = self._around.limiter
        if limiter is None:
            return
        charge = limiter.charge(source, self._around.clock.now_ms())
        limits |= charge.headers()
        if not charge.allowed:
            raise RATE_LIMITED(
                f"at most {limiter.per_second} calls a second from one source", headers={"Retry-After": str(charge.retry_after_s)}
            )


def _span(call: Call, status: int, ended_us: int, took_us: int) -> FinishedSpan:
    attributes: dict[str, str | int | float | bool] = {
        "http.request.method": call.method,
        "http.route": call.route,
        "http.response.status_code": status,
    }
    return FinishedSpan(call.route, "server", call.trace, ended_us - took_us, ended_us, status >= 500, attributes)


def _trace(headers: list[tuple[bytes, bytes]]) -> Trace:
    traceparent = trace_id = None
    for name, value in headers:
        if name == b"traceparent":
            traceparent = value.decode("latin-1")
        elif name == b"x-trace-id":
            trace_id = value.decode("latin-1")
    return Trace.from_headers(traceparent, trace_id)


async def send_reply(
    send: Any, receive: Any, reply: Reply | StreamReply, request_id: str, trace_id: str, limits: Mapping[str, str]
) -> None:
    """Send an answer with the headers every answer has."""
    headers = [
        (b"content-type", reply.media_type.encode()),
        (b"x-clawscope-request-id", request_id.encode()),
        (b"x-trace-id", trace_id.encode()),
    ]
    headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in (*reply.headers.items(), *limits.items())]
    if isinstance(reply, StreamReply):
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send_pieces(send, receive, reply.pieces)
        return
    body = encode(reply.body)
    if reply.status != 304:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
