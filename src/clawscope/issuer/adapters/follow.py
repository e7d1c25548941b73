"""Following the revocation feed: long polls and Server-Sent Events, woken by the process's view (tokens.md §4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from clawscope.infra.http.call import Call
from clawscope.issuer.adapters.current_view import CurrentView
from clawscope.issuer.domain.errors import REVOCATION_SEQUENCE_AHEAD, TOO_MANY_SUBSCRIBERS
from clawscope.issuer.usecases.read_feed import ReadFeed, stream_row
from clawscope.kernel.clock import Clock
from clawscope.kernel.principal import Principal

_PAGE = 200
# A reader this far behind is closed and resumes with Last-Event-ID: one slow reader must not hold rows for all.
_MOST_BEHIND = 1000
_encode = msgspec.json.encode


class Followers:
    """All who wait for news of this process's view."""

    def __init__(self, view: CurrentView, feed: ReadFeed, clock: Clock, *, heartbeat_s: int, max_subscribers: int) -> None:
        self._view = view
        self._feed = feed
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._max = max_subscribers
        self._open = 0
        self._changed = asyncio.Event()
        self._closing = False
        view.on_change(self._wake)

    @property
    def subscribers(self) -> int:
        """How many event streams are open."""
        return self._open

    async def wait_beyond(self, sequence: int, wait_s: float) -> None:
        """Return when the view has passed `sequence`, or after `wait_s`."""
        try:
            async with asyncio.timeout(wait_s):
                while self._view.revocations.sequence <= sequence and not self._closing:
                    await self._changed.wait()
        except TimeoutError:
            return

    async def follow(self, call: Call, since: int | None) -> AsyncIterator[bytes]:
        """The frames after `since` (from now without it). Raises 503 `TOO_MANY_SUBSCRIBERS`, 409 `REVOCATION_SEQUENCE_AHEAD`."""
        known = await self._view.fresh()
        latest = known.revocations.sequence
        if since is not None and since > latest:
            raise REVOCATION_SEQUENCE_AHEAD(f"the latest sequence is {latest}", fix="take /v1/revocations/snapshot and go on from it")
        if self._open >= self._max:
            raise TOO_MANY_SUBSCRIBERS("retry, or poll with since and wait_s")
        return self._frames(call.principal, latest if since is None else since)

    def close(self) -> None:
        """End every stream and poll: the server stops."""
        self._closing = True
        self._wake()

    async def _frames(self, reader: Principal, position: int) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            yield self._heartbeat()
            while not self._closing and not self._over(reader):
                if self._view.revocations.sequence > position:
                    rows, latest = await self._feed.rows_since(position, _PAGE)
                    for row in rows:
                        yield _frame(str(row.sequence), "revocation", stream_row(row, reader))
                        position = row.sequence
                    if latest - position > _MOST_BEHIND:
                        return
                    continue
                await self.wait_beyond(position, self._heartbeat_s)
                if self._view.revocations.sequence <= position:
                    yield self._heartbeat()
        finally:
            self._open -= 1

    def _over(self, reader: Principal) -> bool:
        """Whether the token that opened the connection has ended: by time, or by a revocation."""
        if reader.kind != "cst":
            return False
        if int(reader.claims["exp"]) <= self._clock.now():
            return True
        return reader.token_hash is not None and self._view.is_revoked(reader)

    def _heartbeat(self) -> bytes:
        return _frame(None, "heartbeat", {"latest_sequence": self._view.revocations.sequence, "now": self._clock.now()})

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _frame(event_id: str | None, event: str, data: object) -> bytes:
    head = b"" if event_id is None else b"id: " + event_id.encode() + b"\n"
    return head + b"event: " + event.encode() + b"\ndata: " + _encode(data) + b"\n\n"
