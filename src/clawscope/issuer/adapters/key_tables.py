"""Tables of keys, key snapshots, verifier nodes and revocation SLO reports (keys.md)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, SmallInteger, String, Table, Text

from clawscope.infra.db.schema import metadata

# Rows are never deleted: a kid seen once is never unknown again (keys.md §1).
keys = Table(
    "issuer_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("x", String(43), nullable=False, unique=True),
    Column("source", String(16), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("sealed", LargeBinary),
    Column("created_at", BigInteger, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("activatable_at", BigInteger, nullable=False),
    Column("activated_at", BigInteger),
    Column("not_after_unix", BigInteger),
    Column("delay_waived", SmallInteger, nullable=False),
    Column("auto_activate", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Index("keys_purpose_state", "purpose", "state"),
)

key_snapshots = Table(
    "issuer_key_snapshots",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("generated_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

# How far rows were handed to the transparency log, per log.
log_cursors = Table(
    "issuer_log_cursors",
    metadata,
    Column("log_id", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

verifier_nodes = Table(
    "issuer_verifier_nodes",
    metadata,
    Column("node_id", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("credential", String(512), nullable=False),
    Column("applied_sequence", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("left", SmallInteger, nullable=False),
    Column("lost_told", SmallInteger, nullable=False),
)

# A stretch of time in which a node was heard from without a pause longer than `node_live_s`.
node_presence = Table(
    "issuer_node_presence",
    metadata,
    Column("node_id", String(64), primary_key=True),
    Column("from_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("left", SmallInteger, nullable=False),
    Index("node_presence_to", "to_ms"),
)

node_applications = Table(
    "issuer_node_applications",
    metadata,
    Column("node_id", String(64), primary_key=True),
    Column("applied_sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
)

slo_reports = Table(
    "issuer_slo_reports",
    metadata,
    Column("report_id", String(64), primary_key=True),
    Column("generated_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
