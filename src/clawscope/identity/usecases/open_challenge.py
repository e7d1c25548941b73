"""Open a challenge for a DID to prove or give up its own binding (identity.md §3)."""

from __future__ import annotations

from typing import Any

from clawscope.identity.domain import errors, purposes
from clawscope.identity.domain.challenge import Challenge, Draft, message_v1, message_v2
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import Store, Work
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import RATE_LIMITED
from clawscope.kernel.ids import new_uuid


class OpenChallenge:
    """Writes a challenge of purpose `bind` or `revoke`."""

    def __init__(self, store: Store, clock: Clock, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules

    async def __call__(self, did: str, purpose: str, version: str) -> dict[str, Any]:
        """The challenge to sign. Raises `BINDING_REVOKED` for a DID that gave up its binding."""
        return await self._store.transact(lambda work: self._open(work, did, purpose, version))

    def _open(self, work: Work, did: str, purpose: str, version: str) -> dict[str, Any]:
        if purpose == purposes.BIND:
            binding = work.bindings.get(did)
            if binding is not None and not binding.active:
                raise errors.BINDING_REVOKED("use another DID")
        now = self._clock.now()
        limit_open(work, did, now, self._rules)
        draft = Draft(purpose, did, new_uuid(), new_uuid(), now + self._rules.challenge_ttl_s)
        challenge = written(work, draft, version, self._rules, {})
        return {
            "challenge_id": challenge.challenge_id,
            "purpose": purpose,
            "did": did,
            **signing_members(challenge, now),
        }


def limit_open(work: Work, did: str, now: int, rules: Rules) -> None:
    """Raises `RATE_LIMITED` while a DID has as many usable challenges as it may."""
    if work.challenges.open_of(did, now) >= rules.open_challenges_per_did:
        raise RATE_LIMITED(f"at most {rules.open_challenges_per_did} open challenges of one DID; use or wait out some of them")


def written(work: Work, draft: Draft, version: str, rules: Rules, bound: dict[str, Any]) -> Challenge:
    """Keep the challenge of a draft."""
    message = message_v2(draft, rules.service_did) if version == "2" else message_v1(draft)
    challenge = Challenge(draft.challenge_id, draft.purpose, draft.owner_did, draft.nonce, message, draft.expires_at, bound)
    work.challenges.add(challenge)
    return challenge


def signing_members(challenge: Challenge, now: int) -> dict[str, Any]:
    """What every answered challenge says of its signing."""
    return {
        "nonce": challenge.nonce,
        "message": challenge.message,
        "expires_at": challenge.expires_at,
        "expires_in_sec": challenge.expires_at - now,
    }
