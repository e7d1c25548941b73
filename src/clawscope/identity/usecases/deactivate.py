"""Take a controller or one of its agents out of service (identity.md §5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clawscope.identity.domain import events, purposes
from clawscope.identity.domain.event_keys import control_key
from clawscope.identity.ports import CutOffs, Store, Work
from clawscope.identity.usecases.expire_transfers import controller_to_change
from clawscope.identity.usecases.presenting import Signed, check_signed, presented, spend
from clawscope.identity.usecases.recording import Fact, cut_off, record
from clawscope.identity.usecases.register_agent import refuse_frozen, require_owner
from clawscope.identity.usecases.resolving import agent_at
from clawscope.kernel.clock import Clock

_SLUG = "deactivate"


class Deactivate:
    """Spends the challenge, marks the record, cuts off its tokens."""

    def __init__(self, store: Store, clock: Clock, cut_offs: CutOffs) -> None:
        self._store = store
        self._clock = clock
        self._cut_offs = cut_offs

    async def controller(self, signed: Signed, controller_did: str) -> dict[str, Any]:
        """`deactivated` or `already_inactive`.

        Raises `CONTROLLER_NOT_FOUND`, (1) the codes of SIG up to OWNER, (2) `CONTROLLER_OWNER_MISMATCH`,
        (3) `CONTROLLER_TRANSFER_FROZEN`, (4) `SIGNATURE_INVALID`.
        """
        return await self._store.transact(lambda work: self._controller(work, signed, controller_did))

    async def agent(self, signed: Signed, controller_did: str, agent_did: str) -> dict[str, Any]:
        """As for a controller; before the signature also (4) `CONTROLLER_AGENT_NOT_FOUND`."""
        return await self._store.transact(lambda work: self._agent(work, signed, controller_did, agent_did))

    def _controller(self, work: Work, signed: Signed, requested_did: str) -> dict[str, Any]:
        now = self._clock.now()
        controller, _ = controller_to_change(work, requested_did, now)
        did = controller.controller_did
        challenge = presented(work, signed, purposes.DEACTIVATE_CONTROLLER, {"controller_did": did}, now)  # 1
        require_owner(controller, signed.owner_did)  # 2
        refuse_frozen(controller)  # 3
        check_signed(challenge, signed)  # 4
        spend(work, challenge)
        key = control_key(now, _SLUG, signed.owner_did, signed.challenge_id)
        if not controller.active:
            return {"status": "already_inactive", "controller": controller.body(), "event_key": key}
        changed = replace(controller, active=False, last_challenge_id=signed.challenge_id, version=controller.version + 1)
        work.controllers.change(changed)
        cut_off(work, self._cut_offs, "controller_did", did, "controller deactivated", now)
        record(work, Fact(events.CONTROLLER_DEACTIVATED, signed.owner_did, did, {"challenge_id": signed.challenge_id}), now)
        return {"status": "deactivated", "controller": changed.body(), "event_key": key}

    def _agent(self, work: Work, signed: Signed, requested_did: str, requested_agent_did: str) -> dict[str, Any]:
        now = self._clock.now()
        controller, _ = controller_to_change(work, requested_did, now)
        fields = {"controller_did": controller.controller_did, "agent_did": requested_agent_did}
        challenge = presented(work, signed, purposes.DEACTIVATE_AGENT, fields, now)  # 1
        require_owner(controller, signed.owner_did)  # 2
        refuse_frozen(controller)  # 3
        agent, _ = agent_at(work, controller, requested_agent_did)  # 4
        check_signed(challenge, signed)
        spend(work, challenge)
        key = control_key(now, _SLUG, signed.owner_did, signed.challenge_id)
        if not agent.active:
            return {"status": "already_inactive", "binding": agent.body(controller), "event_key": key}
        changed = replace(agent, active=False, last_challenge_id=signed.challenge_id)
        work.agents.change(changed)
        work.controllers.change(replace(controller, version=controller.version + 1))
        value = f"{controller.controller_did} {agent.agent_did}"
        cut_off(work, self._cut_offs, "chain", value, "agent deactivated", now)
        details = {"controller_did": controller.controller_did, "challenge_id": signed.challenge_id}
        record(work, Fact(events.AGENT_DEACTIVATED, signed.owner_did, agent.agent_did, details), now)
        return {"status": "deactivated", "binding": changed.body(controller), "event_key": key}
