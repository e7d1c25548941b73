"""Shapes of bodies and queries of identity's routes."""

from __future__ import annotations

from typing import Any

import msgspec


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A closed request shape."""


class ChallengeBody(Strict, frozen=True):
    """A challenge for a DID's own binding (identity.md §3)."""

    did: str
    purpose: str = "bind"
    message_version: str = "1"


class ControlChallengeBody(Strict, frozen=True):
    """A challenge for a change of the control plane (identity.md §3)."""

    owner_did: str
    purpose: str
    message_version: str = "1"
    controller_did: str | None = None
    agent_did: str | None = None
    allowed_sensitive_scopes: list[str] | None = None
    policy_hash_b64u: str | None = None
    rotation_role: str | None = None
    from_did: str | None = None
    to_did: str | None = None
    transfer_to_owner_did: str | None = None
    audience: list[str] | None = None
    bundle_hash_b64u: str | None = None
    account_id: str | None = None
    context_parts: list[str] | None = None


class BindBody(Strict, frozen=True):
    """A DID's signature over its challenge (identity.md §4)."""

    did: str
    challenge_id: str
    signature_b64u: str


class RevokeBody(BindBody, frozen=True):
    """The same, to revoke."""

    reason: str | None = None


class SignedBody(Strict, frozen=True):
    """An owner's signature over a challenge (identity.md §5)."""

    owner_did: str
    challenge_id: str
    signature_b64u: str


class RegisterControllerBody(SignedBody, frozen=True):
    """A controller to put in charge."""

    controller_did: str
    subject_signature_b64u: str | None = None
    allowed_sensitive_scopes: list[str] | None = None


class RegisterAgentBody(SignedBody, frozen=True):
    """An agent to put under the controller of the path."""

    agent_did: str
    subject_signature_b64u: str | None = None


class PolicyBody(SignedBody, frozen=True):
    """The sensitive scopes to allow; absent, the default."""

    allowed_sensitive_scopes: list[str] | None = None


class RotationBody(SignedBody, frozen=True):
    """A DID that continues as another (identity.md §6)."""

    rotation_role: str
    from_did: str
    to_did: str
    controller_did: str | None = None
    subject_signature_b64u: str | None = None


class TransferRequestBody(SignedBody, frozen=True):
    """A controller offered to another owner (identity.md §7)."""

    transfer_to_owner_did: str


class TransferConfirmBody(SignedBody, frozen=True):
    """The new owner's confirmation."""

    transfer_to_owner_did: str | None = None


class ExportBody(SignedBody, frozen=True):
    """A controller to export (identity.md §8)."""

    controller_did: str
    agent_did: str | None = None
    audience: list[str] | None = None


class ImportBody(SignedBody, frozen=True):
    """A bundle to import; its own shape is judged apart."""

    bundle: dict[str, Any]


class ScopeChallengeBody(Strict, frozen=True):
    """A scoped token to ask for (identity.md §9)."""

    owner_did: str
    aud: str | list[str]
    scope: list[str]
    ttl_sec: int = 300
    controller_did: str | None = None
    agent_did: str | None = None
    owner_attestation_id: str | None = None
    mission_id: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    policy_hash_b64u: str | None = None
    payment_account_did: str | None = None


class DelegationBody(Strict, frozen=True):
    """Two sides of a delegation (identity.md §10)."""

    delegator_did: str
    delegate_did: str


class MemberBody(Strict, frozen=True):
    """A member of an organisation."""

    member_did: str
    team_role: str


class RosterBody(Strict, frozen=True):
    """An organisation's members, signed by their owner (identity.md §10)."""

    owner_did: str
    members: list[MemberBody]
    signature_b64u: str
    issued_at: int | None = None
    previous_owner_signature_b64u: str | None = None


class ExportQuery(Strict, frozen=True):
    """An export of the audit chain: its last `limit` rows up to number `upto`."""

    format: str = "jsonl"
    limit: int = 1000
    upto: int | None = None


class PageQuery(Strict, frozen=True):
    """A page of a list."""

    limit: int | None = None
    cursor: str | None = None


class AuditQuery(PageQuery, frozen=True):
    """A page of the audit chain, perhaps of one kind or about one DID."""

    event_type: str | None = None
    subject_did: str | None = None


class ChallengeAnswerBody(msgspec.Struct):
    """A challenge to sign exactly as it stands."""

    challenge_id: str
    purpose: str
    nonce: str
    message: str
    expires_at: int
    expires_in_sec: int


class ScopeChallengeAnswerBody(msgspec.Struct):
    """A challenge for a scoped token."""

    challenge_id: str
    owner_did: str
    message: str
    expires_at: int
    ttl_sec: int


class DelegationAnswerBody(msgspec.Struct):
    """Both bindings of a delegation."""

    ok: bool
    result: dict[str, Any]


class AuditExportBody(msgspec.Struct):
    """An export of the audit chain: where its bytes are, and their hash."""

    status: str
    key: str
    format: str
    rows: int
    sha256: str


class StatusBody(msgspec.Struct):
    """What a change came to; further members say it in full."""

    status: str


class BindingBody(msgspec.Struct):
    """A binding as it stands."""

    did: str
    active: bool
    bound_at: int
    revoked_at: int | None


class ControllerAnswerBody(msgspec.Struct):
    """A controller as it stands."""

    status: str
    requested_controller_did: str
    resolved_controller_did: str
    aliases: list[dict[str, Any]]
    transfer_state: str
    controller: dict[str, Any]


class AgentListBody(msgspec.Struct):
    """A controller's agents."""

    requested_controller_did: str
    controller_did: str
    transfer_state: str
    aliases: list[dict[str, Any]]
    bindings: list[dict[str, Any]]
    cursor: str | None
    list_complete: bool


class ChainAnswerBody(msgspec.Struct):
    """A chain as it stands."""

    status: str
    owner_did: str
    controller: dict[str, Any]
    agent_binding: dict[str, Any]
    alias_resolution: dict[str, Any]
    chain: dict[str, Any]


class AuditListBody(msgspec.Struct):
    """Audit rows, newest first."""

    status: str
    events: list[dict[str, Any]]
    cursor: str | None
    list_complete: bool
    legacy_binding_events: list[dict[str, Any]]
