"""Hand key snapshots to the transparency log, one leaf each, in order (keys.md §6)."""

from __future__ import annotations

import hashlib
from functools import partial

from clawscope.issuer.ports import Store, TransparencyLog, Work
from clawscope.issuer.usecases.keys.append_snapshot import Snapshot
from clawscope.protocol.jcs import canonical

LOG_ID = "issuer-keys"
_PAGE = 100


def leaf_of(snapshot: Snapshot) -> bytes:
    """The leaf of a snapshot: SHA-256 of its JCS, 32 bytes."""
    return hashlib.sha256(canonical(dict(snapshot))).digest()


class PublishKeyLeaves:
    """Appends what the log has not got yet. Appending twice is success, so a crash between the two steps loses nothing."""

    def __init__(self, store: Store, log: TransparencyLog) -> None:
        self._store = store
        self._log = log

    async def __call__(self) -> int:
        """How many leaves were handed on. Raises what the log raises; the rest is handed on next time."""
        handed = 0
        while page := await self._store.read(_next_page):
            for snapshot in page:
                await self._log.append(LOG_ID, leaf_of(snapshot))
            await self._store.transact(partial(_move_to, page[-1]["sequence"]))
            handed += len(page)
        return handed


def _move_to(sequence: int, work: Work) -> None:
    work.log_cursors.move(LOG_ID, max(sequence, work.log_cursors.at(LOG_ID)))


def _next_page(work: Work) -> list[Snapshot]:
    return work.snapshots.page(None, work.log_cursors.at(LOG_ID), _PAGE)
