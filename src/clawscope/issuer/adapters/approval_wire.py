"""Shapes of the approval routes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from clawscope.issuer.adapters.wire import Strict


class ApprovalAskedBody(msgspec.Struct):
    """A stored approval request."""

    approval_id: str
    state: str


class ApprovalListQuery(Strict, frozen=True):
    """Approval requests by state."""

    state: Literal["pending", "approved", "denied"] | None = None
    limit: int | None = None
    cursor: str | None = None


class ApprovalListBody(msgspec.Struct):
    """Approval requests, newest first."""

    items: list[dict[str, Any]]
    cursor: str | None
    list_complete: bool


class ApprovalRequestBody(msgspec.Struct):
    """One approval request."""

    approval_id: str
    state: str
    request: dict[str, Any]
    requested_by: str
    created_at: int
    expires_at: int


class DecisionBody(Strict, frozen=True):
    """A human's decision."""

    decision: Literal["approve", "deny"]
    reason: str
    ttl_sec: int | None = None


class ReceiptBody(msgspec.Struct):
    """A signed approval receipt."""

    envelope_version: str
    envelope_type: str
    payload: dict[str, Any]
    payload_hash_b64u: str
    hash_algorithm: str
    signature_b64u: str
    algorithm: str
    signer_did: str
    issued_at: str


class ApprovalExchangeBody(Strict, frozen=True):
    """A receipt to exchange, and what of it is wanted."""

    receipt: dict[str, Any]
    aud: str | list[str] | None = None
    ttl_sec: int | Decimal | float | None = None
    mission_id: str | None = None
