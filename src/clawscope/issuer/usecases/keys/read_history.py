"""Read the key log, and add to it on demand (keys.md §6)."""

from __future__ import annotations

from typing import Any

import msgspec

from clawscope.issuer.domain.key_errors import KEY_TRANSPARENCY_UNAVAILABLE
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.ports import Store, View, Work
from clawscope.issuer.usecases.keys.append_snapshot import AppendSnapshot, Snapshot
from clawscope.issuer.usecases.keys.read_keys import Document, document
from clawscope.issuer.usecases.keys.vault import Vault
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import INVALID_QUERY, STORE_FULL, STORE_UNAVAILABLE
from clawscope.kernel.errors import Refusal
from clawscope.kernel.page import clamp, decode_cursor, page_of

_LIST = "key_snapshots"


class ReadHistory:
    """Reading never writes. Every method raises 503 `KEY_TRANSPARENCY_UNAVAILABLE` when the store is gone."""

    def __init__(self, store: Store, view: View, clock: Clock, vault: Vault, rules: KeyRules) -> None:
        self._store = store
        self._view = view
        self._clock = clock
        self._append = AppendSnapshot(vault, rules)
        self._latest: Document | None = None

    async def latest(self) -> Document:
        """The newest committed snapshot; read from the store once per change."""
        try:
            sequence = (await self._view.fresh()).keyring.sequence
            if self._latest is None or self._latest.sequence < sequence:
                self._latest = await self._store.read(_newest)
        except Refusal as refusal:
            raise _unavailable() from refusal
        return self._latest

    async def page(self, limit: int | None, cursor: str | None, since: int | None) -> dict[str, Any]:
        """A page, newest first, or ascending above `since`. Raises `INVALID_CURSOR`, `INVALID_QUERY`."""
        most = clamp(limit, 20, 100)
        if since is not None and cursor is not None:
            raise INVALID_QUERY("since and cursor exclude each other", fix="go on with the last sequence as since")
        if since is not None and since < 0:
            raise INVALID_QUERY("since is 0 or more")
        before = decode_cursor(_LIST, cursor) if cursor is not None else None
        try:
            rows = await self._store.read(lambda work: work.snapshots.page(before, since, most + 1))
        except Refusal as refusal:
            raise _unavailable() from refusal
        shown = page_of(_LIST, [(row["sequence"], row) for row in rows], most)
        # An ascending page is continued by `since`, never by a cursor.
        return {"snapshots": shown.rows, "cursor": shown.cursor if since is None else None, "list_complete": shown.list_complete}

    async def snapshot(self) -> Snapshot:
        """Append a snapshot now. Raises 503 signing codes, `KEY_TRANSPARENCY_UNAVAILABLE` when the store is gone."""

        def record(work: Work) -> Snapshot:
            return self._append(work, "manual", self._append.moment(work, self._clock.now()))

        try:
            return await self._store.transact(record)
        except Refusal as refusal:
            if refusal.code in (STORE_UNAVAILABLE, STORE_FULL):
                raise _unavailable() from refusal
            raise


def _newest(work: Work) -> Document:
    snapshot = work.snapshots.latest()
    if snapshot is None:
        raise _unavailable()
    return document(msgspec.json.encode(snapshot), snapshot["sequence"])


def _unavailable() -> Refusal:
    return KEY_TRANSPARENCY_UNAVAILABLE("the key log cannot be read; retry in a moment")
