"""Put an agent under a controller, or bring it back (identity.md §5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clawscope.identity.domain import errors, events, purposes
from clawscope.identity.domain.event_keys import control_key
from clawscope.identity.domain.records import Agent, Controller
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import Store, Work
from clawscope.identity.usecases.expire_transfers import controller_to_change
from clawscope.identity.usecases.presenting import Signed, check_signed, consent_of, presented, require_bound, spend
from clawscope.identity.usecases.recording import Fact, record
from clawscope.kernel.clock import Clock


class RegisterAgent:
    """Spends the challenge and writes the agent."""

    def __init__(self, store: Store, clock: Clock, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules

    async def __call__(self, signed: Signed, controller_did: str, agent_did: str) -> dict[str, Any]:
        """`registered` or `already_registered`.

        Raises `CONTROLLER_NOT_FOUND`, (1) the codes of SIG up to OWNER, (2) `AGENT_BINDING_REQUIRED`, (3) `CONTROLLER_INACTIVE`,
        (4) `CONTROLLER_OWNER_MISMATCH`, (5) `CONTROLLER_TRANSFER_FROZEN`, (6) `SIGNATURE_INVALID`, `SUBJECT_CONSENT_REQUIRED`,
        (7) `ROTATION_CONFLICT`.
        """
        return await self._store.transact(lambda work: self._register(work, signed, controller_did, agent_did))

    def _register(self, work: Work, signed: Signed, requested_did: str, agent_did: str) -> dict[str, Any]:
        now = self._clock.now()
        controller, _ = controller_to_change(work, requested_did, now)
        fields = {"controller_did": controller.controller_did, "agent_did": agent_did}
        challenge = presented(work, signed, purposes.REGISTER_AGENT, fields, now)  # 1
        require_bound(work, agent_did, errors.AGENT_BINDING_REQUIRED)  # 2
        require_active(controller)  # 3
        require_owner(controller, signed.owner_did)  # 4
        refuse_frozen(controller)  # 5
        check_signed(challenge, signed)  # 6
        consent = consent_of(challenge, signed, agent_did, required=self._rules.consent_required)
        former = work.agents.get(controller.controller_did, agent_did)
        if former is not None and former.rotated_to_did is not None:  # 7
            raise errors.ROTATION_CONFLICT("this agent was rotated out")
        spend(work, challenge)
        key = control_key(now, "agent-register", signed.owner_did, signed.challenge_id)
        if former is not None and former.active:
            return {"status": "already_registered", "binding": former.body(controller), "event_key": key}
        agent = self._written(work, controller, agent_did, former, signed, consent, now)
        more = {} if former is None else {"reactivated": True}
        return {"status": "registered", "binding": agent.body(controller), "event_key": key, **more}

    def _written(
        self, work: Work, controller: Controller, agent_did: str, former: Agent | None, signed: Signed, consent: str, now: int
    ) -> Agent:
        if former is None:
            position = work.agents.next_position()
            agent = Agent(controller.controller_did, agent_did, True, now, signed.challenge_id, consent, position)
            work.agents.add(agent)
        else:
            agent = replace(former, active=True, registered_at=now, last_challenge_id=signed.challenge_id, consent=consent)
            work.agents.change(agent)
        work.controllers.change(replace(controller, version=controller.version + 1))
        details = {
            "controller_did": controller.controller_did,
            "challenge_id": signed.challenge_id,
            "consent": consent,
            "reactivated": former is not None,
        }
        record(work, Fact(events.AGENT_REGISTERED, signed.owner_did, agent_did, details), now)
        return agent


def require_active(controller: Controller) -> None:
    """Raises `CONTROLLER_INACTIVE`."""
    if not controller.active:
        raise errors.CONTROLLER_INACTIVE("register the controller again, freshly signed")


def require_owner(controller: Controller, owner_did: str) -> None:
    """Raises `CONTROLLER_OWNER_MISMATCH`."""
    if controller.owner_did != owner_did:
        raise errors.CONTROLLER_OWNER_MISMATCH("only the owner changes this controller")


def refuse_frozen(controller: Controller) -> None:
    """Raises `CONTROLLER_TRANSFER_FROZEN` while a transfer is pending."""
    if controller.is_pending:
        raise errors.CONTROLLER_TRANSFER_FROZEN("confirm or cancel the transfer, or wait for its end")
