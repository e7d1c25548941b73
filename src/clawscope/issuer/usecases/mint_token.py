"""Sign a drafted token and commit its audit row before it leaves the process (tokens.md §2.5): no row, no token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.decision import judge_locks
from clawscope.issuer.domain.drafting import Draft
from clawscope.issuer.domain.issuance import Issuance, reach_kind_of
from clawscope.issuer.ports import Known, Pause, Store, View, Work
from clawscope.issuer.usecases.recording import event_of
from clawscope.kernel.clock import Clock
from clawscope.kernel.ids import new_uuid
from clawscope.protocol.claims import Claims
from clawscope.protocol.codes import TOKEN_REVOKED
from clawscope.protocol.revocation import RevocationView, dimension_values
from clawscope.protocol.token import Minted, TokenTooLarge, mint

# A cut-off or a key move may overtake a mint; each retry waits for at most a second, so this bounds the wait.
_TRIES = 5
_GAP_ROWS = 5000

Also = Callable[[Work, Minted], None]
Answer = Callable[[Minted], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Why a mint must be tried again: `key` (another key signs now) or `second` (a cut-off covers this second)."""

    by: str


class MintToken:
    """Signs, then commits row, event and kept answer in one transaction; retries when overtaken by a key move or a cut-off."""

    def __init__(self, store: Store, view: View, clock: Clock, pause: Pause) -> None:
        self._store = store
        self._view = view
        self._clock = clock
        self._pause = pause

    async def __call__(
        self, draft: Draft, caller: Caller, answer: Answer, *, event: str = events.TOKEN_ISSUED, also: Also | None = None
    ) -> Minted:
        """The minted token, durable. Raises 503 signing codes, `SUBJECT_CUT_OFF`, `TOKEN_REVOKED` (an ancestor died), store codes."""
        # The transaction itself judges what was committed since this view: only an overtaken mint must look again.
        known = self._view.known
        if not known.keyring.can_sign("token"):
            known = await self._view.fresh()
        for _ in range(_TRIES):
            minted = self._sign(draft, known)
            hit = known.revocations.hit(minted.claims, minted.token_hash)
            if hit is not None and hit.kind == "ancestor":
                raise TOKEN_REVOKED("the subject token was revoked")
            outcome: Overtaken | None = (
                Overtaken("second") if hit else await self._commit(draft, caller, answer, event, also, known, minted)
            )
            if outcome is None:
                return minted
            if outcome.by == "second":
                await self._pause.until_after(minted.claims.iat)
            known = await self._view.fresh()
        raise errors.SUBJECT_CUT_OFF("a cut-off of this subject lies ahead of the clock", fix="retry in some seconds")

    def _sign(self, draft: Draft, known: Known) -> Minted:
        kid, key = known.keyring.signer("token")
        now = self._clock.now()
        expires = draft.expires(now)
        if expires <= now:
            raise errors.TTL_EXPIRED("exp", fix="ask for at least one second from now")
        claims = msgspec.convert({**draft.claims, "iat": now, "exp": expires, "jti": new_uuid(), "nonce": new_uuid()}, Claims)
        try:
            return mint(claims, key, kid)
        except TokenTooLarge:
            raise errors.SCOPE_TOO_LARGE("the token would exceed 8192 bytes", fix="ask for fewer or shorter scopes and audiences") from None

    async def _commit(
        self, draft: Draft, caller: Caller, answer: Answer, event: str, also: Also | None, known: Known, minted: Minted
    ) -> Overtaken | None:
        seen = known.revocations.sequence

        def record(work: Work) -> Overtaken | None:
            work.issuances.queue()
            if not work.keys.is_active(minted.kid):
                return Overtaken("key")
            if _hit_since(work, seen, minted):
                return Overtaken("second")
            denied = next(judge_locks(_lock_values(draft, minted), work.locks.all()), None)
            if denied is not None:
                raise denied.refusal()
            if also is not None:
                also(work, minted)
            work.issuances.add(self._row(work.issuances.next_sequence(), draft, caller, minted))
            work.events.put(
                event_of(
                    event,
                    caller,
                    minted.claims.iat,
                    org_id=draft.ids.get("org_id"),
                    token_hash=minted.token_hash,
                    jti=minted.claims.jti,
                    mission_id=minted.claims.mission_id,
                    run_id=minted.claims.run_id,
                )
            )
            if caller.answer_key is not None:
                work.answers.keep(caller.answer_key, 200, answer(minted))
            return None

        return await self._store.transact(record)

    def _row(self, sequence: int, draft: Draft, caller: Caller, minted: Minted) -> Issuance:
        claims = msgspec.to_builtins(minted.claims)
        claims.pop("nonce", None)
        return Issuance(
            sequence=sequence,
            token_hash=minted.token_hash,
            claims={**claims, **draft.ids},
            issued_at=minted.claims.iat,
            kid=minted.kid,
            policy_version=draft.policy_version,
            policy_tier=draft.policy_tier,
            chain_verified=draft.chain_verified,
            issued_by=caller.principal.credential,
            reach_kind=reach_kind_of(caller.principal.reach),
            route=caller.route,
            evidence_required=draft.evidence_required,
            request_id=caller.request_id,
            parent_jti=draft.parent_jti,
            approval_receipt_id=draft.approval_receipt_id,
        )


def _lock_values(draft: Draft, minted: Minted) -> list[tuple[str, str]]:
    # Under claim profile v1 the token does not carry its caller's ids; a lock on them holds all the same.
    return [*dimension_values(minted.claims), *draft.ids.items()]


def _hit_since(work: Work, seen: int, minted: Minted) -> bool:
    """Whether a row committed after the view was read covers this token."""
    head = work.revocations.head()
    if head == seen:
        return False
    newer = RevocationView.at(head, [row.effect() for row in work.revocations.since(seen, _GAP_ROWS)])
    return newer.hit(minted.claims, minted.token_hash) is not None
