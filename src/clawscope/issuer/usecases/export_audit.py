"""Audit lists and signed audit bundles (tokens.md §6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from clawscope.issuer.domain import events
from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.rows import Filters
from clawscope.issuer.ports import Store, View, Work
from clawscope.issuer.usecases.recording import event_of
from clawscope.kernel.clock import Clock, iso_ms
from clawscope.kernel.ids import new_id
from clawscope.kernel.page import decode_cursor, page_of
from clawscope.kernel.principal import Principal, Reach
from clawscope.protocol import audit_bundle
from clawscope.protocol.keys import SigningKey

_PAGE = 1000
Rows = list[tuple[int, dict[str, Any]]]


class ReadAudit:
    """Newest-first lists of issuances and approvals within the reader's reach."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def issuance(self, reader: Principal, filters: Filters, limit: int, cursor: str | None) -> dict[str, Any]:
        """`/v1/audit/issuance`."""
        return await self._list(
            "audit/issuance", filters, limit, cursor, lambda work, before: _issuances(work, filters, reader.reach, before, limit)
        )

    async def approvals(self, reader: Principal, filters: Filters, limit: int, cursor: str | None) -> dict[str, Any]:
        """`/v1/audit/approvals`."""
        return await self._list(
            "audit/approvals", filters, limit, cursor, lambda work, before: _approvals(work, filters, reader.reach, before, limit)
        )

    async def revocations(self, reader: Principal, filters: Filters, limit: int, cursor: str | None) -> dict[str, Any]:
        """The revocations of a bundle page."""
        return await self._list(
            "audit/revocations", filters, limit, cursor, lambda work, before: _revocations(work, filters, reader.reach, before, limit)
        )

    async def _list(
        self, name: str, filters: Filters, limit: int, cursor: str | None, read: Callable[[Work, int | None], Rows]
    ) -> dict[str, Any]:
        tied = f"{name}:{filters.name()}"
        before = None if cursor is None else decode_cursor(tied, cursor)
        rows = await self._store.read(lambda work: read(work, before))
        page = page_of(tied, rows, limit)
        return {"events": list(page.rows), "cursor": page.cursor, "list_complete": page.list_complete}


class ExportAudit:
    """Signed bundles: a JSON page, or everything as NDJSON on one consistent view."""

    def __init__(self, store: Store, view: View, read: ReadAudit, clock: Clock, issuer_url: str) -> None:
        self._store = store
        self._view = view
        self._read = read
        self._clock = clock
        self._issuer = issuer_url

    async def page(
        self, caller: Caller, filters: Filters, limit: int, cursors: tuple[str | None, str | None, str | None]
    ) -> dict[str, Any]:
        """`/v1/audit/bundle`: three lists under one signature."""
        reader = caller.principal
        signer_kid, key = (await self._view.fresh()).keyring.signer("statement")
        page = {
            "generated_at": iso_ms(self._clock.now()),
            "issuance": await self._read.issuance(reader, filters, limit, cursors[0]),
            "revocations": await self._read.revocations(reader, filters, limit, cursors[1]),
            "approvals": await self._read.approvals(reader, filters, limit, cursors[2]),
        }
        await self._note(caller, "page")
        return audit_bundle.seal_page(page, signer_kid=signer_kid, key=key)

    async def lines(self, caller: Caller, filters: Filters) -> AsyncIterator[bytes]:
        """`format=ndjson`: header, rows in commit order, signed trailer; one JSON object a line. Refusals come before the first line."""
        signer_kid, key = (await self._view.fresh()).keyring.signer("statement")
        through = await self._store.read(_heads)
        await self._note(caller, "ndjson")
        return self._lines(caller.principal.reach, filters, through, signer_kid, key)

    async def _lines(
        self, reach: Reach, filters: Filters, through: dict[str, int], signer_kid: str, key: SigningKey
    ) -> AsyncIterator[bytes]:
        writer = audit_bundle.BundleWriter()
        yield writer.header(self._header(filters, through))
        for kind, name, read in _KINDS:
            after = 0
            while rows := await self._store.read(_bound(read, filters, reach, after, through[name])):
                after = rows[-1][0]
                yield b"".join(writer.row(kind, row) for _, row in rows)
        yield writer.trailer(checkpoint=None, signer_kid=signer_kid, key=key)

    def _header(self, filters: Filters, through: dict[str, int]) -> dict[str, Any]:
        shown: dict[str, Any] = dict(filters.equal)
        shown |= {name: value for name, value in (("from", filters.from_at), ("to", filters.to_at)) if value is not None}
        return {
            "bundle_version": "1",
            "bundle_id": new_id("aud"),
            "issuer": self._issuer,
            "generated_at": self._clock.now(),
            "filters": shown,
            "through": through,
        }

    async def _note(self, caller: Caller, form: str) -> None:
        event = event_of(events.AUDIT_EXPORTED, caller, self._clock.now(), format=form)
        await self._store.transact(lambda work: work.events.put(event))


def _bound(read: Callable[..., Rows], filters: Filters, reach: Reach, after: int, through: int) -> Callable[[Work], Rows]:
    return lambda work: read(work, filters, reach, after, through)


def _heads(work: Work) -> dict[str, int]:
    return {"issuance": work.issuances.head(), "revocations": work.revocations.head(), "approvals": work.approvals.head()}


def _issuances(work: Work, filters: Filters, reach: Reach, before: int | None, limit: int) -> Rows:
    return [(at, {"key": row.key, "record": row.record()}) for at, row in work.issuances.page(filters, reach, before, limit + 1)]


def _approvals(work: Work, filters: Filters, reach: Reach, before: int | None, limit: int) -> Rows:
    rows = work.approvals.page(filters, reach, before, limit + 1)
    return [
        (at, {"key": f"events:approvals:{9_999_999_999 - row.at:010d}:{row.receipt_id}", "record": dict(row.record)}) for at, row in rows
    ]


def _revocations(work: Work, filters: Filters, reach: Reach, before: int | None, limit: int) -> Rows:
    rows = work.revocations.page(before, limit + 1, reach, times=(filters.from_at, filters.to_at), equal=filters.equal)
    return [(row.sequence, {"key": row.event_key, "record": row.record(with_reason=True)}) for row in rows]


def _export_issuances(work: Work, filters: Filters, reach: Reach, after: int, through: int) -> Rows:
    return [(at, row.record()) for at, row in work.issuances.export(filters, reach, after, through, _PAGE)]


def _export_revocations(work: Work, filters: Filters, reach: Reach, after: int, through: int) -> Rows:
    rows = work.revocations.export(reach, after, through, _PAGE, (filters.from_at, filters.to_at), filters.equal)
    return [(row.sequence, {**_without_kind(row.record(with_reason=True)), "revocation_kind": row.kind}) for row in rows]


def _export_approvals(work: Work, filters: Filters, reach: Reach, after: int, through: int) -> Rows:
    return [(at, {"sequence": at, **row.record}) for at, row in work.approvals.export(filters, reach, after, through, _PAGE)]


def _without_kind(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "kind"}


_KINDS: tuple[tuple[str, str, Callable[..., Rows]], ...] = (
    ("issuance", "issuance", _export_issuances),
    ("revocation", "revocations", _export_revocations),
    ("approval", "approvals", _export_approvals),
)
