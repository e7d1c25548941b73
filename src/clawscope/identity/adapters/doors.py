"""The kinds of endpoints identity has: what may be asked of each before its handler runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from clawscope.identity.adapters.refusals import Refusals
from clawscope.identity.adapters.source_limits import MinuteLimit
from clawscope.infra.http.call import Call
from clawscope.infra.http.endpoint import MOST_BODY_BYTES, Endpoint, Handler
from clawscope.infra.http.needs import PUBLIC, permission
from clawscope.kernel.codes import FORBIDDEN, INVALID_CURSOR, RATE_LIMITED, STORE_FULL, STORE_UNAVAILABLE, UNAUTHORIZED
from clawscope.kernel.errors import Code

TAG = "identity"
Before = Callable[[Call], Awaitable[None]]
_READ = (RATE_LIMITED, STORE_UNAVAILABLE)
_CHANGE = (*_READ, STORE_FULL)


class Doors:
    """Makes endpoints: public ones are limited by source, refused changes are recorded."""

    def __init__(self, changes: MinuteLimit, reads: MinuteLimit, refused: Refusals) -> None:
        self._changes = changes
        self._reads = reads
        self._refused = refused

    def change(
        self,
        path: str,
        handler: Handler,
        body: Any,
        summary: str,
        answer: Any,
        refusals: tuple[Code, ...],
        *,
        before: Before | None = None,
        most_bytes: int = MOST_BODY_BYTES,
    ) -> Endpoint:
        """A `POST` authorised by a signature over a challenge; `before` judges what precedes the body."""
        return Endpoint(
            "POST",
            path,
            handler,
            PUBLIC,
            summary,
            TAG,
            body=body,
            answers={200: answer},
            refusals=(*refusals, *_CHANGE),
            before=_guard(self._changes, before),
            refused=self._refused,
            most_bytes=most_bytes,
        )

    def read(self, path: str, handler: Handler, summary: str, answer: Any, refusals: tuple[Code, ...], *, query: Any = None) -> Endpoint:
        """A public `GET`."""
        codes = (*refusals, *((INVALID_CURSOR,) if query is not None else ()), *_READ)
        before = _guard(self._reads, None)
        return Endpoint("GET", path, handler, PUBLIC, summary, TAG, query=query, answers={200: answer}, refusals=codes, before=before)

    def audited(self, path: str, handler: Handler, summary: str, answer: Any, refusals: tuple[Code, ...], *, query: Any = None) -> Endpoint:
        """A `GET` for holders of the platform permission to read the audit chain."""
        needs = permission("identity:audit:read")
        codes = (UNAUTHORIZED, FORBIDDEN, *refusals, STORE_UNAVAILABLE)
        return Endpoint("GET", path, handler, needs, summary, TAG, query=query, answers={200: answer}, refusals=codes)


def _guard(limit: MinuteLimit, before: Before | None) -> Before:
    async def guard(call: Call) -> None:
        limit.charge(call)
        if before is not None:
            await before(call)

    return guard
