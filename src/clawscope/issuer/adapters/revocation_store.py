"""The revocation feed and the locks on SQL. The feed is append-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import bindparam, delete, or_, select

from clawscope.infra.db.tx import Tx
from clawscope.issuer.adapters.issuance_store import within
from clawscope.issuer.adapters.tables import issuances, locks, revocations
from clawscope.issuer.domain.feed import FeedRow, Lock
from clawscope.kernel.principal import Reach

Times = tuple[int | None, int | None]
Equal = Mapping[str, str]

_c = revocations.c
_BY_NAME = select(revocations).where(or_(_c.token_hash == bindparam("hash"), _c.jti == bindparam("jti")))
_BY_CUTOFF = select(revocations).where(_c.cutoff_id == bindparam("v"))
_BY_KID = select(revocations).where(_c.kind == "key", _c.kid == bindparam("v"))
_NEWEST = select(_c.revoked_at).order_by(_c.sequence.desc()).limit(1)
_SINCE = select(revocations).where(_c.sequence > bindparam("s")).order_by(_c.sequence).limit(bindparam("most"))
_HITTING = (
    select(revocations).where(_c.sequence > bindparam("s"), _c.exp >= bindparam("now")).order_by(_c.sequence).limit(bindparam("most"))
)
_LOCKS = select(locks)
_LOCK = select(locks).where(locks.c.cutoff_id == bindparam("v"))
_LIFT = delete(locks).where(locks.c.cutoff_id == bindparam("v"))
_FIELDS = ("jti", "token_hash", "dimension", "value", "not_before", "cutoff_id", "kid", "org_id", "owner_did")


class SqlRevocations:
    """`Revocations` on SQL; `ring` is called once an added row is durable."""

    def __init__(self, tx: Tx, ring: Callable[[], None]) -> None:
        self._tx = tx
        self._ring = ring

    def head(self) -> int:
        """The last number, without a lock."""
        return self._tx.head("revocations")

    def queue(self) -> None:
        """Wait for the turn of this revoking transaction: one at a time over all processes."""
        self._tx.take("revocations")

    def next_sequence(self) -> int:
        """The next number, in the order of commits."""
        return self._tx.next("revocations")

    def add(self, row: FeedRow) -> None:
        """Append a row."""
        kept = {name: getattr(row, name) for name in _FIELDS}
        self._tx.after_commit(self._ring)
        self._tx.add(
            revocations,
            kept
            | {
                "sequence": row.sequence,
                "kind": row.kind,
                "exp": row.exp,
                "locked": int(row.locked),
                "reason": row.reason,
                "revoked_by": row.revoked_by,
                "revoked_at": row.revoked_at,
                "committed_at_ms": row.committed_at_ms,
                "event_key": row.event_key,
            },
        )

    def latest_second(self) -> int:
        """The second of the newest row; 0 without one."""
        row = self._tx.first(_NEWEST)
        return int(row[0]) if row else 0

    def find(self, jti: str | None, token_hash: str | None) -> FeedRow | None:
        """The row that already revokes a token by its `jti` or hash."""
        found = self._tx.first(_BY_NAME, hash=token_hash, jti=jti)
        return None if found is None else _read(found)

    def cut_off(self, cutoff_id: str) -> FeedRow | None:
        """The row of a cut-off."""
        found = self._tx.first(_BY_CUTOFF, v=cutoff_id)
        return None if found is None else _read(found)

    def key_row(self, kid: str) -> FeedRow | None:
        """The row that revoked a key."""
        found = self._tx.first(_BY_KID, v=kid)
        return None if found is None else _read(found)

    def since(self, sequence: int, most: int) -> list[FeedRow]:
        """Rows above a sequence, ascending."""
        return [_read(row) for row in self._tx.rows(_SINCE, s=sequence, most=most)]

    def page(
        self,
        before: int | None,
        most: int,
        reach: Reach,
        *,
        bare: bool = False,
        times: Times = (None, None),
        equal: Equal = MappingProxyType({}),
    ) -> list[FeedRow]:
        """Rows newest first, below a sequence; with `bare` those beyond reach come too (the caller blanks them)."""
        conditions = [] if bare or reach.everything else [within(_c, reach)]
        if before is not None:
            conditions.append(_c.sequence < before)
        conditions += _between(*times) + _named(equal)
        rows = self._tx.rows(select(revocations).where(*conditions).order_by(_c.sequence.desc()).limit(most))
        return [_read(row) for row in rows]

    def export(self, reach: Reach, after: int, through: int, most: int, times: Times, equal: Equal) -> list[FeedRow]:
        """Rows within reach above `after` up to `through`, ascending."""
        conditions = [within(_c, reach), _c.sequence > after, _c.sequence <= through, *_between(*times), *_named(equal)]
        return [_read(row) for row in self._tx.rows(select(revocations).where(*conditions).order_by(_c.sequence).limit(most))]

    def still_hitting(self, now: int, after: int, most: int) -> list[FeedRow]:
        """Rows above a sequence that may still hit a live token at `now`."""
        return [_read(row) for row in self._tx.rows(_HITTING, s=after, now=now, most=most)]


class SqlLocks:
    """`Locks` on SQL."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def all(self) -> Sequence[Lock]:
        """Every lock; read once a batch."""
        return [Lock(row.cutoff_id, row.dimension, row.value, row.org_id, row.owner_did) for row in self._tx.once(_LOCKS)]

    def add(self, lock: Lock) -> None:
        """Lock a subject."""
        row = {
            "cutoff_id": lock.cutoff_id,
            "dimension": lock.dimension,
            "value": lock.value,
            "org_id": lock.org_id,
            "owner_did": lock.owner_did,
        }
        self._tx.add(locks, row)
        self._tx.changed()

    def get(self, cutoff_id: str) -> Lock | None:
        """The lock of a cut-off, if it still stands."""
        row = self._tx.first(_LOCK, v=cutoff_id)
        return None if row is None else Lock(row.cutoff_id, row.dimension, row.value, row.org_id, row.owner_did)

    def lift(self, cutoff_id: str) -> bool:
        """Lift a lock; False if there was none."""
        return self._tx.change(_LIFT, v=cutoff_id) > 0


def _between(from_at: int | None, to_at: int | None) -> list[Any]:
    found = []
    if from_at is not None:
        found.append(_c.revoked_at >= from_at)
    if to_at is not None:
        found.append(_c.revoked_at < to_at)
    return found


def _named(equal: Equal) -> list[Any]:
    """Audit filters: on the feed's own columns, else on the issuance a row revokes."""
    own = [_c[name] == value for name, value in equal.items() if name in _FIELDS]
    foreign = [issuances.c[name] == value for name, value in equal.items() if name not in _FIELDS]
    return [*own, _c.jti.in_(select(issuances.c.jti).where(*foreign))] if foreign else own


def _read(row: Any) -> FeedRow:
    return FeedRow(
        sequence=row.sequence,
        kind=row.kind,
        exp=row.exp,
        locked=bool(row.locked),
        reason=row.reason,
        revoked_by=row.revoked_by,
        revoked_at=row.revoked_at,
        committed_at_ms=row.committed_at_ms,
        **{name: getattr(row, name) for name in _FIELDS},
    )
