"""One decision for issue and preflight: every reason against a request, in the order of tokens.md §2.2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clawscope.issuer.domain import errors
from clawscope.issuer.domain.chain import ChainRecord, judge_chain
from clawscope.issuer.domain.denial import Denial
from clawscope.issuer.domain.feed import Lock
from clawscope.issuer.domain.grants import Grants
from clawscope.issuer.domain.request import CANONICAL, Asked
from clawscope.issuer.domain.tier import Tier, TierPolicy
from clawscope.kernel.money import micros_to_number
from clawscope.protocol import scope as scopes


@dataclass(frozen=True, slots=True)
class IssueRules:
    """The settings the decision reads; durations in seconds."""

    policy_tier: str
    default_ttl_s: int
    hard_max_ttl_s: int
    legacy_exchange_mode: str
    sensitive_prefixes: tuple[str, ...]
    require_known_policy: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """What a decision stands on: rules, the tier asked for, the caller's grants, and whether an approval stands behind it."""

    rules: IssueRules
    policy: TierPolicy
    tier_name: str
    tier: Tier | None
    grants: Grants
    now: int
    approved: bool = False


def before_lane(asked: Asked, ground: Ground, *, policy_known: bool = True) -> Iterator[Denial]:
    """Steps 5 (tier) and 6 (lifetime)."""
    tier = ground.tier
    if tier is None:
        yield Denial(errors.TIER_UNKNOWN, "tier", "name a tier of the policy")
        return
    if ground.grants.tiers is not None and ground.tier_name not in ground.grants.tiers:
        yield Denial(errors.TIER_NOT_ALLOWED, "tier", "ask for a tier of your organisation", ground.tier_name)
    yield from _judge_scopes(asked, tier, ground.tier_name)
    yield from _judge_tier_rest(asked, tier, ground.tier_name)
    if asked.policy_hash_b64u is not None and not policy_known:
        yield Denial(errors.POLICY_UNKNOWN, "policy_hash_b64u", "register the policy first", asked.policy_hash_b64u)
    for one in asked.scope:
        if missing := tier.missing_evidence(one, asked.evidence_required):
            yield Denial(
                errors.EVIDENCE_REQUIRED, "evidence_required", f"promise {', '.join(missing)}", one, f"tier {ground.tier_name}: evidence"
            )
    yield from judge_lifetime(asked, ground, tier)


def _judge_scopes(asked: Asked, tier: Tier, name: str) -> Iterator[Denial]:
    for one in asked.scope:
        if "*" in one and not tier.allow_wildcards:
            yield Denial(
                errors.SCOPE_WILDCARD_NOT_ALLOWED, "scope", f"name the scopes instead of {one}", one, f"tier {name}: allow_wildcards"
            )
    list_name = "allowed_scopes" if tier.allowed_scopes else "allowed_scope_prefixes"
    for one in asked.scope:
        if not tier.allows_scope(one):
            yield Denial(errors.SCOPE_NOT_ALLOWED, "scope", f"drop {one}", one, f"tier {name}: {list_name}")


def _judge_tier_rest(asked: Asked, tier: Tier, name: str) -> Iterator[Denial]:
    for audience in asked.audiences:
        if tier.allowed_audiences and audience not in tier.allowed_audiences:
            yield Denial(errors.AUDIENCE_NOT_ALLOWED, "aud", f"drop {audience}", audience, f"tier {name}: allowed_audiences")
    most = tier.max_spend_micros()
    if most is not None and asked.spend_micros is not None and asked.spend_micros > most:
        yield Denial(
            errors.SPEND_CAP_TOO_HIGH, "spend_cap", f"ask for at most {micros_to_number(most)}", rule=f"tier {name}: max_spend_cap"
        )
    bound = {"none": True, "run_id": asked.run_id, "job_id": asked.job_id, "any": asked.run_id or asked.job_id}[tier.require_binding]
    if not bound:
        wanted = "run_id or job_id" if tier.require_binding == "any" else tier.require_binding
        yield Denial(errors.BINDING_REQUIRED, "run_id", f"give {wanted}", rule=f"tier {name}: require_binding")
    if tier.require_policy_pin and asked.policy_hash_b64u is None:
        yield Denial(errors.POLICY_PIN_REQUIRED, "policy_hash_b64u", "pin a policy", rule=f"tier {name}: require_policy_pin")


def longest_ttl(ground: Ground, tier: Tier) -> int:
    """The longest lifetime in seconds that the tier and the hard maximum grant."""
    return min(tier.max_ttl_seconds, ground.rules.hard_max_ttl_s)


def expiry(asked: Asked, ground: Ground, tier: Tier, iat: int) -> int:
    """When a token issued at `iat` expires: `exp` wins over `ttl_sec`; the default is bounded by the tier."""
    if asked.exp is not None:
        return asked.exp
    return iat + (asked.ttl_s if asked.ttl_s is not None else min(ground.rules.default_ttl_s, longest_ttl(ground, tier)))


def judge_lifetime(asked: Asked, ground: Ground, tier: Tier) -> Iterator[Denial]:
    """Step 6: a lifetime that is over at once, or longer than tier, hard maximum or delegation allow."""
    if (asked.ttl_s == 0 and asked.exp is None) or (asked.exp is not None and asked.exp <= ground.now):
        yield Denial(errors.TTL_EXPIRED, "exp" if asked.exp is not None else "ttl_sec", "ask for at least one second from now")
        return
    expires = expiry(asked, ground, tier, ground.now)
    most = longest_ttl(ground, tier)
    field = "exp" if asked.exp is not None else "ttl_sec"
    if expires - ground.now > most:
        yield Denial(errors.TTL_TOO_LONG, field, f"ask for at most {most} s", rule=f"tier {ground.tier_name}: max_ttl_seconds")
    if asked.delegation_expires_at is not None:
        if asked.delegation_expires_at <= ground.now:
            yield Denial(errors.DELEGATION_EXPIRED, "delegation_expires_at", "renew the delegation")
        elif asked.delegation_expires_at < expires:
            yield Denial(errors.TTL_TOO_LONG, field, "end the token no later than its delegation", rule="delegation_expires_at")


def judge_lane(asked: Asked, ground: Ground) -> Iterator[Denial]:
    """Step 7 without the chain record: what the lane itself demands (§2.3 first line, §2.4)."""
    if asked.lane == CANONICAL:
        if asked.agent_did is not None and asked.agent_did != asked.sub:
            yield Denial(errors.CANONICAL_AGENT_SUB_MISMATCH, "agent_did", "set agent_did to sub, or leave it out")
        if None in (asked.owner_did, asked.controller_did, asked.agent_did):
            yield Denial(errors.CANONICAL_CHAIN_REQUIRED, "owner_did", "give owner_did and controller_did; sub must be the agent's DID")
        return
    if ground.rules.legacy_exchange_mode == "disabled":
        yield Denial(errors.LEGACY_EXCHANGE_DISABLED, "token_lane", "use /v1/tokens/issue/canonical")
    if ground.rules.legacy_exchange_mode == "migration":
        for one in asked.scope:
            if scopes.is_sensitive(one, ground.rules.sensitive_prefixes):
                yield Denial(
                    errors.LEGACY_SENSITIVE_SCOPE_FORBIDDEN,
                    "scope",
                    f"drop {one} or use the canonical lane",
                    one,
                    "legacy_exchange_mode migration",
                )


def judge_record(asked: Asked, ground: Ground, record: ChainRecord) -> Iterator[Denial]:
    """Step 7 with the chain record (§2.3)."""
    return judge_chain(
        record,
        owner_did=asked.owner_did or "",
        controller_did=asked.controller_did or "",
        agent_did=asked.agent_did or "",
        scope=asked.scope,
        prefixes=ground.rules.sensitive_prefixes,
        policy_hash=asked.control_plane_policy_hash_b64u,
    )


def after_lane(asked: Asked, ground: Ground) -> Iterator[Denial]:
    """Steps 8 (what the caller may hand out) and 9 (scopes only an approval mints)."""
    held = ground.grants.scopes
    if held is not None:
        for one in asked.scope:
            if not scopes.any_covers(held, one):
                yield Denial(errors.ISSUER_SCOPE_EXCEEDED, "scope", f"drop {one}, or use a credential that holds it", one)
    if ground.tier is not None and not ground.approved:
        for one in asked.scope:
            if ground.tier.needs_approval(one):
                yield Denial(
                    errors.APPROVAL_REQUIRED, "scope", f"request an approval for {one}", one, f"tier {ground.tier_name}: approval_scopes"
                )


def judge_locks(values: Sequence[tuple[str, str]], locks: Sequence[Lock]) -> Iterator[Denial]:
    """Step 10: a locked claim value. `values` are the token's (dimension, value) pairs, its organisation and owner among them."""
    for lock in locks:
        if lock.holds(values):
            suggestion = "ask the operator to lift the cut-off's lock"
            yield Denial(errors.SUBJECT_CUT_OFF, lock.dimension, suggestion, lock.value, f"locked by a cut-off on {lock.dimension}")
