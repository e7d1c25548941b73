"""Pages of the revocation feed, and the signed snapshot for offline verifiers (tokens.md §4.3)."""

from __future__ import annotations

from typing import Any

from clawscope.issuer.domain.errors import REVOCATION_SEQUENCE_AHEAD
from clawscope.issuer.domain.feed import KEY, FeedRow
from clawscope.issuer.ports import Store, View, Work
from clawscope.kernel.clock import Clock
from clawscope.kernel.page import decode_cursor, page_of
from clawscope.kernel.principal import Principal
from clawscope.protocol import revocation_snapshot

_SNAPSHOT_PAGE = 20_000
AUDIT_SCOPE = "control:audit:read"


class ReadFeed:
    """Reads the feed within the reader's reach; only holders of the audit scope see reasons and actors."""

    def __init__(self, store: Store, view: View, clock: Clock, *, snapshot_valid_s: int, clock_skew_s: int) -> None:
        self._store = store
        self._view = view
        self._clock = clock
        self._valid_s = snapshot_valid_s
        self._skew_s = clock_skew_s

    async def events(self, reader: Principal, limit: int, cursor: str | None) -> dict[str, Any]:
        """`/v1/revocations/events`: newest first, rows beyond reach left out."""
        before = None if cursor is None else decode_cursor("revocations/events", cursor)
        rows = await self._store.read(lambda work: work.revocations.page(before, limit + 1, reader.reach))
        page = page_of("revocations/events", [(row.sequence, row) for row in rows], limit)
        reasons = _sees_reasons(reader)
        shown = [{"key": row.event_key, "record": row.record(with_reason=reasons)} for row in page.rows]
        return {"events": shown, "cursor": page.cursor, "list_complete": page.list_complete}

    async def newest(self, reader: Principal, limit: int, cursor: str | None) -> dict[str, Any]:
        """`/v1/revocations/stream`: newest first, every sequence shown, rows beyond reach bare."""
        before = None if cursor is None else decode_cursor("revocations/stream", cursor)
        rows, latest = await self._store.read(
            lambda work: (work.revocations.page(before, limit + 1, reader.reach, bare=True), work.revocations.head())
        )
        page = page_of("revocations/stream", [(row.sequence, row) for row in rows], limit)
        return self._stream([stream_row(row, reader) for row in page.rows], page.cursor, page.list_complete, latest)

    async def since(self, reader: Principal, since: int, limit: int) -> dict[str, Any]:
        """`/v1/revocations/stream?since=`: ascending from `since` + 1. Raises 409 `REVOCATION_SEQUENCE_AHEAD`."""
        rows, latest = await self.rows_since(since, limit)
        shown = [stream_row(row, reader) for row in rows]
        complete = not rows or rows[-1].sequence >= latest
        return self._stream(shown, None, complete, latest)

    async def rows_since(self, since: int, limit: int) -> tuple[list[FeedRow], int]:
        """Rows above `since`, ascending, and the latest sequence. Raises 409 `REVOCATION_SEQUENCE_AHEAD`."""

        def read(work: Work) -> tuple[list[FeedRow], int]:
            latest = work.revocations.head()
            if since > latest:
                raise REVOCATION_SEQUENCE_AHEAD(f"the latest sequence is {latest}", fix="take /v1/revocations/snapshot and go on from it")
            return work.revocations.since(since, limit), latest

        return await self._store.read(read)

    async def snapshot(self, reader: Principal) -> dict[str, Any]:
        """`/v1/revocations/snapshot`: all that may still hit a live token, signed by the statement key."""
        now = self._clock.now()
        known = await self._view.fresh()
        signer_kid, key = known.keyring.signer("statement")

        def read(work: Work) -> tuple[list[FeedRow], int]:
            head = work.revocations.head()
            rows: list[FeedRow] = []
            after = 0
            while page := work.revocations.still_hitting(now - self._skew_s, after, _SNAPSHOT_PAGE):
                rows += page
                after = page[-1].sequence
            return rows, head

        rows, head = await self._store.read(read)
        visible = [row for row in rows if row.kind == KEY or reader.reach.covers(row.org_id, row.owner_did)]
        snapshot = revocation_snapshot.build(
            (row.effect() for row in visible),
            as_of_sequence=head,
            generated_at=now,
            valid_until=now + self._valid_s,
            signer_kid=signer_kid,
            key=key,
        )
        return revocation_snapshot.as_object(snapshot)

    def _stream(self, shown: list[dict[str, Any]], cursor: str | None, complete: bool, latest: int) -> dict[str, Any]:
        return {"stream_version": "1", "events": shown, "cursor": cursor, "list_complete": complete, "latest_sequence": latest}


def stream_row(row: FeedRow, reader: Principal) -> dict[str, Any]:
    """One row of the stream; beyond the reader's reach it comes bare, so that gaps show."""
    if not reader.reach.covers(row.org_id, row.owner_did) and row.kind != KEY:
        return {
            "sequence": row.sequence,
            "key": f"events:revocations:{row.sequence}",
            "record": {"kind": "other", "sequence": row.sequence},
        }
    return {"sequence": row.sequence, "key": row.event_key, "record": row.record(with_reason=_sees_reasons(reader))}


def _sees_reasons(reader: Principal) -> bool:
    return reader.may(AUDIT_SCOPE)
