"""The human approval receipt: what an approver signs, and whether one is well-formed and authentic (tokens.md §8)."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from clawscope.kernel.clock import iso_ms
from clawscope.kernel.errors import code
from clawscope.kernel.text import is_storable
from clawscope.protocol import b64u, digest, jcs, keys
from clawscope.protocol import claim_forms as forms
from clawscope.protocol.did import did_key, is_did, public_of
from clawscope.protocol.verdict import Denied

HUMAN_APPROVAL_INVALID = code("HUMAN_APPROVAL_INVALID", 400, "The approval receipt is malformed or contradicts itself.")
HUMAN_APPROVAL_UNKNOWN_TYPE = code("HUMAN_APPROVAL_UNKNOWN_TYPE", 400, "The approval receipt is of a type or version not known here.")
HUMAN_APPROVAL_SIGNATURE_INVALID = code("HUMAN_APPROVAL_SIGNATURE_INVALID", 401, "The approval receipt is not signed by its signer.")

ApprovalType = Literal["explicit_approve", "explicit_deny", "timeout_deny", "auto_approve"]

RECEIPT_TYPE = "human_approval_receipt"
MOST_REASON = 2048
MOST_PROMISES = 16
_PROMISE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_YEAR_10000 = 253_402_300_800
_ENVELOPE_MEMBERS = frozenset(
    (
        "algorithm",
        "envelope_type",
        "envelope_version",
        "hash_algorithm",
        "issued_at",
        "payload",
        "payload_hash_b64u",
        "signature_b64u",
        "signer_did",
    )
)


class ApprovalBinding(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the approved token is bound to."""

    event_hash_b64u: str | None = None
    job_id: str | None = None
    run_id: str | None = None


class ApprovalPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What was approved, for whom and until when: a closed set, in JCS order. Times in epoch seconds, `spend_cap` in US dollars."""

    agent_did: str
    approval_type: ApprovalType
    approver_did: str
    approver_subject: str
    aud: tuple[str, ...]
    binding: ApprovalBinding | None = None
    controller_did: str
    evidence_required: tuple[str, ...] | None = None
    expires_at: int
    issued_at: int
    minted_capability_ttl_seconds: int
    nonce: str
    owner_did: str
    plan_hash_b64u: str | None = None
    policy_hash_b64u: str | None = None
    reason: str | None = None
    receipt_id: str
    receipt_type: Literal["human_approval_receipt"]
    receipt_version: Literal["1"]
    scope: tuple[str, ...]
    scope_hash_b64u: str
    spend_cap: int | float | None = None


class Receipt(msgspec.Struct, frozen=True):
    """A receipt that is well-formed and authentic; whether its signer is trusted and the time is right is not judged."""

    payload: ApprovalPayload
    payload_hash_b64u: str
    signer_did: str
    envelope: dict[str, Any]


def build(payload: ApprovalPayload, key: keys.SigningKey) -> dict[str, Any]:
    """The receipt envelope for the payload, signed by the approver's key, members in JCS order.

    The signature covers the ASCII of `payload_hash_b64u`. Raises `ValueError` unless `approver_did` is the key's did:key.
    """
    signer = did_key(key.public)
    if payload.approver_did != signer:
        raise ValueError("the approver signs with the key of approver_did")
    body = _as_object(payload)
    payload_hash = digest.sha256_b64u(jcs.canonical(body))
    return {
        "algorithm": "Ed25519",
        "envelope_type": RECEIPT_TYPE,
        "envelope_version": "1",
        "hash_algorithm": "SHA-256",
        "issued_at": iso_ms(payload.issued_at),
        "payload": body,
        "payload_hash_b64u": payload_hash,
        "signature_b64u": b64u.encode(key.sign(payload_hash.encode("ascii"))),
        "signer_did": signer,
    }


def open_receipt(raw_obj: Any) -> Receipt | Denied:
    """Steps (1) and (2) of the exchange, over a strictly parsed JSON value.

    1a. an object. 1b. type and version known, in envelope and payload. 1c. both have the closed shape and §1.1 forms.
    1d. envelope and payload agree on signer and time. 1e. the hash is that of the payload. 2. the signature.
    """
    if not isinstance(raw_obj, dict) or not isinstance(raw_obj.get("payload"), dict):
        return Denied(HUMAN_APPROVAL_INVALID, "the receipt and its payload are objects", "payload")  # 1a
    unknown = _unknown_type(raw_obj)
    if unknown is not None:
        return Denied(HUMAN_APPROVAL_UNKNOWN_TYPE, field=unknown)  # 1b
    wrong = _envelope_problem(raw_obj)
    if wrong is not None:
        return Denied(HUMAN_APPROVAL_INVALID, f"{wrong} is missing or of the wrong form", wrong)  # 1c
    try:
        payload = msgspec.convert(raw_obj["payload"], ApprovalPayload)
        payload_hash = digest.sha256_b64u(jcs.canonical(raw_obj["payload"]))
    except (msgspec.ValidationError, ValueError):
        return Denied(HUMAN_APPROVAL_INVALID, "the payload has a missing, unknown or wrongly typed member", "payload")
    wrong = payload_problem(payload) or ("payload" if _as_object(payload).keys() != raw_obj["payload"].keys() else None)
    if wrong is not None:
        return Denied(HUMAN_APPROVAL_INVALID, f"{wrong} is of the wrong form", wrong)
    disagreeing = _disagreement(raw_obj, payload)
    if disagreeing is not None:
        return Denied(HUMAN_APPROVAL_INVALID, f"envelope and payload disagree on {disagreeing}", disagreeing)  # 1d
    if raw_obj["payload_hash_b64u"] != payload_hash:
        return Denied(HUMAN_APPROVAL_INVALID, "the hash is not that of the payload", "payload_hash_b64u")  # 1e
    if not _is_signed(raw_obj):
        return Denied(HUMAN_APPROVAL_SIGNATURE_INVALID, field="signature_b64u")  # 2
    return Receipt(payload, payload_hash, raw_obj["signer_did"], raw_obj)


def payload_problem(payload: ApprovalPayload) -> str | None:
    """The first member whose form is wrong, or `None`; what the receipt permits is not judged."""
    bound = payload.binding or ApprovalBinding()
    checks: tuple[tuple[str, bool], ...] = (
        ("agent_did", is_did(payload.agent_did)),
        ("approver_did", is_did(payload.approver_did)),
        ("approver_subject", forms.is_subject(payload.approver_subject)),
        ("aud", forms.is_audience(payload.aud)),
        ("binding", all(value is None or forms.is_binding(value) for value in (bound.run_id, bound.job_id))),
        ("binding", bound.event_hash_b64u is None or b64u.is_hash43(bound.event_hash_b64u)),
        ("controller_did", is_did(payload.controller_did)),
        ("evidence_required", payload.evidence_required is None or _are_promises(payload.evidence_required)),
        ("expires_at", payload.issued_at < payload.expires_at <= forms.MAX_INTEGER),
        ("issued_at", forms.is_time(payload.issued_at)),
        ("minted_capability_ttl_seconds", 0 < payload.minted_capability_ttl_seconds <= forms.MAX_INTEGER),
        ("nonce", bool(forms.is_party(payload.nonce))),
        ("owner_did", is_did(payload.owner_did)),
        ("plan_hash_b64u", payload.plan_hash_b64u is None or b64u.is_hash43(payload.plan_hash_b64u)),
        ("policy_hash_b64u", payload.policy_hash_b64u is None or b64u.is_hash43(payload.policy_hash_b64u)),
        ("reason", payload.reason is None or is_storable(payload.reason, MOST_REASON)),
        ("receipt_id", bool(forms.is_party(payload.receipt_id))),
        ("scope", forms.are_scopes(payload.scope)),
        ("scope_hash_b64u", b64u.is_hash43(payload.scope_hash_b64u)),
        ("spend_cap", payload.spend_cap is None or forms.is_spend_cap(payload.spend_cap)),
    )
    return next((name for name, fits in checks if not fits), None)


def _unknown_type(envelope: dict[str, Any]) -> str | None:
    payload: dict[str, Any] = envelope["payload"]
    stated = (
        ("envelope_version", envelope.get("envelope_version"), "1"),
        ("envelope_type", envelope.get("envelope_type"), RECEIPT_TYPE),
        ("receipt_version", payload.get("receipt_version"), "1"),
        ("receipt_type", payload.get("receipt_type"), RECEIPT_TYPE),
    )
    return next((name for name, value, known in stated if isinstance(value, str) and value != known), None)


def _envelope_problem(envelope: dict[str, Any]) -> str | None:
    if not envelope.keys() <= _ENVELOPE_MEMBERS:
        return "envelope"
    for name in sorted(_ENVELOPE_MEMBERS - {"payload"}):
        if not isinstance(envelope.get(name), str):
            return name
    if envelope["algorithm"] != "Ed25519":
        return "algorithm"
    if envelope["hash_algorithm"] != "SHA-256":
        return "hash_algorithm"
    return None if is_did(envelope["signer_did"]) else "signer_did"


def _disagreement(envelope: dict[str, Any], payload: ApprovalPayload) -> str | None:
    if envelope["signer_did"] != payload.approver_did:
        return "signer_did"
    # Two spellings of one second are read; any fraction but zero would be another time.
    second = iso_ms(payload.issued_at) if payload.issued_at < _YEAR_10000 else ""
    return None if envelope["issued_at"] in (second, second.replace(".000Z", "Z")) else "issued_at"


def _is_signed(envelope: dict[str, Any]) -> bool:
    try:
        public = public_of(envelope["signer_did"])
        signature = b64u.decode(envelope["signature_b64u"])
    except ValueError:
        return False
    return keys.verify(public, envelope["payload_hash_b64u"].encode("ascii"), signature)


def _are_promises(names: tuple[str, ...]) -> bool:
    return len(names) <= MOST_PROMISES and all(_PROMISE.fullmatch(name) for name in names)


def _as_object(payload: ApprovalPayload) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(payload)
    return found
