"""Export a controller with all its active agents and aliases, signed as a whole (identity.md §8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from clawscope.identity.domain import errors, events, purposes
from clawscope.identity.domain.bundle import payload_hash, sealed
from clawscope.identity.domain.event_keys import control_key
from clawscope.identity.domain.records import Agent, Alias, Controller, timed
from clawscope.identity.domain.rules import Rules
from clawscope.identity.ports import StatementKeys, Store, Work
from clawscope.identity.usecases.expire_transfers import controller_to_change
from clawscope.identity.usecases.presenting import Signed, check_signed, presented, spend
from clawscope.identity.usecases.recording import Fact, record
from clawscope.identity.usecases.register_agent import refuse_frozen, require_owner
from clawscope.identity.usecases.resolving import agent_at
from clawscope.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Asked:
    """What to export, and for whom."""

    controller_did: str
    agent_did: str | None = None
    audience: tuple[str, ...] | None = None


class ExportIdentity:
    """Spends the challenge, counts the export, signs the bundle."""

    def __init__(self, store: Store, clock: Clock, keys: StatementKeys | None, rules: Rules) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._rules = rules

    async def __call__(self, signed: Signed, asked: Asked) -> dict[str, Any]:
        """`exported`, with the bundle.

        Raises (1) `CONTROLLER_NOT_FOUND`, (2) `CONTROLLER_OWNER_MISMATCH`, (3) the codes of SIG up to OWNER,
        (4) `CONTROLLER_TRANSFER_FROZEN`, (5) `SIGNATURE_INVALID`, (6) `CONTROLLER_AGENT_NOT_FOUND`,
        (7) `EXPORT_SIGNING_NOT_CONFIGURED`, (8) `EXPORT_TOO_LARGE`.
        """
        return await self._store.transact(lambda work: self._export(work, signed, asked))

    def _export(self, work: Work, signed: Signed, asked: Asked) -> dict[str, Any]:
        now = self._clock.now()
        controller, _ = controller_to_change(work, asked.controller_did, now)  # 1
        require_owner(controller, signed.owner_did)  # 2
        audience = None if asked.audience is None else list(asked.audience)
        fields = {"controller_did": controller.controller_did, "agent_did": asked.agent_did, "audience": audience}
        challenge = presented(work, signed, purposes.EXPORT, fields, now)  # 3
        refuse_frozen(controller)  # 4
        check_signed(challenge, signed)  # 5
        agents = self._agents(work, controller, asked.agent_did)  # 6
        signer = self._keys.current() if self._keys is not None else None
        if signer is None:  # 7
            raise errors.EXPORT_SIGNING_NOT_CONFIGURED("give this service a statement key")
        if len(agents) > self._rules.export_max_agents:  # 8
            raise errors.EXPORT_TOO_LARGE(f"at most {self._rules.export_max_agents} agents", fix="name an agent_did")
        spend(work, challenge)
        counted = replace(controller, export_sequence=controller.export_sequence + 1)
        work.controllers.change(counted)
        payload = _payload(counted, agents, _aliases(work, counted, agents))
        envelope = self._envelope(counted, payload, audience or [self._rules.service_did], now)
        bundle = sealed({**envelope, "signer_kid": signer[0]}, signer[1])
        details = {"bundle_hash_b64u": envelope["bundle_hash_b64u"], "sequence": counted.export_sequence, "agents": len(agents)}
        record(work, Fact(events.EXPORTED, signed.owner_did, controller.controller_did, details), now)
        key = control_key(now, "identity-export", signed.owner_did, signed.challenge_id)
        return {"status": "exported", "export_bundle": bundle, "event_key": key}

    def _agents(self, work: Work, controller: Controller, agent_did: str | None) -> list[Agent]:
        if agent_did is None:
            return work.agents.active_of(controller.controller_did, self._rules.export_max_agents + 1)
        agent, _ = agent_at(work, controller, agent_did)
        return [agent] if agent.active else []

    def _envelope(self, controller: Controller, payload: dict[str, Any], audience: list[str], now: int) -> dict[str, Any]:
        return {
            "envelope_version": "2",
            "envelope_type": "identity_export_bundle",
            "issuer": self._rules.service_did,
            "audience": audience,
            "sequence": controller.export_sequence,
            **timed("exported_at", now),
            "expires_at": now + self._rules.import_max_age_s,
            "bundle_hash_b64u": payload_hash(payload),
            "hash_algorithm": "SHA-256",
            "signature_algorithm": "Ed25519",
            "payload": payload,
        }


def _aliases(work: Work, controller: Controller, agents: Sequence[Agent]) -> list[Alias]:
    """The aliases that end at the controller or at an exported agent."""
    exported = {agent.agent_did for agent in agents}
    of_agents = [alias for alias in work.aliases.of_controller(controller.controller_did) if alias.final_did in exported]
    return [*work.aliases.leading_to("controller", "", controller.controller_did), *of_agents]


def _payload(controller: Controller, agents: Sequence[Agent], aliases: Sequence[Alias]) -> dict[str, Any]:
    return {
        "bundle_version": "2",
        "owner_did": controller.owner_did,
        "controller": controller.body(),
        "agent_bindings": [agent.body(controller) for agent in agents],
        "rotation_aliases": [alias.body() for alias in aliases],
    }
