"""The issuer's tables. Issuances, revocations, snapshots and approvals are append-only: no UPDATE, no DELETE."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, SmallInteger, String, Table, Text

from clawscope.infra.db.schema import metadata


def _where_present(name: str, column: Column[str]) -> Index:
    # Absent claims are common; an index over the present ones only keeps inserts cheap.
    return Index(name, column, sqlite_where=column.is_not(None), postgresql_where=column.is_not(None))


issuances = Table(
    "issuer_issuances",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("jti", String(36), nullable=False, unique=True),
    Column("sub", String(512), nullable=False),
    Column("owner_did", String(512)),
    Column("controller_did", String(512)),
    Column("agent_did", String(512)),
    Column("mission_id", String(256)),
    Column("run_id", String(128)),
    Column("job_id", String(128)),
    Column("token_lane", String(16), nullable=False),
    Column("kid", String(64), nullable=False),
    Column("client_id", String(128)),
    Column("org_id", String(128)),
    Column("issued_by", String(512), nullable=False),
    Column("issued_by_reach", String(16), nullable=False),
    Column("parent_jti", String(36)),
    Column("root_jti", String(36)),
    Column("issued_at", BigInteger, nullable=False),
    Column("exp", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
)
for _name in (
    "owner_did",
    "controller_did",
    "agent_did",
    "mission_id",
    "run_id",
    "job_id",
    "client_id",
    "org_id",
    "parent_jti",
    "root_jti",
):
    _where_present(f"issuances_{_name}", issuances.c[_name])
Index("issuances_sub", issuances.c.sub)
Index("issuances_kid_exp", issuances.c.kid, issuances.c.exp)
Index("issuances_issued_at", issuances.c.issued_at)

# One feed for tokens, cut-offs and keys: the only authority on revocation (tokens.md §4.3).
revocations = Table(
    "issuer_revocations",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("jti", String(36), unique=True),
    Column("token_hash", String(64), unique=True),
    Column("exp", BigInteger, nullable=False),
    Column("dimension", String(16)),
    Column("value", String(1100)),
    Column("not_before", BigInteger),
    Column("cutoff_id", String(64), unique=True),
    Column("locked", SmallInteger, nullable=False),
    Column("kid", String(64)),
    Column("org_id", String(128)),
    Column("owner_did", String(512)),
    Column("reason", Text, nullable=False),
    Column("revoked_by", String(512), nullable=False),
    Column("revoked_at", BigInteger, nullable=False),
    Column("committed_at_ms", BigInteger, nullable=False),
    Column("event_key", String(1200), nullable=False),
    Index("revocations_kind_exp", "kind", "exp"),
    Index("revocations_committed", "committed_at_ms"),
)

# Locks stop issue until they are lifted; the cut-off row itself stays for ever.
locks = Table(
    "issuer_locks",
    metadata,
    Column("cutoff_id", String(64), primary_key=True),
    Column("dimension", String(16), nullable=False),
    Column("value", String(1100), nullable=False),
    Column("org_id", String(128)),
    Column("owner_did", String(512)),
)

approval_requests = Table(
    "issuer_approval_requests",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("approval_id", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False, index=True),
    Column("request", Text, nullable=False),
    Column("requested_by", String(512), nullable=False),
    Column("org_id", String(128)),
    Column("owner_did", String(512)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", String(512)),
    Column("decision", String(16)),
    Column("reason", Text),
    Column("receipt", Text),
)

# Every authentic receipt that was presented, whatever came of it.
approvals = Table(
    "issuer_approvals",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("receipt_id", String(256), nullable=False, index=True),
    Column("signer_did", String(512), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("code", String(64), nullable=False),
    Column("token_hash", String(64)),
    Column("jti", String(36)),
    Column("sub", String(512), nullable=False),
    Column("owner_did", String(512)),
    Column("controller_did", String(512)),
    Column("agent_did", String(512)),
    Column("org_id", String(128)),
    Column("at", BigInteger, nullable=False, index=True),
    Column("record", Text, nullable=False),
)

spent_receipts = Table(
    "issuer_spent_receipts",
    metadata,
    Column("payload_hash", String(43), primary_key=True),
    Column("signer_did", String(512), nullable=False),
    Column("receipt_id", String(256), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("jti", String(36), nullable=False),
    Column("exchanged_at", BigInteger, nullable=False),
    Index("spent_receipts_signer", "signer_did", "receipt_id", unique=True),
)
