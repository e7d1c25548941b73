"""The chain owner → controller → agent as identity records it, and how the issuer judges it (tokens.md §2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clawscope.issuer.domain import errors
from clawscope.issuer.domain.denial import Denial
from clawscope.protocol import scope as scopes


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """Identity's record. `owners`, `controllers` and `agents` hold every DID of that role in it; `hashes` every policy hash."""

    active: bool
    owners: frozenset[str]
    controllers: frozenset[str]
    agents: frozenset[str]
    policy_hashes: frozenset[str]
    policy_hash: str
    allowed_sensitive_scopes: tuple[str, ...]
    transfer_pending: bool

    def facts(self) -> dict[str, Any]:
        """What preflight's policy digest commits to."""
        return {
            "active": self.active,
            "owners": sorted(self.owners),
            "policy_hashes": sorted(self.policy_hashes),
            "allowed_sensitive_scopes": list(self.allowed_sensitive_scopes),
            "transfer_pending": self.transfer_pending,
        }


class ChainUnusable(ValueError):
    """An answer of the identity service that lacks what the issuer must know."""


def read_chain(body: Any) -> ChainRecord:
    """The record in the body of `GET …/controllers/{controller}/agents/{agent}`. Raises `ChainUnusable`."""
    chain, controller, binding = (_part(body, name) for name in ("chain", "controller", "agent_binding"))
    policy = _part(controller, "policy")
    allowed = policy.get("allowed_sensitive_scopes", [])
    parts = (chain, controller, binding)
    named = (*parts, policy, body)
    hashes = [
        part[name] for part in parts for name in ("policy_hash_b64u", "control_plane_policy_hash_b64u") if isinstance(part.get(name), str)
    ]
    if isinstance(policy.get("policy_hash_b64u"), str):
        hashes.append(policy["policy_hash_b64u"])
    if not hashes or not isinstance(allowed, list) or not all(isinstance(one, str) for one in allowed):
        raise ChainUnusable("controller.policy lacks its hash or its allowed sensitive scopes")
    return ChainRecord(
        active=all(part.get("active") is True for part in parts),
        owners=_dids(named, "owner_did"),
        controllers=_dids(named, "controller_did"),
        agents=_dids(named, "agent_did"),
        policy_hashes=frozenset(hashes),
        policy_hash=hashes[0],
        allowed_sensitive_scopes=tuple(allowed),
        transfer_pending=_transfer_pending(body, chain, controller),
    )


def judge_chain(
    record: ChainRecord,
    *,
    owner_did: str,
    controller_did: str,
    agent_did: str,
    scope: tuple[str, ...],
    prefixes: tuple[str, ...],
    policy_hash: str | None,
) -> Iterator[Denial]:
    """Every reason against a chain, in the order of §2.3."""
    if not record.active:
        yield Denial(errors.CONTROL_CHAIN_INACTIVE, "agent_did", "chain, controller and agent binding must all be active")
    if record.owners != {owner_did}:
        yield Denial(errors.CONTROL_CHAIN_OWNER_MISMATCH, "owner_did", "name the owner the chain records")
    if record.controllers - {controller_did} or record.agents - {agent_did} or len(record.policy_hashes) > 1:
        yield Denial(
            errors.CONTROL_CHAIN_CONTEXT_MISMATCH, "controller_did", "the chain's record must agree with the request and with itself"
        )
    sensitive = [one for one in scope if scopes.is_sensitive(one, prefixes)]
    if sensitive and record.transfer_pending:
        yield Denial(errors.CONTROLLER_TRANSFER_FROZEN, "scope", "wait for the transfer to end, or drop the sensitive scopes")
    for one in sensitive:
        if one not in record.allowed_sensitive_scopes:
            yield Denial(
                errors.SENSITIVE_SCOPE_NOT_ALLOWED,
                "scope",
                f"drop {one} or have the owner allow it",
                one,
                "controller.policy.allowed_sensitive_scopes",
            )
    if policy_hash is not None and policy_hash != record.policy_hash:
        yield Denial(
            errors.CONTROL_POLICY_HASH_MISMATCH,
            "control_plane_policy_hash_b64u",
            "read the controller's policy again, or leave the member out",
        )


def _part(body: Any, name: str) -> Mapping[str, Any]:
    part = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(part, Mapping):
        raise ChainUnusable(f"{name} is missing")
    return part


def _dids(parts: tuple[Mapping[str, Any], ...], name: str) -> frozenset[str]:
    return frozenset(part[name] if isinstance(part[name], str) else "" for part in parts if name in part)


def _transfer_pending(body: Mapping[str, Any], chain: Mapping[str, Any], controller: Mapping[str, Any]) -> bool:
    if chain.get("transfer_pending") is True or controller.get("transfer_pending") is True:
        return True
    return "transfer_pending" in (
        body.get("transfer_state"),
        chain.get("transfer_state"),
        controller.get("transfer_state"),
        controller.get("state"),
    )
