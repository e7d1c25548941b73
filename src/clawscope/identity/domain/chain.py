"""The chain owner → controller → agent: whether it acts, computed at every read (identity.md §5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clawscope.identity.domain.records import Agent, Alias, Controller


@dataclass(frozen=True, slots=True)
class Standing:
    """Which DIDs of the chain are bound now."""

    owner: bool
    controller: bool
    agent: bool


@dataclass(frozen=True, slots=True)
class Way:
    """How a requested DID led to a record: the DID, where it ended, and the aliases between."""

    requested_did: str
    resolved_did: str
    aliases: Sequence[Alias] = field(default_factory=tuple)

    def bodies(self) -> list[dict[str, Any]]:
        """The aliases on the way, as they are answered."""
        return [alias.body() for alias in self.aliases]


def inactive_reasons(controller: Controller, agent: Agent, standing: Standing) -> list[str]:
    """Every reason why the chain does not act; none means that it does."""
    judged = {
        "owner_binding_inactive": standing.owner,
        "controller_binding_inactive": standing.controller,
        "agent_binding_inactive": standing.agent,
        "controller_inactive": controller.active,
        "agent_inactive": agent.active,
    }
    return [reason for reason, good in judged.items() if not good]


def chain_body(controller: Controller, agent: Agent, standing: Standing, to_controller: Way, to_agent: Way, now: int) -> dict[str, Any]:
    """The answer of the chain read; the issuer judges it when minting (tokens.md §2.3)."""
    reasons = inactive_reasons(controller, agent, standing)
    return {
        "status": "ok",
        "owner_did": controller.owner_did,
        "controller": controller.body(),
        "agent_binding": agent.body(controller),
        "alias_resolution": {
            "requested_controller_did": to_controller.requested_did,
            "resolved_controller_did": to_controller.resolved_did,
            "requested_agent_did": to_agent.requested_did,
            "resolved_agent_did": to_agent.resolved_did,
            "controller_aliases": to_controller.bodies(),
            "agent_aliases": to_agent.bodies(),
        },
        "chain": {
            "owner_did": controller.owner_did,
            "controller_did": controller.controller_did,
            "agent_did": agent.agent_did,
            "policy_hash_b64u": controller.policy_hash,
            "active": not reasons,
            "transfer_state": controller.transfer_state,
            "inactive_reasons": reasons,
            "as_of": now,
        },
    }
