"""Shapes of bodies and queries of the issuer's routes, for reading, answering and the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from clawscope.issuer.domain.preflight import PreflightFields
from clawscope.issuer.domain.request import IssueFields
from clawscope.protocol.binding import Expectation


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A closed request shape."""


class IssueBody(IssueFields, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """An issue request (tokens.md §2)."""


class PreflightBody(PreflightFields, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A preflight or approval request (tokens.md §7, §8)."""


class IssuedBody(msgspec.Struct):
    """An issued token (tokens.md §2.5)."""

    token: str
    token_hash: str
    token_lane: str
    token_scope_hash_b64u: str
    policy_version: str
    policy_tier: str
    kid: str
    iat: int
    exp: int
    jti: str
    claims: dict[str, Any]
    owner_did: str | None = None
    controller_did: str | None = None
    agent_did: str | None = None
    control_plane_policy_hash_b64u: str | None = None
    mission_id: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    spend_cap: int | float | None = None
    legacy_exchange_mode: str | None = None
    migration_notice: str | None = None


class IntrospectBody(Strict, frozen=True):
    """A token and, if wanted, what the request states about it (tokens.md §3.1, §3.2)."""

    token: str
    expect: Expectation | None = None


class IntrospectedBody(msgspec.Struct):
    """A live or revoked token; further members are its claims."""

    active: bool
    token_hash: str
    sub: str
    kid: str
    kid_source: str
    revoked: bool | None = None
    revoked_at: int | None = None
    revoked_at_iso: str | None = None
    revoked_by_kind: str | None = None


class MatrixBody(Strict, frozen=True):
    """A token and the transition asked for (tokens.md §3.3)."""

    token: str
    transition: str | None = None


class MatrixAnswerBody(msgspec.Struct):
    """Every transition's verdict."""

    active: bool
    revoked: bool
    token_hash: str
    transition: str | None
    transition_result: dict[str, Any] | None
    matrix: dict[str, dict[str, Any]]
    kid: str
    kid_source: str


class RevokeBody(Strict, frozen=True):
    """What to revoke (tokens.md §4.1): one of token, token_hash, jti."""

    token: str | None = None
    token_hash: str | None = None
    jti: str | None = None
    reason: str | None = None
    family: bool = False


class RevokedBody(msgspec.Struct):
    """A revocation, committed."""

    status: Literal["revoked", "already_revoked"]
    sequence: int
    revoked_at: int
    revoked_at_iso: str
    event_key: str
    known: bool
    descendants: int
    effective_within_s: int
    token_hash: str | None = None
    jti: str | None = None


class CutOffBody(Strict, frozen=True):
    """What to cut off (tokens.md §4.2)."""

    dimension: str
    value: str
    reason: str
    lock: bool = False


class CutOffAnswerBody(msgspec.Struct, omit_defaults=True):
    """A cut-off, committed; a dry run answers `live_tokens` alone."""

    live_tokens: int
    status: str = ""
    cutoff_id: str = ""
    sequence: int = 0
    dimension: str = ""
    value: str = ""
    not_before: int = 0
    locked: bool | None = None


class LiftedBody(msgspec.Struct):
    """A lifted lock."""

    status: str
    cutoff_id: str


class DryRunQuery(Strict, frozen=True):
    """`dry_run=true` shows what would happen."""

    dry_run: bool = False


class PageQuery(Strict, frozen=True):
    """A page of a list."""

    limit: int | None = None
    cursor: str | None = None


class StreamQuery(Strict, frozen=True):
    """A page of the stream, or ascending from `since`, waiting up to `wait_s` for news."""

    limit: int | None = None
    cursor: str | None = None
    since: int | None = None
    wait_s: int | None = None


class ListBody(msgspec.Struct):
    """A list of events, newest first."""

    events: list[dict[str, Any]]
    cursor: str | None
    list_complete: bool


class StreamBody(msgspec.Struct):
    """A page of the revocation stream."""

    stream_version: str
    events: list[dict[str, Any]]
    cursor: str | None
    list_complete: bool
    latest_sequence: int


class SnapshotBody(msgspec.Struct):
    """A signed snapshot of all that may still hit a live token."""

    snapshot_version: str
    as_of_sequence: int
    generated_at: int
    valid_until: int
    tokens: list[dict[str, Any]]
    cutoffs: list[dict[str, Any]]
    revoked_kids: list[str]
    signer_kid: str
    signature_b64u: str


class PreflightAnswerBody(msgspec.Struct):
    """A preflight's decision (tokens.md §7)."""

    preflight_version: str
    decision: str
    allowed: bool
    reason_code: str
    denials: list[dict[str, Any]]
    request_digest_b64u: str
    would_grant: dict[str, Any]
    policy: dict[str, Any]
