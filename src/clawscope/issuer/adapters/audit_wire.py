"""Shapes of the audit routes."""

from __future__ import annotations

from typing import Literal

import msgspec

from clawscope.issuer.adapters.wire import ListBody, Strict


class AuditQuery(Strict, frozen=True, rename={"from_": "from"}):
    """Filters of the audit lists; `from` ≤ t < `to` in epoch seconds."""

    limit: int | None = None
    cursor: str | None = None
    token_hash: str | None = None
    jti: str | None = None
    sub: str | None = None
    owner_did: str | None = None
    agent_did: str | None = None
    controller_did: str | None = None
    mission_id: str | None = None
    run_id: str | None = None
    job_id: str | None = None
    token_lane: str | None = None
    kid: str | None = None
    client_id: str | None = None
    issued_by: str | None = None
    from_: int | None = None
    to: int | None = None


class BundleQuery(AuditQuery, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"from_": "from"}):
    """A JSON page of the bundle, or all of it as NDJSON."""

    cursor_issuance: str | None = None
    cursor_revocations: str | None = None
    cursor_approvals: str | None = None
    format: Literal["json", "ndjson"] = "json"


class BundleBody(msgspec.Struct):
    """A signed page of the audit bundle."""

    generated_at: str
    issuance: ListBody
    revocations: ListBody
    approvals: ListBody
    checksum_b64u: str
    signer_kid: str
    signature_b64u: str
