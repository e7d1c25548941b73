"""Rows the store contracts are tried with."""

from __future__ import annotations

import uuid
from typing import Any

from clawscope.issuer.domain.feed import CUTOFF, FeedRow
from clawscope.issuer.domain.issuance import Issuance
from clawscope.issuer.domain.rows import ApprovalRequest, ApprovalRow, SpentReceipt
from clawscope.kernel.principal import Reach

NOW = 1_800_000_000
EVERYTHING = Reach(everything=True)
ORG, OTHER_ORG, OWNER = Reach(org_id="org_1"), Reach(org_id="org_2"), Reach(owner_did="did:key:zOwner")


def issue(work: Any, *, kid: str = "k1", at: int = NOW, ttl_s: int = 600, **claims: Any) -> Issuance:
    """Append an issuance."""
    sequence = work.issuances.next_sequence()
    parent = claims.pop("parent_jti", None)
    named = {"jti": str(uuid.uuid4()), "sub": "did:key:zAgent", "exp": at + ttl_s, "iat": at, "scope": ["proxy:call"]} | claims
    row = Issuance(
        sequence=sequence, token_hash=uuid.uuid4().hex * 2, claims=named, issued_at=at, kid=kid, policy_version="7", policy_tier="default",
        chain_verified=False, issued_by="operator:dev", reach_kind="all", route="POST /v1/tokens/issue", evidence_required=("ticket",),
        request_id="req_1", parent_jti=parent,
    )  # fmt: skip
    work.issuances.add(row)
    return row


def revoke(work: Any, **changes: Any) -> FeedRow:
    """Append a feed row for a token."""
    sequence = work.revocations.next_sequence()
    values: dict[str, Any] = {
        "kind": "token",
        "exp": NOW + 600,
        "reason": "r",
        "revoked_by": "op",
        "revoked_at": NOW,
        "committed_at_ms": NOW * 1000,
    }
    row = FeedRow(sequence=sequence, **(values | changes))
    work.revocations.add(row)
    return row


def cut(work: Any, dimension: str, value: str, not_before: int = NOW, **changes: Any) -> FeedRow:
    """Append a cut-off."""
    return revoke(
        work, kind=CUTOFF, dimension=dimension, value=value, not_before=not_before, cutoff_id=f"cut_{uuid.uuid4().hex}", **changes
    )


def ask(work: Any, name: str, **changes: Any) -> ApprovalRequest:
    """Append an approval request."""
    values: dict[str, Any] = {
        "state": "pending",
        "request": {"scope": ["a"]},
        "requested_by": "op",
        "created_at": NOW,
        "expires_at": NOW + 9,
    }
    row = ApprovalRequest(work.approvals.next_sequence(), name, **(values | changes))
    work.approvals.add_request(row)
    return row


def spent(number: int, **changes: Any) -> SpentReceipt:
    """A spent receipt."""
    values: dict[str, Any] = {
        "payload_hash": f"{number:043d}",
        "signer_did": "did:key:zS",
        "receipt_id": f"apr_{number}",
        "token_hash": "0" * 64,
    }
    return SpentReceipt(**(values | {"jti": str(uuid.uuid4()), "exchanged_at": NOW} | changes))


def approve(work: Any, **changes: Any) -> ApprovalRow:
    """Append an approval row."""
    values: dict[str, Any] = {
        "receipt_id": "apr_1",
        "signer_did": "did:key:zS",
        "outcome": "exchanged",
        "code": "",
        "sub": "did:key:zAgent",
        "at": NOW,
    }
    row = ApprovalRow(sequence=work.approvals.next_sequence(), record={"z": 1, "a": "ä"}, **(values | changes))
    work.approvals.add(row)
    return row
