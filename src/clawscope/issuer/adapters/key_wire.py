"""Shapes of bodies and queries of the key routes (keys.md §3, §4, §6, §7)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Purpose = Literal["token", "receipt", "checkpoint", "policy", "statement", "agent"]


class _Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A closed request shape."""


class _Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer; members that are absent are left out."""


class KeysQuery(_Closed, frozen=True):
    """Which keys to list."""

    purpose: Purpose | None = None


class MoveQuery(_Closed, frozen=True):
    """Whether only the plan is wanted."""

    dry_run: bool = False


class PrepareBody(_Closed, frozen=True):
    """A key to make and publish."""

    reason: str
    purpose: Purpose = "token"
    kid: str | None = None


class RotateBody(_Closed, frozen=True):
    """A purpose whose key is to be replaced."""

    reason: str
    purpose: Purpose = "token"


class ReasonBody(_Closed, frozen=True):
    """Why a key is moved; goes to log, audit and event."""

    reason: str


class ImportBody(_Closed, frozen=True):
    """The public half of a former token key, `x` in base64url, accepted until `not_after_unix`."""

    x: str
    not_after_unix: int
    reason: str
    kid: str | None = None


class KeyBody(_Answer, frozen=True):
    """A key as operators see it; times in epoch seconds."""

    kid: str
    purpose: str
    state: str
    x: str
    published_at: int
    activatable_at: int
    reason: str
    activated_at: int | None = None
    not_after_unix: int | None = None


class KeysBody(_Answer, frozen=True):
    """Every key ever known."""

    keys: list[KeyBody]


class MoveBody(_Answer, frozen=True):
    """One planned change of one key."""

    purpose: str
    to_state: str
    at: int
    kid: str | None = None
    from_state: str | None = None
    not_after_unix: int | None = None
    delay_waived: bool = False


class PlanBody(_Answer, frozen=True):
    """What would be done; nothing was."""

    dry_run: Literal[True]
    moves: list[MoveBody]
    live_tokens: int | None = None


class PreparedBody(_Answer, frozen=True):
    """A published key."""

    kid: str
    state: str
    published_at: int
    activatable_at: int


class RotatingBody(_Answer, frozen=True):
    """A rotation under way."""

    prepared_kid: str
    activates_at_unix: int
    retiring_kid: str | None = None
    not_after_unix: int | None = None


class ActivatedBody(_Answer, frozen=True):
    """Who signs now."""

    active_kid: str
    former_kid: str | None = None
    not_after_unix: int | None = None


class RetiredBody(_Answer, frozen=True):
    """A key out of use."""

    kid: str
    state: str


class RevokedKeyBody(_Answer, frozen=True):
    """A key withdrawn in an emergency."""

    status: str
    kid: str
    sequence: int
    live_tokens_killed: int
    effective_within_s: int
    replacement_kid: str | None = None


class ImportedBody(_Answer, frozen=True):
    """A key taken in for verification."""

    kid: str
    state: str
    not_after_unix: int


class JwksBody(msgspec.Struct, frozen=True):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


class ContractBody(msgspec.Struct, frozen=True):
    """The rotation contract."""

    contract_version: str
    key_algorithm: str
    active_kid: str | None
    accepted_kids: list[str]
    signing_kids: list[str]
    verify_only_kids: list[str]
    overlap_seconds: int
    overlap_window_open: bool
    expiring_kids: list[dict[str, Any]]
    jwks_endpoint: str
    revocation_stream_endpoint: str
    prepared_kids: list[dict[str, Any]]
    revoked_kids: list[str]


class DidBody(msgspec.Struct, frozen=True):
    """The active token key under the issuer's DID."""

    did: str
    kid: str
    public_key_b64u: str


class HistoryQuery(_Closed, frozen=True):
    """A page of the key log."""

    limit: int | None = None
    cursor: str | None = None
    since: int | None = None


class HistoryBody(msgspec.Struct, frozen=True):
    """Snapshots of the key log."""

    snapshots: list[dict[str, Any]]
    cursor: str | None
    list_complete: bool


class SnapshotMadeBody(msgspec.Struct, frozen=True):
    """A snapshot appended on demand."""

    status: str
    snapshot: dict[str, Any]


class AckBody(_Closed, frozen=True):
    """What a verifier node has applied."""

    node_id: str
    kind: str
    applied_sequence: int
    leaving: bool = False


class AckedBody(msgspec.Struct, frozen=True):
    """What was recorded, and the newest sequence there is."""

    node_id: str
    applied_sequence: int
    latest_sequence: int


class SloQuery(_Closed, frozen=True):
    """The window of a report, and whether to keep it."""

    window_hours: int | None = None
    persist: bool = False


class SloReportBody(msgspec.Struct, frozen=True):
    """A revocation SLO report; `null` where there is nothing to judge."""

    report_version: str
    generated_at: int
    generated_at_iso: str
    window_hours: int
    slo_target_seconds: int
    total_revocations: int
    observed_revocations: int
    pending_revocations: int
    overdue_revocations: int
    compliance_ratio: float | None
    latency_seconds: dict[str, float | None]
    nodes: list[dict[str, Any]]
    lost_nodes: list[dict[str, Any]]
    report_id: str
