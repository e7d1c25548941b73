"""Open a challenge for a scoped token, and exchange it: challenge, token and log leaf commit together (identity.md §9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawscope.identity.domain import errors, events
from clawscope.identity.domain.rules import Rules
from clawscope.identity.domain.scope_challenge import (
    LOG_ID,
    REMEMBERED_S,
    ScopeChallenge,
    Scoped,
    judge_pair,
    judge_scoped,
    leaf_hash,
    scope_message,
)
from clawscope.identity.domain.signing import is_signed, key_of
from clawscope.identity.ports import Leaves, ScopedIssuer, Store, Work
from clawscope.identity.usecases.presenting import Signed, require_bound
from clawscope.identity.usecases.recording import Fact, record
from clawscope.kernel.clock import Clock
from clawscope.kernel.errors import Refusal
from clawscope.kernel.ids import new_uuid

_TOLD = ("token", "token_hash", "policy_version", "token_lane", "kid", "iat", "exp")


class OpenScopeChallenge:
    """Writes a challenge for a scoped token."""

    def __init__(self, store: Store, clock: Clock, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules

    async def __call__(self, scoped: Scoped) -> dict[str, Any]:
        """What to sign.

        Raises (1) `INVALID_REQUEST`, (2) `OWNER_BINDING_REQUIRED`, (3) `INVALID_CANONICAL_CONTEXT`, (4) `OWNER_ATTESTATION_NOT_FOUND`.
        """
        judge_scoped(scoped)  # 1
        return await self._store.transact(lambda work: self._open(work, scoped))

    def _open(self, work: Work, scoped: Scoped) -> dict[str, Any]:
        require_bound(work, scoped.owner_did, errors.OWNER_BINDING_REQUIRED)  # 2
        judge_pair(scoped)  # 3
        if scoped.owner_attestation_id is not None:  # 4
            raise errors.OWNER_ATTESTATION_NOT_FOUND("register the attestation first")
        challenge_id, expires_at = f"scope_chl_{new_uuid()}", self._clock.now() + self._rules.exchange_challenge_ttl_s
        message = scope_message(scoped, challenge_id, new_uuid(), expires_at, self._rules.service_did)
        work.scope_challenges.add(ScopeChallenge(challenge_id, scoped, message, expires_at))
        return {
            "challenge_id": challenge_id,
            "owner_did": scoped.owner_did,
            "message": message,
            "expires_at": expires_at,
            "ttl_sec": scoped.ttl_s,
        }


@dataclass(slots=True)
class _Leaf:
    hash_b64u: str | None = None


class ExchangeChallenge:
    """Judges the challenge, then has the issuer mint in a transaction in which everything is judged again."""

    def __init__(self, store: Store, clock: Clock, rules: Rules, issuer: ScopedIssuer | None, leaves: Leaves | None) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._issuer = issuer
        self._leaves = leaves

    async def __call__(self, signed: Signed) -> dict[str, Any]:
        """`issued`, with the token.

        Raises (1) the codes of `_judged`, (2) `SCOPE_DEPENDENCY_NOT_CONFIGURED`, (3) the issuer's refusals, (4) `CLAWLOGS_APPEND_FAILED`.
        """
        challenge = await self._store.read(lambda work: self._judged(work, signed))  # 1
        if self._issuer is None:  # 2
            raise errors.SCOPE_DEPENDENCY_NOT_CONFIGURED("connect an issuer")
        leaf = _Leaf()

        def within(work: Work, minted: Mapping[str, Any]) -> None:
            self._judged(work, signed)
            self._settle(work, challenge, minted, leaf)

        asked = challenge.scoped.asked_of_issuer(self._rules.exchange_tier)
        minted = await self._issuer.issue(asked, within)  # 3, 4
        return {
            "status": "issued",
            "owner_did": signed.owner_did,
            **{name: minted.get(name) for name in _TOLD},
            "clawlogs_leaf_hash_b64u": leaf.hash_b64u,
            "clawlogs_status": "skipped" if leaf.hash_b64u is None else "written",
        }

    def _judged(self, work: Work, signed: Signed) -> ScopeChallenge:
        """(1) `…_USED`, (2) `…_NOT_FOUND`, (3) `…_OWNER_MISMATCH`, (4) `…_EXPIRED`, (5) `…_SIGNATURE_INVALID`, (6) OWNER, as of now."""
        now = self._clock.now()
        challenge = work.scope_challenges.get(signed.challenge_id)
        if challenge is not None and challenge.used_at is not None and now <= challenge.used_at + REMEMBERED_S:  # 1
            raise errors.TOKEN_EXCHANGE_CHALLENGE_USED("ask for a new challenge")
        if challenge is None or challenge.used_at is not None or now > challenge.expires_at + REMEMBERED_S:  # 2
            raise errors.TOKEN_EXCHANGE_CHALLENGE_NOT_FOUND("ask for a challenge; each is good once")
        if challenge.scoped.owner_did != signed.owner_did:  # 3
            raise errors.TOKEN_EXCHANGE_OWNER_MISMATCH("exchange as the owner who asked")
        if now > challenge.expires_at:  # 4
            raise errors.TOKEN_EXCHANGE_CHALLENGE_EXPIRED("ask for a new challenge")
        if not is_signed(key_of(signed.owner_did), challenge.message.encode(), signed.signature_b64u):  # 5
            raise errors.TOKEN_EXCHANGE_SIGNATURE_INVALID("sign the message exactly as it was returned")
        require_bound(work, signed.owner_did, errors.OWNER_BINDING_REQUIRED)  # 6
        return challenge

    def _settle(self, work: Work, challenge: ScopeChallenge, minted: Mapping[str, Any], leaf: _Leaf) -> None:
        now = self._clock.now()
        if not work.scope_challenges.use(challenge.challenge_id, now):
            raise errors.TOKEN_EXCHANGE_CHALLENGE_USED("ask for a new challenge")
        leaf.hash_b64u = self._logged(work, leaf_hash(minted, challenge.scoped))
        scoped = challenge.scoped
        details = {"token_hash": minted["token_hash"], "audience": list(scoped.aud), "scope": list(scoped.scope)}
        details |= {"challenge_id": challenge.challenge_id, "clawlogs_leaf_hash_b64u": leaf.hash_b64u}
        record(work, Fact(events.SCOPE_EXCHANGED, scoped.owner_did, scoped.agent_did or scoped.owner_did, details), now)

    def _logged(self, work: Work, leaf: str) -> str | None:
        mode = self._rules.clawlogs_mode
        if mode == "disabled":
            return None
        try:
            if self._leaves is None:
                raise errors.CLAWLOGS_APPEND_FAILED("no transparency log is connected")
            self._leaves.append(work.transaction, LOG_ID, leaf)
        except Refusal:
            if mode == "required":
                raise errors.CLAWLOGS_APPEND_FAILED("retry, or ask the operator of the log") from None
            return None
        return leaf
