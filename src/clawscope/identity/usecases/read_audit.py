"""Read the audit chain; nothing is written (identity.md §11)."""

from __future__ import annotations

from typing import Any

from clawscope.identity.ports import Store
from clawscope.kernel.page import decode_cursor, page_of


class ReadAudit:
    """Pages of rows, newest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, limit: int, cursor: str | None, event_type: str | None, subject_did: str | None) -> dict[str, Any]:
        """A page. Raises `INVALID_CURSOR`."""
        name = f"identity.audit:{event_type}:{subject_did}"
        before = decode_cursor(name, cursor) if cursor is not None else None
        rows = await self._store.read(lambda work: work.audit.page(before, limit + 1, event_type, subject_did))
        page = page_of(name, [(row.sequence, row) for row in rows], limit)
        return {
            "status": "ok",
            "events": [row.body() for row in page.rows],
            "cursor": page.cursor,
            "list_complete": page.list_complete,
            "legacy_binding_events": [],
        }
