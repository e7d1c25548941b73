"""Hand issuance rows to the transparency log, in commit order (tokens.md §6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from clawscope.issuer.ports import Store, TransparencyLog, Work

LOG_ID = "issuer-audit"
_BATCH = 500


class PublishIssuances:
    """Leaf = SHA-256 of the JCS of the row. Without a log nothing moves: every row waits for the day one is connected."""

    def __init__(self, store: Store, log: TransparencyLog | None) -> None:
        self._store = store
        self._log = log

    async def __call__(self) -> int:
        """Append what is new; returns how many leaves. A leaf appended twice is success."""
        if self._log is None:
            return 0
        done = 0
        while rows := await self._store.read(lambda work: work.issuances.after(work.log_cursors.at(LOG_ID), _BATCH)):
            for _, row in rows:
                await self._log.append(LOG_ID, hashlib.sha256(row.leaf()).digest())
            reached = rows[-1][0]
            await self._store.transact(_reach(reached))
            done += len(rows)
        return done


def _reach(sequence: int) -> Callable[[Work], None]:
    return lambda work: work.log_cursors.move(LOG_ID, sequence)
