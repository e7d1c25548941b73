"""Put a controller in charge, bring it back, or reclaim it by its own signature (identity.md §5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clawscope.identity.domain import errors, events, purposes
from clawscope.identity.domain.event_keys import control_key
from clawscope.identity.domain.records import ACTIVE, OWNER_ONLY, SIGNED, Controller
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import CutOffs, Store, Work
from clawscope.identity.usecases.choosing_policy import admitting, require_scopes
from clawscope.identity.usecases.presenting import Signed, check_signed, consent_of, presented, require_bound, spend
from clawscope.identity.usecases.recording import Fact, cut_off, record
from clawscope.kernel.clock import Clock


class RegisterController:
    """Spends the challenge and writes the record."""

    def __init__(self, store: Store, clock: Clock, cut_offs: CutOffs, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._cut_offs = cut_offs
        self._rules = rules

    async def __call__(self, signed: Signed, controller_did: str, scopes: Sequence[str] | None) -> dict[str, Any]:
        """`registered` or `already_registered`.

        Raises (1) the codes of SIG up to OWNER, (2) `CONTROLLER_BINDING_REQUIRED`, (3) `SIGNATURE_INVALID`, `SUBJECT_CONSENT_REQUIRED`,
        (4) `CONTROLLER_OWNER_MISMATCH` (409), (5) `ROTATION_CONFLICT`, (6) `INVALID_SENSITIVE_POLICY`.
        """
        return await self._store.transact(lambda work: self._register(work, signed, controller_did, scopes))

    def _register(self, work: Work, signed: Signed, controller_did: str, scopes: Sequence[str] | None) -> dict[str, Any]:
        now = self._clock.now()
        choice = admitting(signed.owner_did, scopes, self._rules.policy)
        challenge = presented(work, signed, purposes.REGISTER_CONTROLLER, {"controller_did": controller_did}, now, choice)  # 1
        require_bound(work, controller_did, errors.CONTROLLER_BINDING_REQUIRED)  # 2
        check_signed(challenge, signed)  # 3
        consent = consent_of(challenge, signed, controller_did, required=self._rules.consent_required)
        found = work.controllers.get(controller_did)
        former = found.as_of(now) if found is not None else None
        if former is not None:
            self._judge_former(work, former, signed.owner_did, consent)  # 4 and 5
        if former is not None and former.owner_did == signed.owner_did and former.active:
            spend(work, challenge)
            return {"status": "already_registered", "controller": former.body(), "event_key": self._key(signed, now)}
        made = self._made(signed, controller_did, require_scopes(scopes), consent, now)  # 6
        spend(work, challenge)
        return self._written(work, made, former, signed, now)

    def _judge_former(self, work: Work, former: Controller, owner_did: str, consent: str) -> None:
        if former.owner_did != owner_did:
            binding = work.bindings.get(former.owner_did)
            yields = former.consent == OWNER_ONLY or binding is None or not binding.active
            if consent != SIGNED or not yields:
                raise errors.CONTROLLER_TAKEN("another owner holds this controller", fix="send the controller's own signature")
        if former.rotated_to_did is not None:
            raise errors.ROTATION_CONFLICT("this controller was rotated out")
        if former.owner_did != owner_did and former.is_pending:
            raise errors.CONTROLLER_TRANSFER_FROZEN("a controller in transfer is not reclaimed")

    def _made(self, signed: Signed, controller_did: str, scopes: tuple[str, ...], consent: str, now: int) -> Controller:
        return Controller(
            controller_did=controller_did,
            owner_did=signed.owner_did,
            active=True,
            registered_at=now,
            last_challenge_id=signed.challenge_id,
            allowed_sensitive_scopes=scopes,
            policy_updated_at=now,
            consent=consent,
            origin_issuer=self._rules.service_did,
        )

    def _written(self, work: Work, made: Controller, former: Controller | None, signed: Signed, now: int) -> dict[str, Any]:
        event_type, more = events.CONTROLLER_REGISTERED, {}
        if former is None:
            work.controllers.add(made)
        elif former.owner_did == made.owner_did:
            made = replace(made, version=former.version + 1, export_sequence=former.export_sequence)
            work.controllers.change(made)
            more = {"reactivated": True}
        else:
            event_type = events.CONTROLLER_RECLAIMED
            made = self._reclaimed(work, made, former, now)
        details = {"challenge_id": signed.challenge_id, "policy_hash_b64u": made.policy_hash, "consent": made.consent, **more}
        record(work, Fact(event_type, made.owner_did, made.controller_did, details), now)
        return {"status": "registered", "controller": made.body(), "event_key": self._key(signed, now), **more}

    def _reclaimed(self, work: Work, made: Controller, former: Controller, now: int) -> Controller:
        """The displaced owner's agents end with his tokens."""
        for agent in work.agents.all_of(former.controller_did):
            if agent.active:
                work.agents.change(replace(agent, active=False))
        cut_off(work, self._cut_offs, "controller_did", former.controller_did, "controller reclaimed", now)
        made = replace(made, version=former.version + 1, export_sequence=former.export_sequence, transfer_state=ACTIVE)
        work.controllers.change(made)
        return made

    def _key(self, signed: Signed, now: int) -> str:
        return control_key(now, "controller-register", signed.owner_did, signed.challenge_id)
