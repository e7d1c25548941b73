"""Cut off every token of a claim value at once, and lock it if asked (tokens.md §4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.feed import CUTOFF, TOKEN, FeedRow, Lock
from clawscope.issuer.domain.issuance import Issuance
from clawscope.issuer.ports import Store, Work
from clawscope.issuer.usecases.recording import event_of
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import INVALID_REQUEST, NOT_FOUND
from clawscope.kernel.ids import new_id
from clawscope.kernel.principal import Reach
from clawscope.kernel.text import has_controls, trimmed
from clawscope.protocol.did import is_did
from clawscope.protocol.revocation import DIMENSIONS

_CALLER_IDS = ("client_id", "org_id")


@dataclass(frozen=True, slots=True)
class CutOffAnswer:
    """What a cut-off came to; `not_before` in epoch seconds: tokens issued up to then are revoked."""

    status: str
    cutoff_id: str
    sequence: int
    dimension: str
    value: str
    not_before: int
    locked: bool
    live_tokens: int


class CutOffSubjects:
    """Appends one feed row; a lock beside it stops issue until lifted."""

    def __init__(self, store: Store, clock: Clock, *, hard_max_ttl_s: int, clock_skew_s: int, claim_profile: str) -> None:
        self._store = store
        self._clock = clock
        self._longest_s = hard_max_ttl_s + 2 * clock_skew_s
        self._strict_claims = claim_profile == "v1"

    async def __call__(self, caller: Caller, dimension: str, value: str, reason: str, *, lock: bool) -> CutOffAnswer:
        """Cut off within the caller's reach. Raises `CUTOFF_DIMENSION_UNKNOWN`, `INVALID_REQUEST`, store codes."""
        value = judged_value(dimension, value)
        kept_reason = trimmed(reason)[:256]
        if not kept_reason:
            raise INVALID_REQUEST("reason: say why")
        return await self._store.transact(lambda work: self._record(work, caller, dimension, value, kept_reason, lock))

    async def dry_run(self, caller: Caller, dimension: str, value: str) -> int:
        """How many live tokens the cut-off would end."""
        value = judged_value(dimension, value)
        now = self._clock.now()
        return await self._store.read(lambda work: int(work.issuances.live_for(dimension, value, now, caller.principal.reach)))

    async def lift(self, caller: Caller, cutoff_id: str) -> None:
        """Lift a lock; nothing is revived. Raises 404 `NOT_FOUND`, `REVOKE_NOT_ALLOWED`."""

        def record(work: Work) -> None:
            row = work.revocations.cut_off(cutoff_id)
            if row is None:
                raise NOT_FOUND("there is no such cut-off")
            if not caller.principal.reach.covers(row.org_id, row.owner_did):
                raise errors.REVOKE_NOT_ALLOWED("this cut-off belongs to somebody else")
            if not work.locks.lift(cutoff_id):
                raise NOT_FOUND("this cut-off holds no lock", fix="nothing is left to lift; a cut-off itself is never undone")
            work.events.put(event_of(events.CUTOFF_LIFTED, caller, self._clock.now(), cutoff_id=cutoff_id))

        await self._store.transact(record)

    def _record(self, work: Work, caller: Caller, dimension: str, value: str, reason: str, lock: bool) -> CutOffAnswer:
        # Issuing transactions queue on the same number: none commits between the count here and this commit.
        work.issuances.queue()
        work.revocations.queue()
        now = self._clock.now()
        reach = caller.principal.reach
        not_before = max(now, work.issuances.latest_iat(dimension, value) or 0)
        live = work.issuances.live_for(dimension, value, now, reach)
        if self._strict_claims and dimension in _CALLER_IDS:
            for issuance in work.issuances.live_rows(dimension, value, now, reach):
                self._end_one(work, caller, issuance, reason, now)
        row = self._row(work, caller, dimension, value, reason, not_before, now, lock)
        work.revocations.add(row)
        cutoff_id = row.cutoff_id or ""
        if lock:
            work.locks.add(Lock(cutoff_id, dimension, value, reach.org_id, reach.owner_did))
        told = {"dimension": dimension, "value": value, "sequence": row.sequence, "live_tokens": live, "locked": lock}
        work.events.put(event_of(events.SUBJECTS_CUT_OFF, caller, now, **told))
        return CutOffAnswer("cut_off", cutoff_id, row.sequence, dimension, value, not_before, lock, live)

    def _row(self, work: Work, caller: Caller, dimension: str, value: str, reason: str, not_before: int, now: int, lock: bool) -> FeedRow:
        reach: Reach = caller.principal.reach
        return FeedRow(
            sequence=work.revocations.next_sequence(),
            kind=CUTOFF,
            exp=not_before + self._longest_s,
            reason=reason,
            revoked_by=caller.principal.credential,
            revoked_at=now,
            committed_at_ms=work.committed_at_ms(),
            dimension=dimension,
            value=value,
            not_before=not_before,
            cutoff_id=new_id("cut"),
            locked=lock,
            org_id=reach.org_id,
            owner_did=reach.owner_did,
        )

    def _end_one(self, work: Work, caller: Caller, issuance: Issuance, reason: str, now: int) -> None:
        """Tokens of profile v1 do not carry their caller's ids: each is revoked by name (§1.1)."""
        if work.revocations.find(issuance.claims["jti"], issuance.token_hash) is not None:
            return
        work.revocations.add(
            FeedRow(
                sequence=work.revocations.next_sequence(),
                kind=TOKEN,
                exp=int(issuance.claims["exp"]),
                reason=reason,
                revoked_by=caller.principal.credential,
                revoked_at=now,
                committed_at_ms=work.committed_at_ms(),
                jti=issuance.claims["jti"],
                token_hash=issuance.token_hash,
                org_id=issuance.claims.get("org_id"),
                owner_did=issuance.claims.get("owner_did"),
            )
        )


def judged_value(dimension: str, value: str) -> str:
    """The trimmed value of a known dimension. Raises `CUTOFF_DIMENSION_UNKNOWN`, `INVALID_REQUEST`."""
    if dimension not in DIMENSIONS:
        raise errors.CUTOFF_DIMENSION_UNKNOWN("dimension", fix="one of " + ", ".join(DIMENSIONS))
    value = trimmed(value)
    parts = value.split(" ") if dimension == "chain" else [value]
    dids = dimension == "chain" or dimension.endswith("_did")
    if not value or len(value) > 1025 or has_controls(value) or (dimension == "chain" and len(parts) != 2):
        raise INVALID_REQUEST("value: give the claim's value; for chain `<controller> <agent>`")
    if dids and not all(is_did(part) for part in parts):
        raise INVALID_REQUEST("value: is not a DID")
    return value
