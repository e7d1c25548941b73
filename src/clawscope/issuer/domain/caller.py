"""Who asks the issuer for something, and what an answer under an Idempotency-Key needs."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.kernel.principal import Principal


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """The reserved Idempotency-Key under which the minting transaction keeps its answer."""

    caller: str
    route: str
    key: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Caller:
    """A judged caller with the request's ids. `route` is `METHOD /path`; `started_us` on the monotonic clock."""

    principal: Principal
    route: str
    request_id: str
    trace_id: str
    started_us: int
    answer_key: AnswerKey | None = None
