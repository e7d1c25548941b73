"""Issuance tiers: what a token of a tier may be (tokens.md §2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clawscope.kernel.money import dollars_to_micros
from clawscope.protocol import jcs, scope
from clawscope.protocol.digest import sha256_b64u
from clawscope.protocol.strict_json import NotJson, parse

_EVIDENCE_MOST = 16


class TierPolicyBroken(ValueError):
    """A tier policy that may not be used; the text says what to mend."""


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One tier. Both scope lists empty allow nothing; `allowed_audiences` empty means any; `max_spend_cap` in dollars."""

    max_ttl_seconds: int
    allow_wildcards: bool = False
    allowed_scopes: tuple[str, ...] = ()
    allowed_scope_prefixes: tuple[str, ...] = ()
    allowed_audiences: tuple[str, ...] = ()
    max_spend_cap: int | float | None = None
    require_binding: str = "none"
    require_policy_pin: bool = False
    approval_scopes: tuple[str, ...] = ()
    evidence: dict[str, tuple[str, ...]] = {}
    auto_approve: bool = False

    def allows_scope(self, wanted: str) -> bool:
        """Exact membership while `allowed_scopes` is not empty, else a prefix must match."""
        if self.allowed_scopes:
            return wanted in self.allowed_scopes
        return any(wanted.startswith(prefix) for prefix in self.allowed_scope_prefixes)

    def needs_approval(self, wanted: str) -> bool:
        """Whether the scope is covered by, or covers, one that only an approval may mint."""
        return any(scope.covers(one, wanted) or scope.covers(wanted, one) for one in self.approval_scopes)

    def missing_evidence(self, wanted: str, promised: tuple[str, ...]) -> list[str]:
        """The names that must be promised for a scope and are not."""
        return [name for prefix, names in self.evidence.items() if wanted.startswith(prefix) for name in names if name not in promised]

    def max_spend_micros(self) -> int | None:
        """The tier's spend cap in micro-dollars, if it has one."""
        return None if self.max_spend_cap is None else dollars_to_micros(self.max_spend_cap)

    def problems(self, hard_max_ttl_s: int) -> list[str]:
        """What is wrong with the tier."""
        found = []
        if not 1 <= self.max_ttl_seconds <= hard_max_ttl_s:
            found.append(f"max_ttl_seconds must be between 1 and {hard_max_ttl_s}")
        if self.require_binding not in ("none", "run_id", "job_id", "any"):
            found.append("require_binding is none, run_id, job_id or any")
        named = (*self.allowed_scopes, *self.approval_scopes)
        if not all(scope.is_scope_text(one) and scope.wildcard_is_well_placed(one) for one in named):
            found.append("allowed_scopes and approval_scopes hold scopes")
        if not all(scope.is_scope_text(one) for one in (*self.allowed_scope_prefixes, *self.evidence)):
            found.append("prefixes hold scope characters only and are not empty")
        try:
            self.max_spend_micros()
        except ValueError as error:
            found.append(f"max_spend_cap: {error}")
        return found


class TierPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tiers in force under one version."""

    version: str
    tiers: dict[str, Tier]

    def get(self, name: str) -> Tier | None:
        """A tier by exact name; nothing is inherited, nothing is guessed."""
        return self.tiers.get(name)

    def digest(self, name: str) -> str:
        """The hash of one tier under this version, for the policy digest of preflight."""
        tier = self.tiers.get(name)
        return sha256_b64u(
            jcs.canonical({"version": self.version, "name": name, "tier": None if tier is None else msgspec.to_builtins(tier)})
        )


def read_policy(raw: bytes, hard_max_ttl_s: int) -> TierPolicy:
    """A tier policy from its JSON text. Raises `TierPolicyBroken` naming every fault."""
    try:
        policy = msgspec.convert(parse(raw), TierPolicy)
    except (NotJson, msgspec.ValidationError) as error:
        raise TierPolicyBroken(str(error)) from None
    faults = [f"tiers.{name}: {fault}" for name, tier in policy.tiers.items() for fault in tier.problems(hard_max_ttl_s)]
    if not policy.tiers:
        faults.append("tiers is empty")
    if faults:
        raise TierPolicyBroken("; ".join(faults))
    return policy


def built_in(max_ttl_s: int, policy_tier: str) -> TierPolicy:
    """The tiers in force without a policy file (tokens.md §11): `policy_tier`, and `exchange`, which cannot pay."""
    prefixes = ("proxy:", "clawproxy:", "cpx:", "clawbounties:", "clawincome:", "control:")
    unpaid = tuple(part for prefix in prefixes for part in (("cpx:proxy:", "cpx:provider:") if prefix == "cpx:" else (prefix,)))
    tiers: Mapping[str, Any] = {
        policy_tier: Tier(max_ttl_seconds=max_ttl_s, allowed_scope_prefixes=prefixes),
        "exchange": Tier(max_ttl_seconds=max_ttl_s, allowed_scope_prefixes=unpaid),
    }
    return TierPolicy("builtin-1", dict(tiers))
