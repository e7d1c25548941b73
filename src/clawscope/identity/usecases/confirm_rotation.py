"""Let a controller or an agent continue under another DID, all of it in one transaction (identity.md §6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clawscope.identity.domain import errors, events, purposes
from clawscope.identity.domain.event_keys import control_key
from clawscope.identity.domain.records import Agent, Alias, Controller
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import CutOffs, Store, Work
from clawscope.identity.usecases.expire_transfers import controller_to_change
from clawscope.identity.usecases.presenting import Signed, check_signed, consent_of, presented, require_bound, spend
from clawscope.identity.usecases.recording import Fact, cut_off, record
from clawscope.identity.usecases.register_agent import refuse_frozen, require_owner
from clawscope.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Rotation:
    """Which DID becomes which; `controller_did` is under whom an agent rotates."""

    role: str
    from_did: str
    to_did: str
    controller_did: str | None = None


class ConfirmRotation:
    """Spends the challenge, writes the new record and the alias, ends the old record and its tokens."""

    def __init__(self, store: Store, clock: Clock, cut_offs: CutOffs, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._cut_offs = cut_offs
        self._rules = rules

    async def __call__(self, signed: Signed, rotation: Rotation) -> dict[str, Any]:
        """`rotated` or `already_confirmed`.

        Raises (1) the codes of SIG up to OWNER, (2) `ROTATION_TARGET_BINDING_REQUIRED`, (3) `SIGNATURE_INVALID`,
        `SUBJECT_CONSENT_REQUIRED`, (4) `ROTATION_CONFLICT`, (5) `CONTROLLER_NOT_FOUND`, (6) `CONTROLLER_OWNER_MISMATCH`,
        (7) `CONTROLLER_TRANSFER_FROZEN`, (8) `CONTROLLER_AGENT_NOT_FOUND`, (9) `ROTATION_TARGET_CONFLICT`.
        """
        return await self._store.transact(lambda work: self._confirm(work, signed, rotation))

    def _confirm(self, work: Work, signed: Signed, rotation: Rotation) -> dict[str, Any]:
        now = self._clock.now()
        controller = self._controller(work, rotation, now)
        fields = {"rotation_role": rotation.role, "from_did": rotation.from_did, "to_did": rotation.to_did}
        if rotation.role == "agent":
            fields["controller_did"] = controller.controller_did if controller else rotation.controller_did or ""
        challenge = presented(work, signed, purposes.CONFIRM_ROTATION, fields, now)  # 1
        require_bound(work, rotation.to_did, errors.ROTATION_TARGET_BINDING_REQUIRED)  # 2
        check_signed(challenge, signed)  # 3
        consent = consent_of(challenge, signed, rotation.to_did, required=self._rules.consent_required)
        key = control_key(now, "rotation-confirm", signed.owner_did, signed.challenge_id)
        scope = controller.controller_did if controller and rotation.role == "agent" else ""
        standing = work.aliases.find(rotation.role, scope, rotation.from_did)
        if standing is not None:  # 4
            if standing.to_did != rotation.to_did or standing.owner_did != signed.owner_did:
                raise errors.ROTATION_CONFLICT("this DID was rotated to another one")
            spend(work, challenge)
            return {"status": "already_confirmed", "rotation_role": rotation.role, "alias": standing.body(), "event_key": key}
        if controller is None:  # 5
            raise errors.CONTROLLER_NOT_FOUND("register the controller first")
        require_owner(controller, signed.owner_did)  # 6
        refuse_frozen(controller)  # 7
        alias = self._rotated(work, controller, rotation, signed, consent, now)
        spend(work, challenge)
        return {"status": "rotated", "rotation_role": rotation.role, "alias": alias.body(), "event_key": key}

    def _controller(self, work: Work, rotation: Rotation, now: int) -> Controller | None:
        did = rotation.from_did if rotation.role == "controller" else rotation.controller_did or ""
        return controller_to_change(work, did, now)[0] if work.controllers.get(did) is not None else None

    def _rotated(self, work: Work, controller: Controller, rotation: Rotation, signed: Signed, consent: str, now: int) -> Alias:
        step = _Step(rotation.to_did, signed.challenge_id, consent, now)
        if rotation.role == "controller":
            if rotation.to_did == rotation.from_did or work.controllers.get(rotation.to_did) is not None:  # 9
                raise errors.ROTATION_TARGET_CONFLICT("rotate to a DID that was never a controller here")
            _move_controller(work, controller, step)
            cut_off(work, self._cut_offs, "controller_did", rotation.from_did, "controller rotated", now)
        else:
            agent = work.agents.get(controller.controller_did, rotation.from_did)
            if agent is None:  # 8
                raise errors.CONTROLLER_AGENT_NOT_FOUND("register the agent under this controller first")
            if work.agents.get(controller.controller_did, rotation.to_did) is not None:  # 9; from = to is found here too
                raise errors.ROTATION_TARGET_CONFLICT("rotate to a DID that was never an agent of this controller")
            _move_agent(work, controller, agent, step)
            chain = f"{controller.controller_did} {rotation.from_did}"
            cut_off(work, self._cut_offs, "chain", chain, "agent rotated", now)
        alias = _led_on(work, controller, rotation, now)
        event_type = events.CONTROLLER_ROTATED if rotation.role == "controller" else events.AGENT_ROTATED
        details = {"to_did": rotation.to_did, "controller_did": controller.controller_did, "challenge_id": signed.challenge_id}
        record(work, Fact(event_type, signed.owner_did, rotation.from_did, {**details, "consent": consent}), now)
        return alias


@dataclass(frozen=True, slots=True)
class _Step:
    to_did: str
    challenge_id: str
    consent: str
    now: int


def _move_controller(work: Work, former: Controller, step: _Step) -> None:
    """The new record takes over policy, agents, their aliases and the export sequence."""
    work.controllers.add(
        replace(
            former,
            controller_did=step.to_did,
            rotated_from_did=former.controller_did,
            rotation_confirmed_at=step.now,
            last_challenge_id=step.challenge_id,
            consent=step.consent,
            version=former.version + 1,
        )
    )
    work.controllers.change(replace(former, active=False, rotated_to_did=step.to_did, version=former.version + 1))
    for agent in work.agents.all_of(former.controller_did):
        work.agents.add(replace(agent, controller_did=step.to_did))
        if agent.active:
            work.agents.change(replace(agent, active=False))
    for alias in work.aliases.of_controller(former.controller_did):
        work.aliases.drop(alias)
        work.aliases.put(replace(alias, controller_did=step.to_did))


def _move_agent(work: Work, controller: Controller, former: Agent, step: _Step) -> None:
    work.agents.add(
        Agent(
            controller_did=controller.controller_did,
            agent_did=step.to_did,
            active=former.active,
            registered_at=former.registered_at,
            last_challenge_id=step.challenge_id,
            consent=step.consent,
            position=work.agents.next_position(),
            rotated_from_did=former.agent_did,
            rotation_confirmed_at=step.now,
        )
    )
    work.agents.change(replace(former, active=False, rotated_to_did=step.to_did))
    work.controllers.change(replace(controller, version=controller.version + 1))


def _led_on(work: Work, controller: Controller, rotation: Rotation, now: int) -> Alias:
    """The new alias; those that ended at the former DID end at the new one."""
    under = controller.controller_did if rotation.role == "agent" else None
    for alias in work.aliases.leading_to(rotation.role, under or "", rotation.from_did):
        work.aliases.put(replace(alias, final_did=rotation.to_did))
    made = Alias(rotation.role, rotation.from_did, rotation.to_did, rotation.to_did, controller.owner_did, now, under)
    work.aliases.put(made)
    return made
