"""From a judged request to the claims of a token, all but its times and names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawscope.issuer.domain.chain import ChainRecord
from clawscope.issuer.domain.grants import Grants
from clawscope.issuer.domain.request import CANONICAL, Asked
from clawscope.kernel.money import micros_to_number
from clawscope.protocol.scope import scope_hash

_COPIED = (
    "sub", "aud", "scope", "owner_did", "controller_did", "agent_did", "policy_hash_b64u", "control_plane_policy_hash_b64u", "owner_ref",
    "payment_account_did", "mission_id", "run_id", "job_id", "delegation_id", "delegator_did", "delegate_did",
    "delegation_policy_hash_b64u",
    "delegation_spend_cap_minor", "delegation_expires_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be minted. `claims` lack `iat exp jti nonce`; `expires` gives `exp` for an `iat`; `ids` tie the row to its caller."""

    claims: Mapping[str, Any]
    expires: Callable[[int], int]
    policy_version: str
    policy_tier: str
    chain_verified: bool
    evidence_required: tuple[str, ...] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    parent_jti: str | None = None
    approval_receipt_id: str | None = None


def claims_of(asked: Asked, record: ChainRecord | None, grants: Grants, *, issuer_url: str, claim_profile: str) -> dict[str, Any]:
    """The claims of a request; the control policy hash of the canonical lane always comes from the record (§2.3)."""
    claims: dict[str, Any] = {name: value for name in _COPIED if (value := getattr(asked, name)) is not None}
    claims |= {"token_version": "1", "token_scope_hash_b64u": scope_hash(asked.scope), "token_lane": asked.lane}
    if asked.lane == CANONICAL and record is not None:
        claims["control_plane_policy_hash_b64u"] = record.policy_hash
    if asked.spend_micros is not None:
        claims["spend_cap"] = micros_to_number(asked.spend_micros)
    if asked.may_act:
        claims["may_act"] = {"sub": list(asked.may_act)}
    if claim_profile != "v1":
        claims |= {"iss": issuer_url, **caller_ids(grants)}
    return claims


def caller_ids(grants: Grants) -> dict[str, str]:
    """`client_id` and `org_id` where the caller has them."""
    return {name: value for name, value in (("client_id", grants.client_id), ("org_id", grants.org_id)) if value is not None}
