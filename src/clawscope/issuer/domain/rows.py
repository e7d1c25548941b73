"""Further rows and the filters by which auditors read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

AUDIT_FILTERS = (
    "token_hash", "jti", "sub", "owner_did", "agent_did", "controller_did", "mission_id", "run_id", "job_id", "token_lane", "kid",
    "client_id", "issued_by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """Equality filters by column, and a time range `from_at` ≤ t < `to_at` in epoch seconds."""

    equal: Mapping[str, str] = field(default_factory=dict)
    from_at: int | None = None
    to_at: int | None = None

    def name(self) -> str:
        """A text that names these filters, to tie cursors to them."""
        return f"{sorted(self.equal.items())}:{self.from_at}:{self.to_at}"


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A capability somebody asked a human to approve. `request` is the preflight request as it was judged."""

    sequence: int
    approval_id: str
    state: str
    request: Mapping[str, Any]
    requested_by: str
    created_at: int
    expires_at: int
    org_id: str | None = None
    owner_did: str | None = None
    decided_at: int | None = None
    decided_by: str | None = None
    decision: str | None = None
    reason: str | None = None
    receipt: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """An authentic receipt that was presented, and what came of it: `exchanged` or `refused` with its code."""

    sequence: int
    receipt_id: str
    signer_did: str
    outcome: str
    code: str
    sub: str
    at: int
    record: Mapping[str, Any]
    token_hash: str | None = None
    jti: str | None = None
    owner_did: str | None = None
    controller_did: str | None = None
    agent_did: str | None = None
    org_id: str | None = None


@dataclass(frozen=True, slots=True)
class SpentReceipt:
    """A receipt that was exchanged; unique on signer with `receipt_id`, and on payload hash."""

    payload_hash: str
    signer_did: str
    receipt_id: str
    token_hash: str
    jti: str
    exchanged_at: int


@dataclass(frozen=True, slots=True)
class NodeState:
    """A verifier node and the last feed row it has applied."""

    node_id: str
    kind: str
    credential: str
    applied_sequence: int
    last_seen_ms: int
    left: bool = False
    lost_told: bool = False
