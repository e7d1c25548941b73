"""Set a controller's sensitive policy; what it no longer allows ends at once (identity.md §5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clawscope.identity.domain import events, purposes
from clawscope.identity.domain.event_keys import control_key
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import CutOffs, Store, Work
from clawscope.identity.usecases.choosing_policy import admitting, require_scopes
from clawscope.identity.usecases.expire_transfers import controller_to_change
from clawscope.identity.usecases.presenting import Signed, check_signed, presented, spend
from clawscope.identity.usecases.recording import Fact, cut_off, record
from clawscope.identity.usecases.register_agent import refuse_frozen, require_active, require_owner
from clawscope.kernel.clock import Clock


class SetPolicy:
    """Spends the challenge, writes the policy, cuts off tokens holding a removed scope."""

    def __init__(self, store: Store, clock: Clock, cut_offs: CutOffs, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._cut_offs = cut_offs
        self._rules = rules

    async def __call__(self, signed: Signed, controller_did: str, scopes: Sequence[str] | None) -> dict[str, Any]:
        """`updated`; absent scopes bring the default back.

        Raises `CONTROLLER_NOT_FOUND`, (1) the codes of SIG up to OWNER, (2) `CONTROLLER_INACTIVE`, (3) `CONTROLLER_OWNER_MISMATCH`,
        (4) `CONTROLLER_TRANSFER_FROZEN`, (5) `SIGNATURE_INVALID`, (6) `INVALID_SENSITIVE_POLICY`.
        """
        return await self._store.transact(lambda work: self._set(work, signed, controller_did, scopes))

    def _set(self, work: Work, signed: Signed, requested_did: str, asked: Sequence[str] | None) -> dict[str, Any]:
        now = self._clock.now()
        controller, _ = controller_to_change(work, requested_did, now)
        choice = admitting(signed.owner_did, asked, self._rules.policy)
        challenge = presented(work, signed, purposes.UPDATE_POLICY, {"controller_did": controller.controller_did}, now, choice)  # 1
        require_active(controller)  # 2
        require_owner(controller, signed.owner_did)  # 3
        refuse_frozen(controller)  # 4
        check_signed(challenge, signed)  # 5
        scopes = require_scopes(asked)  # 6
        spend(work, challenge)
        removed = sorted(set(controller.allowed_sensitive_scopes) - set(scopes))
        changed = replace(
            controller,
            allowed_sensitive_scopes=scopes,
            policy_updated_at=now,
            last_challenge_id=signed.challenge_id,
            version=controller.version + 1,
        )
        work.controllers.change(changed)
        if removed:
            value = " ".join([controller.controller_did, *removed])
            cut_off(work, self._cut_offs, "controller_scopes", value, "sensitive policy narrowed", now)
        details = {"challenge_id": signed.challenge_id, "policy_hash_b64u": changed.policy_hash, "removed_scopes": removed}
        record(work, Fact(events.POLICY_UPDATED, signed.owner_did, controller.controller_did, details), now)
        key = control_key(now, "policy-update", signed.owner_did, signed.challenge_id)
        return {"status": "updated", "controller": changed.body(), "event_key": key}
