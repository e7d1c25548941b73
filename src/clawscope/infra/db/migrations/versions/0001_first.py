"""The first schema: sequences, outbox, idempotency, and everything of the issuer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Each rises in commit order; `writer` is the turn of a batch among processes on PostgreSQL.
SEQUENCES = ("writer", "outbox", "issuances", "revocations", "approvals", "key_snapshots")


def upgrade() -> None:
    """Create every table."""
    _create_idempotency()
    _create_issuer_approval_requests()
    _create_issuer_approvals()
    _create_issuer_issuances()
    _create_issuer_key_snapshots()
    _create_issuer_keys()
    _create_issuer_locks()
    _create_issuer_log_cursors()
    _create_issuer_node_applications()
    _create_issuer_node_presence()
    _create_issuer_revocations()
    _create_issuer_slo_reports()
    _create_issuer_spent_receipts()
    _create_issuer_verifier_nodes()
    _create_job_leases()
    _create_outbox()
    _create_outbox_cursors()
    _create_sequences()
    _create_first_numbers()


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("caller", sa.String(length=256), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "route", "key"),
    )
    op.create_index("idempotency_expires", "idempotency", ["expires_at"], unique=False)


def _create_issuer_approval_requests() -> None:
    op.create_table(
        "issuer_approval_requests",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("approval_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.String(length=512), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=True),
        sa.Column("owner_did", sa.String(length=512), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(length=512), nullable=True),
        sa.Column("decision", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("approval_id"),
    )
    op.create_index("ix_issuer_approval_requests_state", "issuer_approval_requests", ["state"], unique=False)


def _create_issuer_approvals() -> None:
    op.create_table(
        "issuer_approvals",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("receipt_id", sa.String(length=256), nullable=False),
        sa.Column("signer_did", sa.String(length=512), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("jti", sa.String(length=36), nullable=True),
        sa.Column("sub", sa.String(length=512), nullable=False),
        sa.Column("owner_did", sa.String(length=512), nullable=True),
        sa.Column("controller_did", sa.String(length=512), nullable=True),
        sa.Column("agent_did", sa.String(length=512), nullable=True),
        sa.Column("org_id", sa.String(length=128), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("ix_issuer_approvals_at", "issuer_approvals", ["at"], unique=False)
    op.create_index("ix_issuer_approvals_receipt_id", "issuer_approvals", ["receipt_id"], unique=False)


def _create_issuer_issuances() -> None:
    op.create_table(
        "issuer_issuances",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("jti", sa.String(length=36), nullable=False),
        sa.Column("sub", sa.String(length=512), nullable=False),
        sa.Column("owner_did", sa.String(length=512), nullable=True),
        sa.Column("controller_did", sa.String(length=512), nullable=True),
        sa.Column("agent_did", sa.String(length=512), nullable=True),
        sa.Column("mission_id", sa.String(length=256), nullable=True),
        sa.Column("run_id", sa.String(length=128), nullable=True),
        sa.Column("job_id", sa.String(length=128), nullable=True),
        sa.Column("token_lane", sa.String(length=16), nullable=False),
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=128), nullable=True),
        sa.Column("org_id", sa.String(length=128), nullable=True),
        sa.Column("issued_by", sa.String(length=512), nullable=False),
        sa.Column("issued_by_reach", sa.String(length=16), nullable=False),
        sa.Column("parent_jti", sa.String(length=36), nullable=True),
        sa.Column("root_jti", sa.String(length=36), nullable=True),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("jti"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index(
        "issuances_agent_did",
        "issuer_issuances",
        ["agent_did"],
        unique=False,
        sqlite_where=sa.text("agent_did IS NOT NULL"),
        postgresql_where=sa.text("agent_did IS NOT NULL"),
    )
    op.create_index(
        "issuances_client_id",
        "issuer_issuances",
        ["client_id"],
        unique=False,
        sqlite_where=sa.text("client_id IS NOT NULL"),
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    op.create_index(
        "issuances_controller_did",
        "issuer_issuances",
        ["controller_did"],
        unique=False,
        sqlite_where=sa.text("controller_did IS NOT NULL"),
        postgresql_where=sa.text("controller_did IS NOT NULL"),
    )
    op.create_index("issuances_issued_at", "issuer_issuances", ["issued_at"], unique=False)
    op.create_index(
        "issuances_job_id",
        "issuer_issuances",
        ["job_id"],
        unique=False,
        sqlite_where=sa.text("job_id IS NOT NULL"),
        postgresql_where=sa.text("job_id IS NOT NULL"),
    )
    op.create_index("issuances_kid_exp", "issuer_issuances", ["kid", "exp"], unique=False)
    op.create_index(
        "issuances_mission_id",
        "issuer_issuances",
        ["mission_id"],
        unique=False,
        sqlite_where=sa.text("mission_id IS NOT NULL"),
        postgresql_where=sa.text("mission_id IS NOT NULL"),
    )
    op.create_index(
        "issuances_org_id",
        "issuer_issuances",
        ["org_id"],
        unique=False,
        sqlite_where=sa.text("org_id IS NOT NULL"),
        postgresql_where=sa.text("org_id IS NOT NULL"),
    )
    op.create_index(
        "issuances_owner_did",
        "issuer_issuances",
        ["owner_did"],
        unique=False,
        sqlite_where=sa.text("owner_did IS NOT NULL"),
        postgresql_where=sa.text("owner_did IS NOT NULL"),
    )
    op.create_index(
        "issuances_parent_jti",
        "issuer_issuances",
        ["parent_jti"],
        unique=False,
        sqlite_where=sa.text("parent_jti IS NOT NULL"),
        postgresql_where=sa.text("parent_jti IS NOT NULL"),
    )
    op.create_index(
        "issuances_root_jti",
        "issuer_issuances",
        ["root_jti"],
        unique=False,
        sqlite_where=sa.text("root_jti IS NOT NULL"),
        postgresql_where=sa.text("root_jti IS NOT NULL"),
    )
    op.create_index(
        "issuances_run_id",
        "issuer_issuances",
        ["run_id"],
        unique=False,
        sqlite_where=sa.text("run_id IS NOT NULL"),
        postgresql_where=sa.text("run_id IS NOT NULL"),
    )
    op.create_index("issuances_sub", "issuer_issuances", ["sub"], unique=False)


def _create_issuer_key_snapshots() -> None:
    op.create_table(
        "issuer_key_snapshots",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("generated_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )


def _create_issuer_keys() -> None:
    op.create_table(
        "issuer_keys",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("x", sa.String(length=43), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("activatable_at", sa.BigInteger(), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=True),
        sa.Column("not_after_unix", sa.BigInteger(), nullable=True),
        sa.Column("delay_waived", sa.SmallInteger(), nullable=False),
        sa.Column("auto_activate", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kid"),
        sa.UniqueConstraint("x"),
    )
    op.create_index("keys_purpose_state", "issuer_keys", ["purpose", "state"], unique=False)


def _create_issuer_locks() -> None:
    op.create_table(
        "issuer_locks",
        sa.Column("cutoff_id", sa.String(length=64), nullable=False),
        sa.Column("dimension", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=1100), nullable=False),
        sa.Column("org_id", sa.String(length=128), nullable=True),
        sa.Column("owner_did", sa.String(length=512), nullable=True),
        sa.PrimaryKeyConstraint("cutoff_id"),
    )


def _create_issuer_log_cursors() -> None:
    op.create_table(
        "issuer_log_cursors",
        sa.Column("log_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log_id"),
    )


def _create_issuer_node_applications() -> None:
    op.create_table(
        "issuer_node_applications",
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("applied_sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "applied_sequence"),
    )


def _create_issuer_node_presence() -> None:
    op.create_table(
        "issuer_node_presence",
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("left", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "from_ms"),
    )
    op.create_index("node_presence_to", "issuer_node_presence", ["to_ms"], unique=False)


def _create_issuer_revocations() -> None:
    op.create_table(
        "issuer_revocations",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("jti", sa.String(length=36), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("exp", sa.BigInteger(), nullable=False),
        sa.Column("dimension", sa.String(length=16), nullable=True),
        sa.Column("value", sa.String(length=1100), nullable=True),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("cutoff_id", sa.String(length=64), nullable=True),
        sa.Column("locked", sa.SmallInteger(), nullable=False),
        sa.Column("kid", sa.String(length=64), nullable=True),
        sa.Column("org_id", sa.String(length=128), nullable=True),
        sa.Column("owner_did", sa.String(length=512), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revoked_by", sa.String(length=512), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.Column("committed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("event_key", sa.String(length=1200), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("cutoff_id"),
        sa.UniqueConstraint("jti"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("revocations_committed", "issuer_revocations", ["committed_at_ms"], unique=False)
    op.create_index("revocations_kind_exp", "issuer_revocations", ["kind", "exp"], unique=False)


def _create_issuer_slo_reports() -> None:
    op.create_table(
        "issuer_slo_reports",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("generated_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("report_id"),
    )


def _create_issuer_spent_receipts() -> None:
    op.create_table(
        "issuer_spent_receipts",
        sa.Column("payload_hash", sa.String(length=43), nullable=False),
        sa.Column("signer_did", sa.String(length=512), nullable=False),
        sa.Column("receipt_id", sa.String(length=256), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("jti", sa.String(length=36), nullable=False),
        sa.Column("exchanged_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("payload_hash"),
    )
    op.create_index("spent_receipts_signer", "issuer_spent_receipts", ["signer_did", "receipt_id"], unique=True)


def _create_issuer_verifier_nodes() -> None:
    op.create_table(
        "issuer_verifier_nodes",
        sa.Column("node_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("credential", sa.String(length=512), nullable=False),
        sa.Column("applied_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("left", sa.SmallInteger(), nullable=False),
        sa.Column("lost_told", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id"),
    )


def _create_job_leases() -> None:
    op.create_table(
        "job_leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )


def _create_outbox_cursors() -> None:
    op.create_table(
        "outbox_cursors",
        sa.Column("handler", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("handler"),
    )


def _create_sequences() -> None:
    op.create_table(
        "sequences",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_first_numbers() -> None:
    table = sa.table("sequences", sa.column("name", sa.String), sa.column("value", sa.BigInteger))
    op.bulk_insert(table, [{"name": name, "value": 0} for name in SEQUENCES])
