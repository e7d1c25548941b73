"""What a preflight answers: every denial by name, what would be granted, and on which policy (tokens.md §7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from clawscope.issuer.domain import errors
from clawscope.issuer.domain.chain import ChainRecord
from clawscope.issuer.domain.decision import Ground, longest_ttl
from clawscope.issuer.domain.denial import Denial
from clawscope.issuer.domain.request import CANONICAL, Asked, IssueFields
from clawscope.kernel.errors import Code
from clawscope.protocol.digest import sha256_b64u
from clawscope.protocol.jcs import canonical
from clawscope.protocol.scope import scope_hash

DENIED_SCOPE, DENIED_WILDCARD, DENIED_TTL, DENIED_AUDIENCE = "DENIED_SCOPE", "DENIED_WILDCARD", "DENIED_TTL", "DENIED_AUDIENCE"
DENIED_TIER, DENIED_LANE, DENIED_SPEND_CAP, DENIED_CHAIN = "DENIED_TIER", "DENIED_LANE", "DENIED_SPEND_CAP", "DENIED_CHAIN"
DENIED_SENSITIVE, DENIED_POLICY, DENIED_BINDING = "DENIED_SENSITIVE", "DENIED_POLICY", "DENIED_BINDING"
DENIED_EVIDENCE, DENIED_APPROVAL = "DENIED_EVIDENCE", "DENIED_APPROVAL"
DENIED_ISSUER, DENIED_CUT_OFF = "DENIED_ISSUER", "DENIED_CUT_OFF"

_REASONS: dict[Code, str] = {
    errors.SCOPE_NOT_ALLOWED: DENIED_SCOPE,
    errors.SCOPE_WILDCARD_NOT_ALLOWED: DENIED_WILDCARD,
    errors.TTL_TOO_LONG: DENIED_TTL,
    errors.AUDIENCE_NOT_ALLOWED: DENIED_AUDIENCE,
    errors.TIER_UNKNOWN: DENIED_TIER,
    errors.TIER_NOT_ALLOWED: DENIED_TIER,
    errors.LEGACY_EXCHANGE_DISABLED: DENIED_LANE,
    errors.LEGACY_SENSITIVE_SCOPE_FORBIDDEN: DENIED_LANE,
    errors.SPEND_CAP_TOO_HIGH: DENIED_SPEND_CAP,
    errors.CANONICAL_AGENT_SUB_MISMATCH: DENIED_CHAIN,
    errors.CANONICAL_CHAIN_REQUIRED: DENIED_CHAIN,
    errors.CONTROL_CHAIN_NOT_FOUND: DENIED_CHAIN,
    errors.CONTROL_CHAIN_INACTIVE: DENIED_CHAIN,
    errors.CONTROL_CHAIN_OWNER_MISMATCH: DENIED_CHAIN,
    errors.CONTROL_CHAIN_CONTEXT_MISMATCH: DENIED_CHAIN,
    errors.CONTROLLER_TRANSFER_FROZEN: DENIED_CHAIN,
    errors.SENSITIVE_SCOPE_NOT_ALLOWED: DENIED_SENSITIVE,
    errors.CONTROL_POLICY_HASH_MISMATCH: DENIED_POLICY,
    errors.POLICY_PIN_REQUIRED: DENIED_POLICY,
    errors.POLICY_UNKNOWN: DENIED_POLICY,
    errors.BINDING_REQUIRED: DENIED_BINDING,
    errors.EVIDENCE_REQUIRED: DENIED_EVIDENCE,
    errors.APPROVAL_REQUIRED: DENIED_APPROVAL,
    errors.ISSUER_SCOPE_EXCEEDED: DENIED_ISSUER,
    errors.SUBJECT_CUT_OFF: DENIED_CUT_OFF,
}
# Denials that take single scopes away; the others stand in the way of the whole request.
_SCOPE_CAUSES = frozenset(
    {errors.SCOPE_NOT_ALLOWED, errors.SCOPE_WILDCARD_NOT_ALLOWED, errors.SENSITIVE_SCOPE_NOT_ALLOWED, errors.ISSUER_SCOPE_EXCEEDED,
     errors.LEGACY_SENSITIVE_SCOPE_FORBIDDEN, errors.APPROVAL_REQUIRED}
)  # fmt: skip


class PreflightFields(IssueFields, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A preflight request: the members of an issue, why, and which evidence is promised (`[]` for none); never `exp`.

    `sub` and `aud` default to those of a calling CST.
    """

    reason: str
    evidence_required: list[str]
    sub: str = ""
    aud: str | list[str] = ""
    lane: str = CANONICAL


def answer(
    asked: Asked, reason: str, ground: Ground, denials: Sequence[Denial], record: ChainRecord | None, locked: Sequence[str]
) -> dict[str, Any]:
    """The body. It holds no time and no id: equal request and policy give equal bytes. Raises the refusal of a malformed request."""
    for denial in denials:
        if denial.code not in _REASONS:
            raise denial.refusal()
    shown = [_shown(denial) for denial in denials]
    only_approval = bool(shown) and all(one["code"] == DENIED_APPROVAL for one in shown)
    decision = "preflight_pass" if not shown else "requires_approval" if only_approval else "preflight_fail"
    return {
        "preflight_version": "1",
        "decision": decision,
        "allowed": not shown,
        "reason_code": shown[0]["code"] if shown else "ALLOWED",
        "denials": shown,
        "request_digest_b64u": _request_digest(asked, reason),
        "would_grant": _would_grant(asked, ground, denials),
        "policy": _policy(ground, record, locked),
    }


def _shown(denial: Denial) -> dict[str, Any]:
    shown = {"code": _REASONS[denial.code], "field": denial.field, "cause": denial.code.name}
    extras = (("value", denial.value), ("rule", denial.rule), ("suggestion", denial.suggestion))
    return shown | {name: value for name, value in extras if value is not None}


def _request_digest(asked: Asked, reason: str) -> str:
    facts = {field.name: getattr(asked, field.name) for field in fields(asked)}
    kept = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items() if value not in (None, ())}
    return sha256_b64u(canonical({**kept, "reason": reason}))


def _would_grant(asked: Asked, ground: Ground, denials: Sequence[Denial]) -> dict[str, Any]:
    lost = {denial.value for denial in denials if denial.code in _SCOPE_CAUSES}
    granted = [one for one in asked.scope if one not in lost]
    tier = ground.tier
    needed = [name for one in granted for name in (tier.missing_evidence(one, ()) if tier else ())]
    shown: dict[str, Any] = {"scope": granted}
    if granted:
        shown["token_scope_hash_b64u"] = scope_hash(granted)
    if tier is not None:
        shown["max_ttl_sec"] = longest_ttl(ground, tier)
    return shown | {"evidence_required": list(dict.fromkeys([*asked.evidence_required, *needed]))}


def _policy(ground: Ground, record: ChainRecord | None, locked: Sequence[str]) -> dict[str, Any]:
    facts = {
        "tier": ground.policy.digest(ground.tier_name),
        "grants": ground.grants.facts(),
        "chain": None if record is None else record.facts(),
        "locks": sorted(locked),
    }
    shown = {
        "policy_version": ground.policy.version,
        "policy_tier": ground.tier_name,
        "policy_digest_b64u": sha256_b64u(canonical(facts)),
    }
    return shown | ({"control_plane_policy_hash_b64u": record.policy_hash} if record is not None else {})
