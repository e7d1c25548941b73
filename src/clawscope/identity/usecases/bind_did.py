"""Bind a DID: it proves its key by signing a challenge (identity.md §4)."""

from __future__ import annotations

from typing import Any

from clawscope.identity.domain import errors, events, purposes
from clawscope.identity.domain.challenge import Challenge
from clawscope.identity.domain.records import Binding, timed
from clawscope.identity.domain.signing import check_signature
from clawscope.identity.ports import Store, Work
from clawscope.identity.usecases.presenting import refuse_expired, remembered, spend
from clawscope.identity.usecases.recording import Fact, record
from clawscope.kernel.clock import Clock


class BindDid:
    """Spends the challenge and keeps the binding."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, did: str, challenge_id: str, signature_b64u: str) -> dict[str, Any]:
        """`bound` or `already_bound`. Raises the codes of `proved`, then `BINDING_REVOKED`."""
        return await self._store.transact(lambda work: self._bind(work, did, challenge_id, signature_b64u))

    def _bind(self, work: Work, did: str, challenge_id: str, signature_b64u: str) -> dict[str, Any]:
        now = self._clock.now()
        challenge = proved(work, did, challenge_id, signature_b64u, purposes.BIND, now)
        binding = work.bindings.get(did)
        if binding is not None and not binding.active:
            raise errors.BINDING_REVOKED("use another DID")
        spend(work, challenge)
        if binding is not None:
            return {"status": "already_bound", "did": did}
        work.bindings.add(Binding(did, now))
        record(work, Fact(events.BINDING_BOUND, did, did, {"challenge_id": challenge_id}), now)
        return {"status": "bound", "did": did, "active": True, **timed("bound_at", now), "challenge_id": challenge_id}


def proved(work: Work, did: str, challenge_id: str, signature_b64u: str, purpose: str, now: int) -> Challenge:
    """The challenge a DID signed for itself.

    (1) `CHALLENGE_NOT_FOUND`, (2) `CHALLENGE_DID_MISMATCH`, (3) `CHALLENGE_PURPOSE_MISMATCH`, (4) `CHALLENGE_EXPIRED`,
    (5) `UNSUPPORTED_DID`, `INVALID_DID`, (6) `SIGNATURE_INVALID`.
    """
    challenge = remembered(work, challenge_id, now)  # 1
    if challenge.owner_did != did:  # 2
        raise errors.CHALLENGE_DID_MISMATCH("this challenge was made for another DID")
    if challenge.purpose != purpose:  # 3
        raise errors.CHALLENGE_PURPOSE_MISMATCH(f"this needs a challenge of purpose {purpose}")
    refuse_expired(challenge, now)  # 4
    check_signature(did, challenge.message, signature_b64u)  # 5 and 6
    return challenge
