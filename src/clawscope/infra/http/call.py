"""One request as a route sees it, and what a route answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawscope.infra.telemetry.trace import Trace
from clawscope.kernel.clock import monotonic_us
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.principal import ANONYMOUS, Principal


@dataclass(frozen=True, slots=True)
class Ticket:
    """A reserved Idempotency-Key: the answer is kept under it by the transaction that does the work, or by the dispatcher."""

    caller: str
    route: str
    key: str
    body_hash: str


class Call:
    """A request: credentials judged, body and query parsed."""

    __slots__ = (
        "body",
        "headers",
        "method",
        "params",
        "path",
        "principal",
        "query",
        "raw_body",
        "raw_query",
        "request_id",
        "route",
        "source",
        "started_us",
        "ticket",
        "trace",
    )

    def __init__(self, scope: Mapping[str, Any], params: Mapping[str, str], route: str, request_id: str, trace: Trace) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.params = params
        self.raw_query: bytes = scope["query_string"]
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        client = scope.get("client")
        self.source: str = client[0] if client else "unknown"
        self.route = route
        self.request_id = request_id
        self.started_us = monotonic_us()
        self.trace = trace
        self.principal: Principal = ANONYMOUS
        self.raw_body = b""
        self.body: Any = None
        self.query: Any = None
        self.ticket: Ticket | None = None

    def header(self, name: str) -> str | None:
        """The value of a header that may stand once. Raises `INVALID_REQUEST` naming it when repeated."""
        wanted = name.lower().encode()
        found = [value for key, value in self.headers if key == wanted]
        if len(found) > 1:
            raise INVALID_REQUEST(f"header {name} is repeated", fix=f"send {name} once")
        return found[0].decode("latin-1") if found else None


@dataclass(slots=True)
class Reply:
    """An answer: a msgspec-encodable body (or bytes), its status and further headers."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(slots=True)
class StreamReply:
    """An answer sent piece by piece."""

    pieces: AsyncIterator[bytes]
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}
