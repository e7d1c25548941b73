"""Judging an authentic approval receipt, and building one for a human's decision (tokens.md §8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from clawscope.issuer.domain import errors
from clawscope.issuer.domain.denial import Denial
from clawscope.issuer.domain.request import CANONICAL, Asked
from clawscope.kernel.money import dollars_to_micros, micros_to_number
from clawscope.protocol.approval import ApprovalBinding, ApprovalPayload, Receipt
from clawscope.protocol.scope import scope_hash

EXPLICIT_APPROVE: Final = "explicit_approve"
EXPLICIT_DENY: Final = "explicit_deny"
TIMEOUT_DENY: Final = "timeout_deny"
AUTO_APPROVE: Final = "auto_approve"


def judge_receipt(
    receipt: Receipt,
    *,
    now: int,
    skew_s: int,
    max_age_s: int,
    auto_approve: bool,
    agent_did: str | None,
    aud: tuple[str, ...] | None,
    ttl_s: int | None,
) -> Iterator[Denial]:
    """Steps (5) to (8) of §8: time, grant, agent and scope hash, what exceeds it."""
    payload = receipt.payload
    if payload.expires_at <= now or payload.issued_at > now + skew_s or payload.issued_at < now - max_age_s:  # 5
        yield Denial(errors.HUMAN_APPROVAL_EXPIRED, "receipt.issued_at", "ask for a fresh approval")
    if payload.approval_type in (EXPLICIT_DENY, TIMEOUT_DENY) or (payload.approval_type == AUTO_APPROVE and not auto_approve):  # 6
        yield Denial(errors.HUMAN_APPROVAL_NOT_GRANTED, "receipt.approval_type", "ask a human to approve explicitly")
    if agent_did is not None and agent_did != payload.agent_did:  # 7
        yield Denial(errors.HUMAN_APPROVAL_AGENT_MISMATCH, "receipt.agent_did", "present the token of the approved agent")
    if payload.scope_hash_b64u != scope_hash(payload.scope):
        yield Denial(errors.HUMAN_APPROVAL_SCOPE_MISMATCH, "receipt.scope_hash_b64u", "have the receipt signed over its own scopes")
    if aud is not None and not set(aud) <= set(payload.aud):  # 8
        yield Denial(errors.HUMAN_APPROVAL_EXCEEDED, "aud", "ask for approved audiences only")
    if ttl_s is not None and ttl_s > payload.minted_capability_ttl_seconds:
        yield Denial(errors.HUMAN_APPROVAL_EXCEEDED, "ttl_sec", f"ask for at most {payload.minted_capability_ttl_seconds} s")


def approved_request(
    receipt: Receipt, *, aud: tuple[str, ...] | None, ttl_s: int | None, mission_id: str | None, approval_max_ttl_s: int, tier_max_s: int
) -> Asked:
    """The request an approval stands for: exactly its scopes, pin and binding; the lifetime bounded thrice."""
    payload = receipt.payload
    audiences = aud if aud is not None else payload.aud
    bound = payload.binding or ApprovalBinding()
    most = min(payload.minted_capability_ttl_seconds, approval_max_ttl_s, tier_max_s)
    return Asked(
        lane=CANONICAL,
        sub=payload.agent_did,
        aud=audiences[0] if len(audiences) == 1 else audiences,
        scope=payload.scope,
        ttl_s=most if ttl_s is None else min(ttl_s, most),
        owner_did=payload.owner_did,
        controller_did=payload.controller_did,
        agent_did=payload.agent_did,
        policy_hash_b64u=payload.policy_hash_b64u,
        spend_micros=None if payload.spend_cap is None else dollars_to_micros(payload.spend_cap),
        mission_id=mission_id,
        run_id=bound.run_id,
        job_id=bound.job_id,
        evidence_required=payload.evidence_required or (),
    )


def payload_for(
    asked: Asked,
    *,
    receipt_id: str,
    nonce: str,
    approver_did: str,
    approver_subject: str,
    approved: bool,
    reason: str,
    ttl_s: int,
    now: int,
    max_age_s: int,
) -> ApprovalPayload:
    """The payload our statement key signs for an operator's decision."""
    binding = ApprovalBinding(run_id=asked.run_id, job_id=asked.job_id)
    return ApprovalPayload(
        agent_did=asked.agent_did or asked.sub,
        approval_type=EXPLICIT_APPROVE if approved else EXPLICIT_DENY,
        approver_did=approver_did,
        approver_subject=approver_subject,
        aud=asked.audiences,
        binding=binding if asked.run_id or asked.job_id else None,
        controller_did=asked.controller_did or "",
        evidence_required=asked.evidence_required or None,
        expires_at=now + max_age_s,
        issued_at=now,
        minted_capability_ttl_seconds=ttl_s,
        nonce=nonce,
        owner_did=asked.owner_did or "",
        policy_hash_b64u=asked.policy_hash_b64u,
        reason=reason,
        receipt_id=receipt_id,
        receipt_type="human_approval_receipt",
        receipt_version="1",
        scope=asked.scope,
        scope_hash_b64u=scope_hash(asked.scope),
        spend_cap=None if asked.spend_micros is None else micros_to_number(asked.spend_micros),
    )


def approval_record(receipt: Receipt, outcome: str, code: str) -> dict[str, Any]:
    """The facts of an approval row; the same facts give the same record."""
    payload: dict[str, Any] = msgspec.to_builtins(receipt.payload)
    return {
        "payload_hash_b64u": receipt.payload_hash_b64u,
        "signer_did": receipt.signer_did,
        "outcome": outcome,
        "code": code,
        "payload": payload,
    }
