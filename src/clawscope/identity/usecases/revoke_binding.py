"""Revoke a binding for ever: its chains stop and its tokens end (identity.md §4)."""

from __future__ import annotations

from typing import Any

from clawscope.identity.domain import errors, events, purposes
from clawscope.identity.domain.event_keys import binding_key
from clawscope.identity.domain.records import present, timed
from clawscope.identity.ports import CutOffs, Store, Work
from clawscope.identity.usecases.bind_did import proved
from clawscope.identity.usecases.presenting import spend
from clawscope.identity.usecases.recording import Fact, cut_off, record
from clawscope.kernel.clock import Clock
from clawscope.kernel.text import trimmed

# A revoked DID may stand in a token in any of these claims.
_CLAIMS = ("sub", "owner_did", "controller_did", "agent_did", "delegator_did")
_MOST_REASON = 256


class RevokeBinding:
    """Spends the challenge, ends the binding and cuts off its tokens in one transaction."""

    def __init__(self, store: Store, clock: Clock, cut_offs: CutOffs) -> None:
        self._store = store
        self._clock = clock
        self._cut_offs = cut_offs

    async def __call__(self, did: str, challenge_id: str, signature_b64u: str, reason: str | None) -> dict[str, Any]:
        """`revoked` or `already_revoked`. Raises the codes of `proved`, then `BINDING_NOT_FOUND`."""
        kept = trimmed(reason)[:_MOST_REASON] if reason is not None else None
        return await self._store.transact(lambda work: self._revoke(work, did, challenge_id, signature_b64u, kept or None))

    def _revoke(self, work: Work, did: str, challenge_id: str, signature_b64u: str, reason: str | None) -> dict[str, Any]:
        now = self._clock.now()
        challenge = proved(work, did, challenge_id, signature_b64u, purposes.REVOKE, now)
        binding = work.bindings.get(did)
        if binding is None:
            raise errors.BINDING_NOT_FOUND("only a bound DID is revoked")
        spend(work, challenge)
        if binding.revoked_at is not None:
            return {"status": "already_revoked", "did": did, **timed("revoked_at", binding.revoked_at)}
        chains = work.agents.chains_of(did)
        work.bindings.revoke(did, now, reason)
        for claim in _CLAIMS:
            cut_off(work, self._cut_offs, claim, did, "binding revoked", now)
        details = present({"challenge_id": challenge_id, "reason": reason, "chains_inactive": chains})
        record(work, Fact(events.BINDING_REVOKED, did, did, details), now)
        return {
            "status": "revoked",
            "did": did,
            **timed("revoked_at", now),
            "event_key": binding_key(now, did, challenge_id),
            "chains_inactive": chains,
            "tokens_cut_off": "done",
        }
