"""What a route declares about itself: address, who may call, body, query, answers, refusals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawscope.infra.http.call import Call, Reply, StreamReply
from clawscope.infra.http.needs import Needs
from clawscope.kernel.codes import INTERNAL_ERROR
from clawscope.kernel.errors import Code

Handler = Callable[[Call], Awaitable[Reply | StreamReply]]
MOST_BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one address.

    `body` and `query` are msgspec structs (absent: none taken); `form` reads `application/x-www-form-urlencoded`; `shape` picks
    the renderer of refusals (`problem` or `oauth`); `idempotent` honours `Idempotency-Key`, `remint` rebuilds a kept answer whose
    token was not stored; `rated` counts the call against its source's rate; `exact_numbers` reads
    fractions as decimals; `before` judges what precedes query and body; `otherwise` is the 500 of an unforeseen fault;
    `refused` tells the slice of a refusal.
    """

    method: str
    path: str
    handler: Handler
    needs: Needs
    summary: str
    tag: str
    body: Any = None
    query: Any = None
    answers: Mapping[int, Any] = field(default_factory=dict)
    refusals: tuple[Code, ...] = ()
    form: bool = False
    shape: str = "problem"
    idempotent: bool = False
    remint: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]] | None = None
    rated: bool = False
    most_bytes: int = MOST_BODY_BYTES
    media_type: str = "application/json"
    refusal_extra: Mapping[str, Any] = field(default_factory=dict)
    exact_numbers: bool = False
    otherwise: Code = INTERNAL_ERROR
    before: Callable[[Call], Awaitable[None]] | None = None
    refused: Callable[[Call, Code], Awaitable[None]] | None = None

    @property
    def operation(self) -> str:
        """The name under which events, metrics and idempotency know this endpoint: `POST /v1/tokens/issue`."""
        return f"{self.method} {self.path}"
