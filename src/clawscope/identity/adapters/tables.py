"""Identity's tables. The audit chain is append-only: no UPDATE, no DELETE. Records are never deleted, challenges are."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, SmallInteger, String, Table, Text

from clawscope.infra.db.schema import metadata

challenges = Table(
    "identity_challenges",
    metadata,
    Column("challenge_id", String(64), primary_key=True),
    Column("owner_did", String(256), nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("record", Text, nullable=False),
    Index("identity_challenges_owner", "owner_did", "expires_at"),
)

bindings = Table(
    "identity_bindings",
    metadata,
    Column("did", String(256), primary_key=True),
    Column("bound_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("reason", String(256)),
)

controllers = Table(
    "identity_controllers",
    metadata,
    Column("controller_did", String(256), primary_key=True),
    Column("owner_did", String(256), nullable=False, index=True),
    Column("active", SmallInteger, nullable=False),
    Column("rotated_to_did", String(256)),
    Column("transfer_expires_at", BigInteger),
    Column("record", Text, nullable=False),
)
# Few controllers are rotated or in transfer: only those are indexed.
for _name in ("rotated_to_did", "transfer_expires_at"):
    _column = controllers.c[_name]
    Index(
        f"identity_controllers_{_name}",
        _column,
        sqlite_where=_column.is_not(None),
        postgresql_where=_column.is_not(None),
    )

agents = Table(
    "identity_agents",
    metadata,
    Column("controller_did", String(256), primary_key=True),
    Column("agent_did", String(256), primary_key=True, index=True),
    Column("active", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Index("identity_agents_position", "controller_did", "position"),
)

# `controller_did` is empty for the alias of a controller: such a DID has one owner, so it leads one way.
aliases = Table(
    "identity_aliases",
    metadata,
    Column("role", String(16), primary_key=True),
    Column("controller_did", String(256), primary_key=True),
    Column("from_did", String(256), primary_key=True),
    Column("final_did", String(256), nullable=False),
    Column("record", Text, nullable=False),
    Index("identity_aliases_final", "role", "controller_did", "final_did"),
)

audit = Table(
    "identity_audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("event_type", String(64), nullable=False),
    Column("actor_did", String(512), nullable=False),
    Column("subject_did", String(512), nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("details", Text, nullable=False),
    Column("prev_hash_b64u", String(43), nullable=False),
    Column("entry_hash_b64u", String(43), nullable=False),
    Index("identity_audit_type", "event_type", "sequence"),
    Index("identity_audit_subject", "subject_did", "sequence"),
)

scope_challenges = Table(
    "identity_scope_challenges",
    metadata,
    Column("challenge_id", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger),
    Column("record", Text, nullable=False),
)

rosters = Table(
    "identity_rosters",
    metadata,
    Column("org_id", String(128), primary_key=True),
    Column("issued_at", BigInteger, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
)

# Which bundles an owner imported: remembered for ever, so that none is taken twice.
imports = Table(
    "identity_imports",
    metadata,
    Column("owner_did", String(256), primary_key=True),
    Column("bundle_hash_b64u", String(43), primary_key=True),
    Column("imported_at", BigInteger, nullable=False),
)

# The last bundle taken of each source: its number, its hash, and the version it left here.
import_marks = Table(
    "identity_import_marks",
    metadata,
    Column("issuer", String(512), primary_key=True),
    Column("owner_did", String(256), primary_key=True),
    Column("controller_did", String(256), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("bundle_hash_b64u", String(43), nullable=False),
    Column("version", BigInteger, nullable=False),
)

# Numbers in the order of commits; the migration sets them to 0.
SEQUENCES = ("identity_audit", "identity_agents")
