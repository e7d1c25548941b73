"""The issuer's unit of work on SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy import bindparam, exists, select, update
from sqlalchemy.sql.expression import literal

from clawscope.infra.db.database import Database, Transactor
from clawscope.infra.db.kept_answers import KeptAnswers, KeyPlace
from clawscope.infra.db.outbox import Outbox
from clawscope.infra.db.schema import sequences
from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.approval_store import SqlApprovals
from clawscope.issuer.adapters.issuance_store import SqlIssuances
from clawscope.issuer.adapters.key_store import SqlKeys, SqlSnapshots
from clawscope.issuer.adapters.key_tables import log_cursors
from clawscope.issuer.adapters.node_store import SqlNodes
from clawscope.issuer.adapters.revocation_store import SqlLocks, SqlRevocations
from clawscope.issuer.adapters.tables import locks
from clawscope.issuer.domain.caller import AnswerKey
from clawscope.kernel.clock import Clock

_CURSOR = select(log_cursors.c.sequence).where(log_cursors.c.log_id == bindparam("l"))
_MOVE = update(log_cursors).where(log_cursors.c.log_id == bindparam("l")).values(sequence=bindparam("s"))


def _sequence(name: str) -> Any:
    return select(sequences.c.value).where(sequences.c.name == literal(name, literal_execute=False)).scalar_subquery()


WATERMARK = select(_sequence("revocations"), _sequence("key_snapshots"), exists(select(locks.c.cutoff_id)))


class SqlAnswers:
    """Keeps answers under their Idempotency-Key within the minting transaction."""

    def __init__(self, tx: Tx, expires_at: Callable[[], int]) -> None:
        self._tx = tx
        self._expires_at = expires_at

    def keep(self, key: AnswerKey, status: int, answer: Mapping[str, Any]) -> None:
        """Keep an answer without its token."""
        text = msgspec.json.encode(answer).decode()
        KeptAnswers(self._tx).settle(KeyPlace(key.caller, key.route, key.key), status, text, self._expires_at())


class SqlLogCursors:
    """How far rows of each log were handed on."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def at(self, log_id: str) -> int:
        """The last sequence handed on; 0 before the first."""
        row = self._tx.first(_CURSOR, l=log_id)
        return int(row[0]) if row else 0

    def move(self, log_id: str, sequence: int) -> None:
        """Remember that rows up to `sequence` were handed on."""
        if self._tx.change(_MOVE, l=log_id, s=sequence) == 0:
            self._tx.add(log_cursors, {"log_id": log_id, "sequence": sequence})


class SqlWork:
    """All repositories of the issuer on one transaction."""

    def __init__(self, tx: Tx, clock: Clock, idempotency_ttl_s: int, ring: Callable[[], None]) -> None:
        self._tx = tx
        self._clock = clock
        self.issuances = SqlIssuances(tx)
        self.revocations = SqlRevocations(tx, ring)
        self.locks = SqlLocks(tx)
        self.keys = SqlKeys(tx)
        self.snapshots = SqlSnapshots(tx, ring)
        self.nodes = SqlNodes(tx)
        self.approvals = SqlApprovals(tx)
        self.events = Outbox(tx)
        self.answers = SqlAnswers(tx, lambda: clock.now() + idempotency_ttl_s)
        self.log_cursors = SqlLogCursors(tx)

    def committed_at_ms(self) -> int:
        """The clock at the time of this transaction, in milliseconds."""
        return self._clock.now_ms()

    def after_commit(self, ring: Callable[[], None]) -> None:
        """See `Work.after_commit`."""
        self._tx.after_commit(ring)


def latest_second(work: SqlWork) -> int:
    """The latest second any issuance, revocation or key snapshot was committed at; 0 for an empty store."""
    latest = work.snapshots.latest()
    return max(work.issuances.latest_second(), work.revocations.latest_second(), latest["generated_at"] if latest else 0)


MakeWork = Callable[[Tx], SqlWork]


def issuer_work(clock: Clock, idempotency_ttl_s: int, ring: Callable[[], None]) -> MakeWork:
    """Makes the issuer's unit of work on a transaction; `ring` is called after a commit that adds to the feed or the key log."""
    return lambda tx: SqlWork(tx, clock, idempotency_ttl_s, ring)


def issuer_store(database: Database, clock: Clock, idempotency_ttl_s: int, ring: Callable[[], None]) -> Transactor:
    """The issuer's store on a database."""
    return Transactor(database, issuer_work(clock, idempotency_ttl_s, ring))


class SqlWatermark:
    """Reads the newest numbers from the store's primary, shared by concurrent requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self) -> tuple[int, int, bool]:
        """See `Watermark`."""
        row = await self._database.glance(WATERMARK)
        if row is None or row[0] is None or row[1] is None:
            raise LookupError("the schema is not migrated")
        return int(row[0]), int(row[1]), bool(row[2])
